// Batch normalisation (Ioffe & Szegedy 2015). Training mode normalises by the batch's own moments. Evaluation and
// frozen mode are a ScaleShift by constants, which BatchNormScale and BatchNormShift compute from the Store once, not
// in each run; folding then needs nothing but ScaleFilter.
#pragma once

#include "engine/ops/common.h"

namespace cambium::ops {

// Inputs: x [..., C], gamma [C], beta [C]. Outputs: y, mean [C], variance [C] (biased: divided by the count M of values
// per channel). y = gamma (x - mean) / sqrt(variance + epsilon) + beta. Throws Error where M = 1. The moments are f32
// (or f64).
struct BatchNorm {
    static constexpr std::string_view name = "batch_norm";
    double epsilon = 1e-5;
};

// Inputs: dy, x, gamma, mean, variance. Outputs: dx, dgamma [C], dbeta [C].
struct BatchNormGradient {
    static constexpr std::string_view name = "batch_norm_gradient";
    double epsilon = 1e-5;
};

// Inputs: gamma [C], variance [C]. Output: gamma / sqrt(variance + epsilon).
struct BatchNormScale {
    static constexpr std::string_view name = "batch_norm_scale";
    double epsilon = 1e-5;
};

// Inputs: beta [C], mean [C], scale [C]. Output: beta - mean * scale.
struct BatchNormShift {
    static constexpr std::string_view name = "batch_norm_shift";
};

// Inputs: w [K, ...], scale [K]. Output: w with its k-th slice multiplied by scale[k].
struct ScaleFilter {
    static constexpr std::string_view name = "scale_filter";
};

CAMBIUM_OPERATOR(BatchNorm)
CAMBIUM_OPERATOR(BatchNormGradient)
CAMBIUM_OPERATOR(BatchNormScale)
CAMBIUM_OPERATOR(BatchNormShift)
CAMBIUM_OPERATOR(ScaleFilter)

}  // namespace cambium::ops
