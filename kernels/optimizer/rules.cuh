// The rules of an element, and the loop that applies them: four elements a thread and iteration, each tensor by one
// access of 16 bytes, read, updated and written where it lies. SGD with momentum moves 20 bytes an element and AdamW
// 28, for a handful of operations: nothing counts but bytes.
#pragma once

#include "kernels/elementwise/loop.cuh"
#include "kernels/optimizer/optimizer.h"

namespace cambium::optimizer {

inline constexpr int kThreads = 256, kEach = 4;
using Four = elementwise::Values<kEach>;
using elementwise::Chunk;

// Infinity and NaN are the exponents of ones.
CAMBIUM_DEVICE bool is_finite(float x) { return (__float_as_uint(x) & 0x7f800000u) != 0x7f800000u; }

// What a thread knows of the step before it begins.
struct Step {
    bool good;
    float rate, scale, average_rate;
    float correction1, correction2;  // 1 / (1 - beta^step)
};

// An element on its way through a rule.
struct Element {
    float w, first, second;
};

struct SgdRule {
    float momentum;
    bool nesterov;

    static constexpr bool kSecond = false;
    CAMBIUM_DEVICE void prepare(Step&, const Scalars&) const {}
    CAMBIUM_DEVICE Element apply(const Step& s, Element e, float gradient, float excess, float decay) const {
        const float g = s.scale * gradient + decay * excess;
        e.first = momentum * e.first + g;
        e.w -= s.rate * (nesterov ? g + momentum * e.first : e.first);
        return e;
    }
};

struct AdamRule {
    float beta1, beta2, rest1, rest2;  // rest = 1 - beta
    float log_beta1, log_beta2;
    float epsilon;
    bool decoupled;

    static constexpr bool kSecond = true;
    // 1 - beta^step by expm1, which keeps its digits where beta^step is nearly 1.
    CAMBIUM_DEVICE void prepare(Step& s, const Scalars& scalars) const {
        const auto step = static_cast<float>(dev::load_nc(scalars.step));
        s.correction1 = -1.0f / expm1f(step * log_beta1);
        s.correction2 = -1.0f / expm1f(step * log_beta2);
    }
    CAMBIUM_DEVICE Element apply(const Step& s, Element e, float gradient, float excess, float decay) const {
        const float g = s.scale * gradient + (decoupled ? 0.0f : decay * excess);
        e.first = beta1 * e.first + rest1 * g;
        e.second = beta2 * e.second + rest2 * g * g;
        const float direction = e.first * s.correction1 / (sqrtf(e.second * s.correction2) + epsilon);
        e.w = (e.w - (decoupled ? s.rate * decay * excess : 0.0f)) - s.rate * direction;
        return e;
    }
};

template <class Rule>
CAMBIUM_DEVICE Step step_of(const Rule& rule, const Parameter& p, const Scalars& scalars) {
    Step s{};
    s.scale = dev::load_nc(scalars.scale);
    s.good = is_finite(s.scale);
    s.rate = p.rate_factor * dev::load_nc(scalars.rate);
    s.average_rate = p.average == nullptr ? 0.0f : dev::load_nc(scalars.average_rate);
    rule.prepare(s, scalars);
    return s;
}

CAMBIUM_DEVICE std::uintptr_t address(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

// Whether four elements of each tensor are one aligned access.
CAMBIUM_DEVICE bool has_vectors(const Parameter& p) {
    const std::uintptr_t all = address(p.w) | address(p.gradient) | address(p.first) | address(p.second) |
                               address(p.anchor) | address(p.new_w) | address(p.new_first) | address(p.new_second) |
                               address(p.average);
    return all % 16 == 0 && address(p.copy) % 8 == 0;
}

CAMBIUM_DEVICE Four load_or_zero(const float* x, const Chunk& chunk) {
    if (x != nullptr) return elementwise::load<kEach>(x, chunk);
    return Four{{0.0f, 0.0f, 0.0f, 0.0f}};
}
template <class T>
CAMBIUM_DEVICE void store_if_wanted(T* y, const Chunk& chunk, const Four& values) {
    if (y != nullptr) elementwise::store<kEach>(y, chunk, values);
}

template <class Rule>
CAMBIUM_DEVICE void update_chunk(const Rule& rule, const Step& s, const Parameter& p, const Chunk& chunk) {
    Four w = elementwise::load<kEach>(p.w, chunk);
    const Four gradient = elementwise::load<kEach>(p.gradient, chunk), anchor = load_or_zero(p.anchor, chunk);
    Four first = load_or_zero(p.first, chunk), second = {};
    if constexpr (Rule::kSecond) second = load_or_zero(p.second, chunk);
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
        const Element after = rule.apply(s, {w[i], first[i], second[i]}, gradient[i], w[i] - anchor[i], p.weight_decay);
        w[i] = s.good ? after.w : w[i];
        first[i] = s.good ? after.first : first[i];
        second[i] = s.good ? after.second : second[i];
    }
    store_if_wanted(p.new_w, chunk, w);
    store_if_wanted(p.new_first, chunk, first);
    if constexpr (Rule::kSecond) store_if_wanted(p.new_second, chunk, second);
    store_if_wanted(p.copy, chunk, w);
    if (p.average != nullptr && s.good) {
        Four average = elementwise::load<kEach>(p.average, chunk);
#pragma unroll
        for (int i = 0; i < kEach; ++i) average[i] += s.average_rate * (w[i] - average[i]);
        elementwise::store<kEach>(p.average, chunk, average);
    }
}

// Elements first, first + 1, ..., first + 3, then those `step` further, below end. `first` is a multiple of four.
template <class Rule>
CAMBIUM_DEVICE void update_elements(const Rule& rule, const Parameter& p, const Scalars& scalars, Variant variant,
                                    std::int64_t first, std::int64_t step, std::int64_t end) {
    const Step s = step_of(rule, p, scalars);
    const bool vectors = variant == Variant::tuned && has_vectors(p);
    for (; first < end; first += step) {
        const std::int64_t left = end - first;
        update_chunk(rule, s, p, {first, left < kEach ? static_cast<int>(left) : kEach, vectors && left >= kEach, 0});
    }
}

// One parameter, by the whole grid.
template <class Rule>
__global__ void __launch_bounds__(kThreads) update_one(Rule rule, Parameter p, Scalars scalars, Variant variant) {
    const std::int64_t thread = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    update_elements(rule, p, scalars, variant, thread * kEach, std::int64_t{gridDim.x} * blockDim.x * kEach, p.count);
}

// All parameters, a piece a block.
template <class Rule>
__global__ void __launch_bounds__(kThreads)
    update_many(Rule rule, const Parameter* parameters, const Piece* pieces, Scalars scalars, Variant variant) {
    const Piece piece = pieces[blockIdx.x];
    const Parameter p = parameters[piece.parameter];
    update_elements(rule, p, scalars, variant, piece.begin + std::int64_t{threadIdx.x} * kEach,
                    std::int64_t{blockDim.x} * kEach, piece.end);
}

// One thread.
__global__ void begin_kernel(Begin b, float max_norm) {
    const float norm = *b.norm, denominator = *b.denominator;
    const bool good = is_finite(norm) && is_finite(denominator) && denominator > 0.0f && is_finite(*b.loss);
    const float clip = max_norm > 0.0f ? fminf(1.0f, max_norm / (norm / denominator + 1e-6f)) : 1.0f;
    *b.scale = good ? clip / denominator : __uint_as_float(0x7fc00000u);
    if (b.attempts != nullptr) *b.attempts += 1;
    if (b.steps != nullptr && good) *b.steps += 1;
}

}  // namespace cambium::optimizer
