// cuDNN's functions, its backend descriptors as values, and what every graph of operations goes through to become a
// plan: heuristics list engines, best guess first; those whose arithmetic is not what was asked for are passed over;
// the rest are built. Only for what includes cuDNN's headers anyway.
#pragma once

#include <cudnn.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/backends/gpu/vendor_library.h"
#include "engine/backends/gpu/vendor_plan.h"
#include "engine/base/dtype.h"

namespace cambium::gpu::dnn {

struct Functions {
    Functions();
    void check(cudnnStatus_t status, const char* what) const;

    Library library;
    decltype(&cudnnGetVersion) version = nullptr;
    decltype(&cudnnGetErrorString) status_text = nullptr;
    decltype(&cudnnCreate) create = nullptr;
    decltype(&cudnnDestroy) destroy = nullptr;
    decltype(&cudnnSetStream) set_stream = nullptr;
    decltype(&cudnnBackendCreateDescriptor) create_descriptor = nullptr;
    decltype(&cudnnBackendDestroyDescriptor) destroy_descriptor = nullptr;
    decltype(&cudnnBackendSetAttribute) set = nullptr;
    decltype(&cudnnBackendGetAttribute) get = nullptr;
    decltype(&cudnnBackendFinalize) finalize = nullptr;
    decltype(&cudnnBackendExecute) execute = nullptr;
};

// The attribute type that goes with a C++ type. cudnnBackendDescriptor_t is void*; a device address is one too, and is
// set by set_addresses().
template <class T>
struct TypeOf;
template <>
struct TypeOf<std::int64_t> {
    static constexpr auto value = CUDNN_TYPE_INT64;
};
template <>
struct TypeOf<float> {
    static constexpr auto value = CUDNN_TYPE_FLOAT;
};
template <>
struct TypeOf<bool> {
    static constexpr auto value = CUDNN_TYPE_BOOLEAN;
};
template <>
struct TypeOf<char> {
    static constexpr auto value = CUDNN_TYPE_CHAR;
};
template <>
struct TypeOf<cudnnHandle_t> {
    static constexpr auto value = CUDNN_TYPE_HANDLE;
};
template <>
struct TypeOf<cudnnDataType_t> {
    static constexpr auto value = CUDNN_TYPE_DATA_TYPE;
};
template <>
struct TypeOf<cudnnConvolutionMode_t> {
    static constexpr auto value = CUDNN_TYPE_CONVOLUTION_MODE;
};
template <>
struct TypeOf<cudnnPointwiseMode_t> {
    static constexpr auto value = CUDNN_TYPE_POINTWISE_MODE;
};
template <>
struct TypeOf<cudnnReduceTensorOp_t> {
    static constexpr auto value = CUDNN_TYPE_REDUCTION_OPERATOR_TYPE;
};
template <>
struct TypeOf<cudnnBackendHeurMode_t> {
    static constexpr auto value = CUDNN_TYPE_HEUR_MODE;
};
template <>
struct TypeOf<cudnnBackendNumericalNote_t> {
    static constexpr auto value = CUDNN_TYPE_NUMERICAL_NOTE;
};
template <>
struct TypeOf<cudnnBackendDescriptor_t> {
    static constexpr auto value = CUDNN_TYPE_BACKEND_DESCRIPTOR;
};

// A backend descriptor: made, given its attributes, finalized, then read.
class Descriptor {
  public:
    Descriptor(const Functions& dnn, cudnnBackendDescriptorType_t type);
    ~Descriptor();
    Descriptor(Descriptor&& other) noexcept : dnn_(other.dnn_), handle_(std::exchange(other.handle_, nullptr)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }

