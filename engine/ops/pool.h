// Pooling over NHWC images; output extents and padding as in PyTorch.
#pragma once

#include "engine/ops/common.h"

namespace cambium::ops {

enum class Rounding : std::uint8_t { floor, ceil };

// Windows of `kernel` every `stride`. With Rounding::ceil a last, partial window is added if it starts inside the image
// or its leading padding.
struct Window {
    Pair kernel{2, 2}, stride{2, 2}, padding{0, 0};
    Rounding rounding = Rounding::floor;
};

// Input: x [N, H, W, C]. Outputs: y [N, P, Q, C], and index u8 of that shape: the position r * kernel width + s of the
// first maximum in its window, rows first (kernels have at most 255 positions). Padding never wins; NaN does.
struct MaxPool2d {
    static constexpr std::string_view name = "max_pool2d";
    Window window;
};

// Inputs: dy, index. Output: dx, of shape `input`.
struct MaxPool2dGradient {
    static constexpr std::string_view name = "max_pool2d_gradient";
    Window window;
    Shape input;
};

enum class Padding : std::uint8_t { counted, ignored };

// Input: x [N, H, W, C]. Output: [N, P, Q, C], the mean over each window; with Padding::counted (PyTorch's default)
// padded zeros count in the divisor, except positions beyond the padding that only Rounding::ceil added.
struct AvgPool2d {
    static constexpr std::string_view name = "avg_pool2d";
    Window window;
    Padding padding = Padding::counted;
};

// Input: dy. Output: dx, of shape `input`.
struct AvgPool2dGradient {
    static constexpr std::string_view name = "avg_pool2d_gradient";
    Window window;
    Padding padding = Padding::counted;
    Shape input;
};

// Input: x [N, H, W, C]. Output: [N, P, Q, C] with {P, Q} = output; cell p averages rows floor(p H / P) to
// ceil((p + 1) H / P) - 1. {1, 1} is global average pooling.
struct AdaptiveAvgPool2d {
    static constexpr std::string_view name = "adaptive_avg_pool2d";
    Pair output{1, 1};
};

// Input: dy. Output: dx, of shape `input`.
struct AdaptiveAvgPool2dGradient {
    static constexpr std::string_view name = "adaptive_avg_pool2d_gradient";
    Shape input;
};

CAMBIUM_OPERATOR(MaxPool2d)
CAMBIUM_OPERATOR(MaxPool2dGradient)
CAMBIUM_OPERATOR(AvgPool2d)
CAMBIUM_OPERATOR(AvgPool2dGradient)
CAMBIUM_OPERATOR(AdaptiveAvgPool2d)
CAMBIUM_OPERATOR(AdaptiveAvgPool2dGradient)

}  // namespace cambium::ops
