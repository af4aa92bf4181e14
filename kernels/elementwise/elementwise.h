// Operators that compute element by element, or channel by channel along the last axis: the host's side. All are the
// same loop with another function of one element (loop.cuh, functions.cuh). Whatever is read is as large as what is
// written, so that nothing counts but bytes: every element is touched once, 16 bytes an access where alignment allows.
//
// Tensors are dense, f32 or bf16; arithmetic is f32, a bf16 result rounds once. y may be the same tensor as any input
// of its shape and type; every other overlap is an error that is not noticed. Nothing is launched where there are no
// elements. All throw UsageError, before anything is launched, where a dtype, a size or a pointer makes no sense.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/base/dtype.h"
#include "kernels/gpu/launch.h"

namespace cambium::elementwise {

enum class Variant : std::uint8_t {
    plain,  // the same loop, an element an access: what vector accesses are judged against
    tuned,  // 16 bytes an access
};

struct Elements {
    std::int64_t count = 0;
    DType dtype = DType::f32;  // of x, a, b and y
    Variant variant = Variant::tuned;
};

// y = x as another type. From f32, bf16, i32 or u8 to f32, and from f32 to bf16.
struct Conversion {
    std::int64_t count = 0;
    DType from = DType::f32, to = DType::f32;
    Variant variant = Variant::tuned;
};
void convert(const Conversion& conversion, const void* x, void* y, dev::Stream& stream);

enum class Unary : std::uint8_t {
    relu,  // max(x, 0); NaN stays NaN
    gelu,  // x Phi(x), Phi(x) = (1 + erf(x / sqrt 2)) / 2 (Hendrycks & Gimpel 2016, the exact form)
};
void unary(Unary function, const Elements& e, const void* x, void* y, dev::Stream& stream);

enum class Binary : std::uint8_t {
    add,            // a + b
    multiply,       // a * b
    relu_gradient,  // a where b > 0, else 0: dy and what relu gave
    gelu_gradient,  // a (Phi(b) + b phi(b)), phi(b) = exp(-b^2 / 2) / sqrt(2 pi): dy and what gelu was given
};
void binary(Binary function, const Elements& e, const void* a, const void* b, void* y, dev::Stream& stream);

// y = factor * x.
void scale(const Elements& e, const void* x, float factor, void* y, dev::Stream& stream);

// y = a + t (b - a). t: f32 [] on the device. Only f32.
void lerp(const Elements& e, const void* a, const void* b, const float* t, void* y, dev::Stream& stream);

// x, y: [..., channels]; vectors: f32 [channels].
void add_bias(const Elements& e, std::int64_t channels, const void* x, const float* bias, void* y, dev::Stream& stream);

// y = scale * x + shift; without a shift (null), y = scale * x.
void scale_shift(const Elements& e, std::int64_t channels, const void* x, const float* scale, const float* shift,
                 void* y, dev::Stream& stream);

// Inverted dropout (Srivastava et al. 2014): y = x / (1 - rate) where kept, else 0. Element i is kept if
// uniform01(word i % 4 of Philox(seed, stream)(i / 4, step)) >= rate (engine/base/philox.h): the bits that the engine's
// CPU backend draws. step: i32 [] on the device.
struct Dropout {
    double rate = 0.5;  // in [0, 1)
    std::uint32_t seed = 0, stream = 0;
};
void dropout(const Dropout& draw, const Elements& e, const void* x, const std::int32_t* step, void* y,
             dev::Stream& stream);

enum class ChannelOrder : std::uint8_t { rgb, bgr };
// pixels: u8 [count / 3, 3] in RGB order; y: [count / 3, 3] of e.dtype, y[c] = scale[c] * pixels[channel c of `order`]
// + shift[c].
struct Normalization {
    std::array<float, 3> scale{1, 1, 1}, shift{0, 0, 0};
    ChannelOrder order = ChannelOrder::rgb;
};
void normalize(const Normalization& normalization, const Elements& e, const std::uint8_t* pixels, void* y,
               dev::Stream& stream);

// y = fresh where condition is finite, else kept: `bytes` of them, of any type. condition: f32 [] on the device.
void guard(std::int64_t bytes, const void* kept, const void* fresh, const float* condition, void* y,
           dev::Stream& stream);

// *y = *x + 1, which may be one place. A single thread: there is nothing to tune.
void increment(const std::int32_t* x, std::int32_t* y, dev::Stream& stream);

}  // namespace cambium::elementwise
