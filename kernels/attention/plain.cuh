// The plain kernels: a thread per query, or per key, which reads what it needs from device memory again and again.
// Operands of products have the precision that they have on tensor cores: the weights too are rounded to bf16 or tf32.
#pragma once

#include "kernels/attention/sequence.cuh"
#include "kernels/gemm/gemm.h"

namespace cambium::attention {

using gemm::Math;

inline constexpr int kPlainThreads = 64;

template <Math math>
using PlainElement = std::conditional_t<math == Math::bf16, bf16, float>;

// x as an operand of a product.
template <Math math>
CAMBIUM_DEVICE float operand(float x) {
    if constexpr (math == Math::tf32) return __uint_as_float(dev::round_to_tf32(__float_as_uint(x)));
    if constexpr (math == Math::bf16) return static_cast<float>(bf16(x));
    return x;
}

template <Math math, class T>
CAMBIUM_DEVICE float dot(const T* a, const T* b, std::int64_t count) {
    float sum = 0;
    for (std::int64_t d = 0; d < count; ++d)
        sum += operand<math>(static_cast<float>(a[d])) * operand<math>(static_cast<float>(b[d]));
    return sum;
}

template <class T>
CAMBIUM_DEVICE void store_scaled(T* target, const float* sums, float factor, std::int64_t count) {
    for (std::int64_t d = 0; d < count; ++d) target[d] = T(factor * sums[d]);
}

template <Math math, class T>
CAMBIUM_DEVICE void add_scaled(float* sums, float factor, const T* x, std::int64_t count) {
    const float rounded = operand<math>(factor);
    for (std::int64_t d = 0; d < count; ++d) sums[d] += rounded * operand<math>(static_cast<float>(x[d]));
}

// The thread's token, counted over all heads.
CAMBIUM_DEVICE std::int64_t thread_token() {
    return static_cast<std::int64_t>(blockIdx.x) * kPlainThreads + static_cast<std::int64_t>(threadIdx.x);
}

template <Math math, class T = PlainElement<math>>
__global__ void attention_plain(const T* qkv, const std::int32_t* count, T* y, float* lse, Extents e) {
    const std::int64_t token = thread_token();
    if (token >= e.N * e.H * e.L) return;
    const Head head = head_of(e, count, token / e.L);
    const std::int64_t i = token % e.L, keys = attended(e, head, i);
    const T* q = qkv + head.qkv(e, Part::query, i);
    float largest = -INFINITY, total = 0, sums[kMostSize] = {};
    for (std::int64_t j = 0; j < keys; ++j)
        largest = fmaxf(largest, e.scale * dot<math>(q, qkv + head.qkv(e, Part::key, j), e.D));
    for (std::int64_t j = 0; j < keys; ++j) {
        const float p = expf(e.scale * dot<math>(q, qkv + head.qkv(e, Part::key, j), e.D) - largest);
        total += p;
        add_scaled<math>(sums, p, qkv + head.qkv(e, Part::value, j), e.D);
    }
    store_scaled(y + head.y(e, i), sums, keys == 0 ? 0.0f : 1 / total, e.D);
    if (lse != nullptr) lse[head.lse(e, i)] = keys == 0 ? 0.0f : largest + logf(total);
}

// A thread per query: the first pass of both variants. delta [N, H, L].
template <class T>
__global__ void attention_delta_plain(const T* dy, const T* y, float* delta, Extents e) {
    const std::int64_t token = thread_token();
    if (token >= e.N * e.H * e.L) return;
    const Head head = head_of(e, nullptr, token / e.L);
    const std::int64_t at = head.y(e, token % e.L);
    delta[token] = dot<Math::f32>(dy + at, y + at, e.D);
}

// A thread per query.
template <Math math, class T = PlainElement<math>>
__global__ void attention_query_gradient_plain(const T* dy, const T* qkv, const float* lse, const float* delta,
                                               const std::int32_t* count, T* dqkv, Extents e) {
    const std::int64_t token = thread_token();
    if (token >= e.N * e.H * e.L) return;
    const Head head = head_of(e, count, token / e.L);
    const std::int64_t i = token % e.L, keys = attended(e, head, i);
    const T *q = qkv + head.qkv(e, Part::query, i), *dy_i = dy + head.y(e, i);
    float sums[kMostSize] = {};
    for (std::int64_t j = 0; j < keys; ++j) {
        const T* k = qkv + head.qkv(e, Part::key, j);
        const float p = expf(e.scale * dot<math>(q, k, e.D) - lse[token]);
        add_scaled<math>(sums, p * (dot<math>(dy_i, qkv + head.qkv(e, Part::value, j), e.D) - delta[token]), k, e.D);
    }
    store_scaled(dqkv + head.qkv(e, Part::query, i), sums, e.scale, e.D);
}

// A thread per key: its own gradient and its value's.
template <Math math, class T = PlainElement<math>>
__global__ void attention_key_gradient_plain(const T* dy, const T* qkv, const float* lse, const float* delta,
                                             const std::int32_t* count, T* dqkv, Extents e) {
    const std::int64_t token = thread_token();
    if (token >= e.N * e.H * e.L) return;
    const Head head = head_of(e, count, token / e.L);
    const std::int64_t j = token % e.L, first = e.causal ? j : 0;
    const T *k = qkv + head.qkv(e, Part::key, j), *v = qkv + head.qkv(e, Part::value, j);
    float dk[kMostSize] = {}, dv[kMostSize] = {};
    for (std::int64_t i = first; j < head.present && i < head.present; ++i) {
        const T *q = qkv + head.qkv(e, Part::query, i), *dy_i = dy + head.y(e, i);
        const float p = expf(e.scale * dot<math>(q, k, e.D) - lse[head.lse(e, i)]);
        add_scaled<math>(dv, p, dy_i, e.D);
        add_scaled<math>(dk, p * (dot<math>(dy_i, v, e.D) - delta[head.lse(e, i)]), q, e.D);
    }
    store_scaled(dqkv + head.qkv(e, Part::key, j), dk, e.scale, e.D);
    store_scaled(dqkv + head.qkv(e, Part::value, j), dv, 1.0f, e.D);
}

}  // namespace cambium::attention
