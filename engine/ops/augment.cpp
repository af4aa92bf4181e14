#include "engine/ops/augment.h"

#include "engine/ops/rules.h"

namespace cambium::ops {

std::vector<TensorSpec> infer(const Augment& op, Specs inputs) {
    require_inputs(inputs, 2, 2);
    std::vector<TensorSpec> outputs = infer(op.normalization, inputs.first(1));
    require(inputs[1].dtype == DType::f32 || inputs[1].dtype == DType::f64, "the table must be f32, not {}",
            name_of(inputs[1].dtype));
    require_shape(inputs[1], {inputs[0].shape[0], AugmentParameters::columns}, "the table");
    return outputs;
}
void differentiate(const Augment&, Backward& b) { b.none("images are integers, and their table is drawn"); }
// Of a row that changes nothing: what others cost is in the table.
double cost(const Augment& op, Specs inputs, Specs outputs) { return cost(op.normalization, inputs, outputs); }
std::string attributes(const Augment& op) {
    return fmt::format("{} fill={} contrast={}", attributes(op.normalization), list(op.fill),
                       op.contrast == Augment::Contrast::possible ? "possible" : "none");
}

}  // namespace cambium::ops
