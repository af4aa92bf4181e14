#include "engine/tensor/tensor.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "engine/base/fail.h"

namespace cambium {
namespace {

constexpr std::align_val_t alignment{64};

template <class F>
void visit_type(DType dtype, F f) {
    switch (dtype) {
        case DType::f64:
            return f(double{});
        case DType::f32:
            return f(float{});
        case DType::f16:
            return f(f16{});
        case DType::bf16:
            return f(bf16{});
        case DType::i64:
            return f(std::int64_t{});
        case DType::i32:
            return f(std::int32_t{});
        case DType::u8:
            return f(std::uint8_t{});
        case DType::boolean:
            return f(bool{});
    }
}

template <class To, class From>
To convert_element(From value) {
    if constexpr (std::is_same_v<From, f16> || std::is_same_v<From, bf16>) {
        return convert_element<To>(static_cast<float>(value));
    } else if constexpr (std::is_same_v<To, f16> || std::is_same_v<To, bf16>) {
        return To(static_cast<float>(value));
    } else {
        return static_cast<To>(value);
    }
}

// Copies file[o, c, p] to engine[o, p, c] (or back), p running over positions; elements are opaque bytes.
void swap_inner(const std::byte* from, std::byte* to, std::int64_t outer, std::int64_t rows, std::int64_t columns,
                std::size_t size) {
    for (std::int64_t o = 0; o < outer; ++o) {
        for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t c = 0; c < columns; ++c) {
                const auto source = static_cast<std::size_t>((o * rows + r) * columns + c) * size;
                const auto target = static_cast<std::size_t>((o * columns + c) * rows + r) * size;
                std::memcpy(to + target, from + source, size);
            }
        }
    }
}

}  // namespace

std::string to_string(const TensorSpec& spec) {
    return fmt::format("{} {}", name_of(spec.dtype), to_string(spec.shape));
}

void Tensor::Free::operator()(std::byte* data) const { ::operator delete[](data, alignment); }

Tensor::Tensor(Shape shape, DType dtype) : spec_{shape, dtype} {
    const std::size_t bytes = spec_.bytes();
    data_.reset(static_cast<std::byte*>(::operator new[](std::max<std::size_t>(bytes, 1), alignment, std::nothrow)));
    if (data_ == nullptr) fail("not enough memory for a tensor of {}: {} MB", to_string(spec_), bytes >> 20);
    std::memset(data_.get(), 0, bytes);
}

Tensor Tensor::clone() const {
    Tensor copy(spec_);
    copy.copy_in(bytes());
    return copy;
}

void Tensor::require(DType dtype) const {
    if (dtype != spec_.dtype) fail("a tensor of {} was read as {}", name_of(spec_.dtype), name_of(dtype));
}

void Tensor::copy_in(std::span<const std::byte> bytes) {
    if (bytes.size() != spec_.bytes()) {
        fail("{} needs {} bytes, but {} were given", to_string(spec_), spec_.bytes(), bytes.size());
    }
    if (!bytes.empty()) std::memcpy(data_.get(), bytes.data(), bytes.size());
}

Tensor Tensor::converted(DType dtype) const {
    if (dtype == spec_.dtype) return clone();
    Tensor result(spec_.shape, dtype);
    visit_type(spec_.dtype, [&](auto from) {
        visit_type(dtype, [&](auto to) {
            const auto source = values<decltype(from)>();
            std::transform(source.begin(), source.end(), result.values<decltype(to)>().begin(),
                           [](auto value) { return convert_element<decltype(to)>(value); });
        });
    });
    return result;
}

Tensor Tensor::reshaped(Shape shape) && {
    if (shape.count() != count()) fail("cannot view {} as {}", to_string(spec_), to_string(shape));
    spec_.shape = shape;
    return std::move(*this);
}

void FileLayout::require(const TensorSpec& spec) const {
    if (kind == Kind::oihw && spec.shape.rank() != 4) {
        fail("a convolution filter has 4 axes, not {}", to_string(spec));
    }
    if (kind == Kind::chw_columns && (spec.shape.rank() != 2 || spec.shape[1] != channels * height * width)) {
        fail("a linear weight over {} x {} x {} inputs cannot be {}", channels, height, width, to_string(spec));
    }
}

Shape FileLayout::file_shape(const Shape& engine_shape) const {
    if (kind != Kind::oihw) return engine_shape;
    return {engine_shape[0], engine_shape[3], engine_shape[1], engine_shape[2]};
}

Tensor FileLayout::to_engine(const Tensor& file) const {
    if (kind == Kind::plain) return file.clone();
    require(file.spec());
    const Shape& s = file.shape();
    if (kind == Kind::oihw) {
        Tensor result({s[0], s[2], s[3], s[1]}, file.dtype());
        swap_inner(file.bytes().data(), result.bytes().data(), s[0], s[1], s[2] * s[3], size_of(file.dtype()));
        return result;
    }
    Tensor result(s, file.dtype());
    swap_inner(file.bytes().data(), result.bytes().data(), s[0], channels, height * width, size_of(file.dtype()));
    return result;
}

Tensor FileLayout::to_file(const Tensor& engine) const {
    if (kind == Kind::plain) return engine.clone();
    require(engine.spec());
    const Shape& s = engine.shape();
    Tensor result(file_shape(s), engine.dtype());
    const bool filter = kind == Kind::oihw;
    swap_inner(engine.bytes().data(), result.bytes().data(), s[0], filter ? s[1] * s[2] : height * width,
               filter ? s[3] : channels, size_of(engine.dtype()));
    return result;
}

}  // namespace cambium
