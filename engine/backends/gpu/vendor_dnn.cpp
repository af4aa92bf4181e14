// A convolution is a graph of one operation.
#include "engine/backends/gpu/vendor_dnn.h"

#include <array>

#include "engine/backends/gpu/vendor_graph.h"
#include "engine/base/fail.h"

namespace cambium::gpu {
namespace {

using dnn::Arithmetic, dnn::Axes, dnn::BuiltPlan, dnn::Descriptor, dnn::Functions, dnn::GraphPlan, dnn::Target;
using Direction = DnnConvolution::Direction;

enum Id : std::int64_t { x_id = 1, w_id, y_id };

// Axes are listed as [N, C, H, W] and [K, C, R, S] wherever they lie in memory, here with the second one innermost.
Descriptor image(const Functions& dnn, Id id, const Shape& shape, DType dtype) {
    const Axes sizes{shape[0], shape[3], shape[1], shape[2]};
    const Axes strides{shape[1] * shape[2] * shape[3], 1, shape[2] * shape[3], shape[3]};
    return dnn::tensor(dnn, id, sizes, strides, dtype);
}

Descriptor geometry(const Functions& dnn, const ops::Conv2d& conv) {
    const auto pair = [](const ops::Pair& values) { return std::array<std::int64_t, 2>{values[0], values[1]}; };
    const std::array<std::int64_t, 2> padding = pair(conv.padding), stride = pair(conv.stride),
                                      dilation = pair(conv.dilation);
    Descriptor result(dnn, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    result.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
        .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
        .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2})
        .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::span<const std::int64_t>(dilation))
        .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, std::span<const std::int64_t>(stride))
        .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, std::span<const std::int64_t>(padding))
        .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, std::span<const std::int64_t>(padding))
        .finalize();
    return result;
}

// The names of an operation's attributes, which each direction has for itself.
struct Names {
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t alpha, beta, conv, x, w, y;
};
Names names_of(Direction direction) {
    switch (direction) {
        case Direction::fprop:
            return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
        case Direction::dgrad:
            return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY};
        case Direction::wgrad:
            break;
    }
    return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY};
}

// Two operands and the result, in the order of Dnn::fastest().
std::array<Id, 3> ids_of(Direction direction) {
    switch (direction) {
        case Direction::fprop:
            return {x_id, w_id, y_id};
        case Direction::dgrad:
            return {y_id, w_id, x_id};
        case Direction::wgrad:
            break;
    }
    return {x_id, y_id, w_id};
}

std::vector<BuiltPlan> build_plans(const Functions& dnn, const DnnConvolution& c, const Target& target) {
    const Id result = ids_of(c.direction)[2];
    const auto make = [&](Id id, const Shape& shape) {
        return image(dnn, id, shape, id == result ? c.result : c.operands);
    };
    const Names names = names_of(c.direction);
    Descriptor operation(dnn, names.type);
    operation.set(names.alpha, 1.0f)
        .set(names.beta, 0.0f)
        .set(names.conv, geometry(dnn, c.conv))
        .set(names.x, make(x_id, c.x))
        .set(names.w, make(w_id, c.w))
        .set(names.y, make(y_id, c.y))
        .finalize();
    const bool exact = c.operands == DType::f32 && !c.tf32;
    return dnn::build_plans(dnn, dnn::graph_of(dnn, {&operation, 1}, target),
                            exact ? Arithmetic::exact : Arithmetic::tensor_cores, target);
}

}  // namespace

Dnn::Dnn() : session_(std::make_shared<dnn::Session>()) {}
Dnn::~Dnn() = default;

std::string Dnn::version() const { return dnn::version_text(session_->dnn.version()); }

std::unique_ptr<VendorPlan> Dnn::fastest(const DnnConvolution& c, Trial& trial, void* stream) {
    session_->start(stream);
    const std::array<Id, 3> ids = ids_of(c.direction);
    std::vector<std::unique_ptr<VendorPlan>> plans;
    for (BuiltPlan& built : build_plans(session_->dnn, c, {.handle = session_->handle})) {
        plans.push_back(
            std::make_unique<GraphPlan>(session_, std::move(built), std::vector<std::int64_t>(ids.begin(), ids.end())));
    }
    std::array<std::size_t, 3> bytes{};
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const Shape& shape = ids[i] == x_id ? c.x : ids[i] == w_id ? c.w : c.y;
        bytes[i] = TensorSpec{shape, i == 2 ? c.result : c.operands}.bytes();
    }
    return gpu::fastest(std::move(plans), bytes, trial);
}

#if CUDNN_VERSION >= 90800

std::vector<std::string> Dnn::engines(const DnnConvolution& convolution, const std::string& device_json) const {
    Descriptor device(session_->dnn, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    device.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, std::span<const char>(device_json)).finalize();
    std::vector<std::string> names;
    for (const BuiltPlan& built : build_plans(session_->dnn, convolution, {.described = &device}))
        names.push_back(built.name);
    return names;
}

#else

std::vector<std::string> Dnn::engines(const DnnConvolution&, const std::string&) const {
    fail("this build knows cuDNN {}, and describing a device takes 9.8", dnn::version_text(CUDNN_VERSION));
}

#endif

}  // namespace cambium::gpu
