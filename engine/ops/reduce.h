// Sums over axes and over whole sets of tensors. Results are f32 (or f64) whatever the inputs are stored in.
#pragma once

#include "engine/ops/common.h"

namespace cambium::ops {

// Input: x. Output: x summed over `axes` (ascending, non-negative), which vanish from the shape.
struct ReduceSum {
    static constexpr std::string_view name = "reduce_sum";
    std::vector<int> axes;
};

// The adjoint of ReduceSum. Input: x. Output: `shape`, with x repeated along `axes`.
struct Broadcast {
    static constexpr std::string_view name = "broadcast";
    Shape shape;
    std::vector<int> axes;
};

// Inputs: one or more tensors. Output: [], the Euclidean norm of all their elements together.
struct GlobalNorm {
    static constexpr std::string_view name = "global_norm";
};

CAMBIUM_OPERATOR(ReduceSum)
CAMBIUM_OPERATOR(Broadcast)
CAMBIUM_OPERATOR(GlobalNorm)

}  // namespace cambium::ops
