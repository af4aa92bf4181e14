// What every operator family shares: the specs its rules read, the cost it reports and the context of a gradient rule.
//
// An operator is a plain struct of attributes. Four overload sets give it meaning, so the compiler names whatever a new
// operator still lacks:
//   infer(op, inputs)          shapes and dtypes of the outputs; throws Error naming operator and operands if they
//   don't fit differentiate(op, b)       appends the nodes that compute the gradients of the inputs (ops with none:
//   `b.none()`) cost(op, inputs, outputs)  floating-point operations, counting a multiply-add as two attributes(op)
//   "stride=2x2 padding=1x1", for people and as part of keys: equal text <=> equal attributes
// Reals are traced as f32; compiling for another precision changes their dtype, never the structure.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor/tensor.h"

namespace cambium {

class Backward;  // engine/graph/gradients.h

namespace ops {

using Specs = std::span<const TensorSpec>;
using Pair = std::array<std::int64_t, 2>;  // {height, width}

}  // namespace ops
}  // namespace cambium

// Declares the overload sets for one operator.
#define CAMBIUM_OPERATOR(OP)                                   \
    std::vector<TensorSpec> infer(const OP& op, Specs inputs); \
    void differentiate(const OP& op, Backward& b);             \
    double cost(const OP& op, Specs inputs, Specs outputs);    \
    std::string attributes(const OP& op);
