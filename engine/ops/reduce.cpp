#include "engine/ops/reduce.h"

#include "engine/ops/rules.h"

namespace cambium::ops {
namespace {

Shape without_axes(const Shape& shape, const std::vector<int>& axes) {
    require(std::is_sorted(axes.begin(), axes.end()) && std::adjacent_find(axes.begin(), axes.end()) == axes.end() &&
                (axes.empty() || (axes.front() >= 0 && axes.back() < shape.rank())),
            "{} are not ascending axes of {}", list(axes), to_string(shape));
    std::vector<std::int64_t> kept;
    for (int axis = 0; axis < shape.rank(); ++axis) {
        if (std::find(axes.begin(), axes.end(), axis) == axes.end()) kept.push_back(shape[axis]);
    }
    return Shape(kept);
}

}  // namespace

std::vector<TensorSpec> infer(const ReduceSum& op, Specs inputs) {
    require_inputs(inputs, 1, 1);
    require_real(inputs[0], "the operand");
    return {{without_axes(inputs[0].shape, op.axes), accumulation(inputs[0].dtype)}};
}
void differentiate(const ReduceSum& op, Backward& b) { b.set(0, broadcast(b.gradient(), b.input(0).shape(), op.axes)); }
double cost(const ReduceSum&, Specs inputs, Specs) { return elements(inputs[0]); }
std::string attributes(const ReduceSum& op) { return fmt::format("axes={}", list(op.axes)); }

std::vector<TensorSpec> infer(const Broadcast& op, Specs inputs) {
    require_inputs(inputs, 1, 1);
    require_shape(inputs[0], without_axes(op.shape, op.axes), "the operand");
    return {{op.shape, inputs[0].dtype}};
}
void differentiate(const Broadcast& op, Backward& b) { b.set(0, reduce_sum(b.gradient(), op.axes)); }
double cost(const Broadcast&, Specs, Specs) { return 0; }
std::string attributes(const Broadcast& op) {
    return fmt::format("shape={} axes={}", to_string(op.shape), list(op.axes));
}

std::vector<TensorSpec> infer(const GlobalNorm&, Specs inputs) {
    require(!inputs.empty(), "a norm needs at least one tensor");
    DType dtype = DType::f32;
    for (const TensorSpec& spec : inputs) {
        require_real(spec, "an operand");
        if (spec.dtype == DType::f64) dtype = DType::f64;
    }
    return {{Shape{}, dtype}};
}
void differentiate(const GlobalNorm&, Backward& b) { b.none("it serves clipping, which is not trained through"); }
double cost(const GlobalNorm&, Specs inputs, Specs) {
    double total = 0;
    for (const TensorSpec& spec : inputs) total += 2 * elements(spec);
    return total;
}
std::string attributes(const GlobalNorm&) { return ""; }

}  // namespace cambium::ops