    template <class T>
    Descriptor& set(cudnnBackendAttributeName_t name, const T& value) {
        return set(name, std::span<const T>(&value, 1));
    }
    Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& value) { return set(name, value.handle_); }
    template <class T>
    Descriptor& set(cudnnBackendAttributeName_t name, std::span<const T> values) {
        dnn_->check(dnn_->set(handle_, name, TypeOf<T>::value, static_cast<std::int64_t>(values.size()), values.data()),
                    "cudnnBackendSetAttribute");
        return *this;
    }
    Descriptor& set_addresses(cudnnBackendAttributeName_t name, std::span<void* const> values) {
        dnn_->check(
            dnn_->set(handle_, name, CUDNN_TYPE_VOID_PTR, static_cast<std::int64_t>(values.size()), values.data()),
            "cudnnBackendSetAttribute");
        return *this;
    }
    Descriptor& finalize() {
        dnn_->check(dnn_->finalize(handle_), "cudnnBackendFinalize");
        return *this;
    }
    bool try_finalize() { return dnn_->finalize(handle_) == CUDNN_STATUS_SUCCESS; }

    template <class T>
    T value(cudnnBackendAttributeName_t name) const {
        T result{};
        std::int64_t count = 0;
        dnn_->check(dnn_->get(handle_, name, TypeOf<T>::value, 1, &count, &result), "cudnnBackendGetAttribute");
        return result;
    }
    template <class T>
    std::vector<T> values(cudnnBackendAttributeName_t name, std::size_t most) const {
        std::vector<T> result(most);
        std::int64_t count = 0;
        dnn_->check(dnn_->get(handle_, name, TypeOf<T>::value, static_cast<std::int64_t>(most), &count, result.data()),
                    "cudnnBackendGetAttribute");
        result.resize(static_cast<std::size_t>(std::min<std::int64_t>(count, static_cast<std::int64_t>(most))));
        return result;
    }
    // Descriptors are read into ones that were made before: at most `most`, of type `type`.
    std::vector<Descriptor> parts(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                  std::size_t most) const;

    cudnnBackendDescriptor_t handle() const { return handle_; }

  private:
    const Functions* dnn_;
    cudnnBackendDescriptor_t handle_ = nullptr;
};

// The library and its handle, which plans keep.
struct Session {
    Functions dnn;
    cudnnHandle_t handle = nullptr;  // null before start()
    Session() = default;
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    void start(void* stream);  // needs a GPU
};

using Axes = std::array<std::int64_t, 4>;
Descriptor tensor(const Functions& dnn, std::int64_t id, const Axes& sizes, const Axes& strides, DType dtype);
// A number in the host's memory, f32.
Descriptor constant(const Functions& dnn, std::int64_t id);
// One that lives between operations only.
Descriptor between(const Functions& dnn, std::int64_t id, const Axes& sizes, const Axes& strides, DType dtype);

// The GPU that is here, by a handle, or one that is described.
struct Target {
    cudnnHandle_t handle = nullptr;
    const Descriptor* described = nullptr;
};

Descriptor graph_of(const Functions& dnn, std::span<const Descriptor> operations, const Target& target);

enum class Arithmetic : std::uint8_t {
    exact,         // f32 products of f32 operands
    tensor_cores,  // products of bf16 operands, or of f32 ones rounded to tf32
};

struct BuiltPlan {
    Descriptor plan;
    std::string name;  // "cuDNN 9.19.0 engine 62"
    std::size_t workspace = 0;
};

// At most ten, best guess first; cuDNN's last resorts only where there is no other. Sums are f32 in all of them.
std::vector<BuiltPlan> build_plans(const Functions& dnn, const Descriptor& graph, Arithmetic arithmetic,
                                   const Target& target);

struct Constant {
    std::int64_t id = 0;
    float value = 0;
};

// A built plan with the tensors' names, in the order of the operands that it is bound to, and its constants.
class GraphPlan final : public VendorPlan {
  public:
    GraphPlan(std::shared_ptr<const Session> session, BuiltPlan built, std::vector<std::int64_t> ids,
              std::vector<Constant> constants = {});
    std::function<void()> bind(std::span<void* const> operands, void* workspace) const override;

  private:
    std::shared_ptr<const Session> session_;
    Descriptor plan_;
    std::vector<std::int64_t> ids_;
    mutable std::vector<Constant> constants_;  // the library wants addresses that it may write to
};

std::string version_text(std::size_t version);  // 91900 is "9.19.0"

}  // namespace cambium::gpu::dnn
