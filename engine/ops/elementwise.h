// Element by element, or channel by channel along the last axis.
#pragma once

#include "engine/ops/common.h"

namespace cambium::ops {

// Input: x. Output: the same elements as `dtype`; reals round to nearest even.
struct Convert {
    static constexpr std::string_view name = "convert";
    DType dtype = DType::f32;
};

enum class ChannelOrder : std::uint8_t { rgb, bgr };

// Input: images u8 [N, H, W, 3] in RGB order. Output: f32 [N, H, W, 3], y[c] = scale[c] * x[channel c of `order`] +
// shift[c].
struct Normalize {
    static constexpr std::string_view name = "normalize";
    std::array<float, 3> scale{1, 1, 1}, shift{0, 0, 0};
    ChannelOrder order = ChannelOrder::rgb;
};

// Inputs: a, b of one shape. Output: a + b.
struct Add {
    static constexpr std::string_view name = "add";
};

// Inputs: a, b of one shape. Output: a * b.
struct Multiply {
    static constexpr std::string_view name = "multiply";
};

// Input: x. Output: factor * x.
struct Scale {
    static constexpr std::string_view name = "scale";
    double factor = 1;
};

// Inputs: a, b of one shape, t []. Output: a + t (b - a).
struct Lerp {
    static constexpr std::string_view name = "lerp";
};

// Inputs: x [..., C], bias [C]. Output: x + bias.
struct AddBias {
    static constexpr std::string_view name = "add_bias";
};

// Inputs: x [..., C], scale [C], and optionally shift [C]. Output: scale * x + shift.
struct ScaleShift {
    static constexpr std::string_view name = "scale_shift";
};

// Inputs: a, b [..., C]. Output: [C], the sum of a * b over all axes but the last; always f32 (or f64).
struct ChannelDot {
    static constexpr std::string_view name = "channel_dot";
};

struct Relu {
    static constexpr std::string_view name = "relu";
};

// Inputs: dy, y (what relu gave). Output: dy where y > 0, else 0.
struct ReluGradient {
    static constexpr std::string_view name = "relu_gradient";
};

// Input: x. Output: x Phi(x), where Phi(x) = (1 + erf(x / sqrt 2)) / 2 is the normal distribution (Hendrycks & Gimpel
// 2016, the exact form).
struct Gelu {
    static constexpr std::string_view name = "gelu";
};

// Inputs: dy, x (what gelu was given). Output: dy (Phi(x) + x phi(x)), phi(x) = exp(-x^2 / 2) / sqrt(2 pi).
struct GeluGradient {
    static constexpr std::string_view name = "gelu_gradient";
};

// Inverted dropout (Srivastava et al. 2014). Inputs: x, step i32 []. Output: x / (1 - rate) where kept, else 0. Element
// i is kept if uniform01(word i % 4 of Philox(seed, hash_name(layer))(i / 4, step)) >= rate, so its own gradient is the
// same operator applied to dy.
struct Dropout {
    static constexpr std::string_view name = "dropout";
    double rate = 0.5;
    std::uint32_t seed = 0;
    std::string layer;
};

// Inputs: kept, fresh (of one shape and dtype), condition []. Output: fresh where the condition is finite, else kept: a
// bad loss or gradient norm changes nothing.
struct Guard {
    static constexpr std::string_view name = "guard";
};

// Input: x i32 []. Output: x + 1.
struct Increment {
    static constexpr std::string_view name = "increment";
};

CAMBIUM_OPERATOR(Convert)
CAMBIUM_OPERATOR(Normalize)
CAMBIUM_OPERATOR(Add)
CAMBIUM_OPERATOR(Multiply)
CAMBIUM_OPERATOR(Scale)
CAMBIUM_OPERATOR(Lerp)
CAMBIUM_OPERATOR(AddBias)
CAMBIUM_OPERATOR(ScaleShift)
CAMBIUM_OPERATOR(ChannelDot)
CAMBIUM_OPERATOR(Relu)
CAMBIUM_OPERATOR(ReluGradient)
CAMBIUM_OPERATOR(Gelu)
CAMBIUM_OPERATOR(GeluGradient)
CAMBIUM_OPERATOR(Dropout)
CAMBIUM_OPERATOR(Guard)
CAMBIUM_OPERATOR(Increment)

}  // namespace cambium::ops
