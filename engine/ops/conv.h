// 2-D convolution (cross-correlation, as every framework means it) and its two gradients. Images are NHWC, filters
// KRSC: K output channels, R x S positions, C / groups input channels.
#pragma once

#include "engine/ops/common.h"

namespace cambium::ops {

struct Conv2d {
    static constexpr std::string_view name = "conv2d";
    Pair stride{1, 1}, padding{0, 0}, dilation{1, 1};
    std::int64_t groups = 1;
};
// Inputs: x [N, H, W, C], w [K, R, S, C / groups]. Output: y [N, P, Q, K] with
// P = floor((H + 2 padding - dilation (R - 1) - 1) / stride) + 1, Q likewise.

// dgrad. Inputs: dy [N, P, Q, K], w. Output: dx [N, H, W, C], of shape `input`.
struct Conv2dInputGradient {
    static constexpr std::string_view name = "conv2d_input_gradient";
    Conv2d conv;
    Shape input;
};

// wgrad. Inputs: x, dy. Output: dw, of shape `filter`; always f32 (or f64), as it feeds the optimizer.
struct Conv2dFilterGradient {
    static constexpr std::string_view name = "conv2d_filter_gradient";
    Conv2d conv;
    Shape filter;
};

CAMBIUM_OPERATOR(Conv2d)
CAMBIUM_OPERATOR(Conv2dInputGradient)
CAMBIUM_OPERATOR(Conv2dFilterGradient)

}  // namespace cambium::ops
