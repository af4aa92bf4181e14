// Tensor: a dense, contiguous array in host memory that owns its elements. What crosses the engine's boundary (weights
// from files, batches, logits) is a Tensor; what lives on a device is a Buffer (memory.h) inside a Store or an arena.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "engine/base/dtype.h"
#include "engine/tensor/shape.h"

namespace cambium {

struct TensorSpec {
    Shape shape;
    DType dtype = DType::f32;

    std::size_t bytes() const { return static_cast<std::size_t>(shape.count()) * size_of(dtype); }
    friend bool operator==(const TensorSpec&, const TensorSpec&) = default;
};

std::string to_string(const TensorSpec& spec);  // "f32 [8, 10]"

class Tensor {
  public:
    Tensor() = default;                // an empty f32 tensor of shape [0]
    // Zero-filled, aligned to 64 bytes. Throws Error if there is not enough memory.
    Tensor(Shape shape, DType dtype);
    explicit Tensor(const TensorSpec& spec) : Tensor(spec.shape, spec.dtype) {}
    template <class T>
    Tensor(Shape shape, std::span<const T> values) : Tensor(shape, dtype_of<T>) {
        copy_in(std::as_bytes(values));  // throws Error if the count differs
    }

    Tensor(Tensor&&) noexcept = default;
    Tensor& operator=(Tensor&&) noexcept = default;
    Tensor clone() const;  // copies are explicit: tensors can be large

    const Shape& shape() const { return spec_.shape; }
    DType dtype() const { return spec_.dtype; }
    const TensorSpec& spec() const { return spec_; }
    std::int64_t count() const { return spec_.shape.count(); }

    std::span<std::byte> bytes() { return {data_.get(), spec_.bytes()}; }
    std::span<const std::byte> bytes() const { return {data_.get(), spec_.bytes()}; }
    // The elements as T. Throws Error if T is not the tensor's dtype.
    template <class T>
    std::span<T> values() {
        require(dtype_of<T>);
        return {reinterpret_cast<T*>(data_.get()), static_cast<std::size_t>(count())};
    }
    template <class T>
    std::span<const T> values() const {
        require(dtype_of<T>);
        return {reinterpret_cast<const T*>(data_.get()), static_cast<std::size_t>(count())};
    }

    Tensor converted(DType dtype) const;  // real and integer types; rounds to nearest even, integers truncate
    Tensor reshaped(Shape shape) &&;      // same elements, another shape; throws Error if the counts differ

  private:
    struct Free {
        void operator()(std::byte* data) const;
    };
    void require(DType dtype) const;
    void copy_in(std::span<const std::byte> bytes);

    TensorSpec spec_{Shape{0}, DType::f32};
    std::unique_ptr<std::byte[], Free> data_;
};

// Axis order in weight files, where it differs from the engine's. `oihw`: a convolution filter, [K, C, R, S] in the
// file, KRSC in the engine. `chw_columns`: a linear weight whose input was flattened from C, H, W in the file
// (AlexNet's classifier.1), from H, W, C in the engine.
struct FileLayout {
    enum class Kind : std::uint8_t { plain, oihw, chw_columns };
    Kind kind = Kind::plain;
    std::int64_t channels = 0, height = 0, width = 0;  // chw_columns only

    // The conversions throw Error if the tensor cannot have this layout.
    Shape file_shape(const Shape& engine_shape) const;
    Tensor to_engine(const Tensor& file) const;
    Tensor to_file(const Tensor& engine) const;
    friend bool operator==(const FileLayout&, const FileLayout&) = default;

  private:
    void require(const TensorSpec& spec) const;
};

}  // namespace cambium
