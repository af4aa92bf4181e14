// Element by element on f32: simple loops that the compiler vectorises. `ivdep` says what callers promise: an output is
// either the very memory of an input or does not overlap it.
#include <cmath>

#include "engine/backends/cpu/kernels.h"
#include "engine/backends/cpu/simd.h"
#include "engine/backends/cpu/vector_math.h"
#include "engine/base/philox.h"

namespace cambium::cpu::CAMBIUM_ISA {
namespace {

using i64 = std::int64_t;

void widen(const bf16* x, float* y, i64 n) {
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) y[i] = bits::bf16_to_float(x[i].raw);
}

// As bits::float_to_bf16, without its branch.
void narrow(const float* x, bf16* y, i64 n) {
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) {
        const std::uint32_t u = bits::of(x[i]);
        const std::uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
        const std::uint32_t quiet = (u >> 16) | 0x40u;
        y[i].raw = static_cast<std::uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
    }
}

void add(const float* a, const float* b, float* y, i64 n) {
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

void multiply(const float* a, const float* b, float* y, i64 n) {
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) y[i] = a[i] * b[i];
}

void scale(const float* x, float factor, float* y, i64 n) {
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) y[i] = factor * x[i];
}

void lerp(const float* a, const float* b, float t, float* y, i64 n) {
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) y[i] = a[i] + t * (b[i] - a[i]);
}

// NaN passes, so that a diverged network is seen as one.
void relu(const float* x, float* y, i64 n) {
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) y[i] = x[i] <= 0.0f ? 0.0f : x[i];
}

void relu_gradient(const float* dy, const float* y, float* dx, i64 n) {
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

void gelu(const float* x, float* y, i64 n) {
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) y[i] = x[i] * normal_distribution(x[i]).below;
}

void gelu_gradient(const float* dy, const float* x, float* dx, i64 n) {
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) {
        const Normal normal = normal_distribution(x[i]);
        dx[i] = dy[i] * (normal.below + x[i] * normal.density);
    }
}

void dropout(const float* x, float* y, i64 first, i64 n, const DropoutDraw& draw) {
    const Philox philox(draw.seed, draw.stream);
    for (i64 i = 0; i < n;) {
        const i64 element = first + i;
        const Philox::Block block = philox(static_cast<std::uint64_t>(element / 4), draw.step);
        for (i64 word = element % 4; word < 4 && i < n; ++word, ++i) {
            y[i] = uniform01(block.word[word]) >= draw.rate ? x[i] * draw.factor : 0.0f;
        }
    }
}

void normalize(const std::uint8_t* x, float* y, i64 pixels, const float* factor, const float* shift,
               const int* channels) {
    for (i64 i = 0; i < pixels; ++i) {
        for (int c = 0; c < 3; ++c) y[3 * i + c] = factor[c] * static_cast<float>(x[3 * i + channels[c]]) + shift[c];
    }
}

void sgd(const float* w, const float* g, const float* b, float* w_out, float* b_out, i64 n, const SgdStep& step) {
    const SgdStep s = step;
    if (b == nullptr) {
#pragma GCC ivdep
        for (i64 i = 0; i < n; ++i) w_out[i] = w[i] - s.rate * (s.scale * g[i] + s.weight_decay * w[i]);
        return;
    }
    const float keep = s.nesterov ? 1.0f : 0.0f, from_buffer = s.nesterov ? s.momentum : 1.0f;
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) {
        const float gradient = s.scale * g[i] + s.weight_decay * w[i];
        const float buffer = s.momentum * b[i] + gradient;
        const float weight = w[i] - s.rate * (keep * gradient + from_buffer * buffer);
        b_out[i] = buffer;
        w_out[i] = weight;
    }
}

void adam(const float* w, const float* g, const float* m, const float* v, float* w_out, float* m_out, float* v_out,
          i64 n, const AdamStep& step) {
    const AdamStep s = step;
    const float coupled = s.decoupled ? 0.0f : s.weight_decay;
    const float shrink = s.decoupled ? s.rate * s.weight_decay : 0.0f;
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) {
        const float gradient = s.scale * g[i] + coupled * w[i];
        const float first = s.beta1 * m[i] + s.rest1 * gradient;
        const float second = s.beta2 * v[i] + s.rest2 * gradient * gradient;
        const float direction = first * s.correction1 / (std::sqrt(second * s.correction2) + s.epsilon);
        w_out[i] = (w[i] - shrink * w[i]) - s.rate * direction;
        m_out[i] = first;
        v_out[i] = second;
    }
}

double total(Doubles v) {
    double sum = 0;
    for (int lane = 0; lane < wide_lanes; ++lane) sum += v[lane];
    return sum;
}

double sum(const float* x, i64 n) {
    Doubles even{}, odd{};
    i64 i = 0;
    for (; i + 2 * wide_lanes <= n; i += 2 * wide_lanes) {
        even += load_wide(x + i);
        odd += load_wide(x + i + wide_lanes);
    }
    double result = total(even + odd);
    for (; i < n; ++i) result += static_cast<double>(x[i]);
    return result;
}

double sum_of_squares(const float* x, i64 n) {
    Doubles even{}, odd{};
    i64 i = 0;
    for (; i + 2 * wide_lanes <= n; i += 2 * wide_lanes) {
        const Doubles a = load_wide(x + i), b = load_wide(x + i + wide_lanes);
        even += a * a;
        odd += b * b;
    }
    double result = total(even + odd);
    for (; i < n; ++i) result += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return result;
}

}  // namespace

const ElementwiseKernels elementwise_table{
    .widen = widen,
    .narrow = narrow,
    .add = add,
    .multiply = multiply,
    .scale = scale,
    .lerp = lerp,
    .relu = relu,
    .relu_gradient = relu_gradient,
    .gelu = gelu,
    .gelu_gradient = gelu_gradient,
    .dropout = dropout,
    .normalize = normalize,
    .sgd = sgd,
    .adam = adam,
    .sum = sum,
    .sum_of_squares = sum_of_squares,
};

}  // namespace cambium::cpu::CAMBIUM_ISA
