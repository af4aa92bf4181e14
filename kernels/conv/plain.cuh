// The plain convolution, to be right at a glance: a thread computes one element of the result as the sum that defines
// it. It is also what depthwise convolutions run through, for their products are too narrow for tiles.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/gemm/epilogue.cuh"

namespace cambium::conv {

inline constexpr int kPlainThreads = 256;

// As Sizes, with what a kernel would have to compute.
struct PlainSizes {
    int n, h, w, c, k, r, s, p, q;
    int stride[2], padding[2], dilation[2];
    int group_c, group_k;
};

// Element `first` of the last axis of a tensor's position `position`: a tensor may have more elements than an int
// counts.
CAMBIUM_DEVICE std::int64_t element(int position, int channels, int first) {
    return static_cast<std::int64_t>(position) * channels + first;
}

template <Math math, class T>
CAMBIUM_DEVICE float operand(T element) {
    const float x = static_cast<float>(element);
    if constexpr (math == Math::tf32) return __uint_as_float(dev::round_to_tf32(__float_as_uint(x)));
    return x;
}

CAMBIUM_DEVICE void store_sum(const gemm::Problem& result, void* d, std::int64_t row, std::int64_t column, float sum) {
    if (result.output == Output::f32) {
        gemm::store_element<float>(result, d, {row, column, column + 1}, sum);
    } else {
        gemm::store_element<bf16>(result, d, {row, column, column + 1}, sum);
    }
}

// y[n, p, q, k]
template <Math math, class T>
CAMBIUM_DEVICE float fprop_sum(const T* x, const T* w, const PlainSizes& z, int n, int p, int q, int k) {
    const int first_c = k / z.group_k * z.group_c;
    float sum = 0.0f;
    for (int r = 0; r < z.r; ++r) {
        const int line = p * z.stride[0] - z.padding[0] + r * z.dilation[0];
        if (line < 0 || line >= z.h) continue;
        for (int s = 0; s < z.s; ++s) {
            const int column = q * z.stride[1] - z.padding[1] + s * z.dilation[1];
            if (column < 0 || column >= z.w) continue;
            const T* pixel = x + element((n * z.h + line) * z.w + column, z.c, first_c);
            const T* tap = w + element((k * z.r + r) * z.s + s, z.group_c, 0);
            for (int c = 0; c < z.group_c; ++c) sum += operand<math>(pixel[c]) * operand<math>(tap[c]);
        }
    }
    return sum;
}

// dx[n, h, w, c]
template <Math math, class T>
CAMBIUM_DEVICE float dgrad_sum(const T* dy, const T* filter, const PlainSizes& z, int n, int h, int w, int c) {
    const int group = c / z.group_c, c_of_group = c % z.group_c;
    float sum = 0.0f;
    for (int r = 0; r < z.r; ++r) {
        const int from_top = h + z.padding[0] - r * z.dilation[0], p = from_top / z.stride[0];
        if (from_top < 0 || from_top % z.stride[0] != 0 || p >= z.p) continue;
        for (int s = 0; s < z.s; ++s) {
            const int from_left = w + z.padding[1] - s * z.dilation[1], q = from_left / z.stride[1];
            if (from_left < 0 || from_left % z.stride[1] != 0 || q >= z.q) continue;
            const T* gradient = dy + element((n * z.p + p) * z.q + q, z.k, 0);
            for (int k = group * z.group_k; k < (group + 1) * z.group_k; ++k) {
                sum += operand<math>(gradient[k]) *
                       operand<math>(filter[element((k * z.r + r) * z.s + s, z.group_c, c_of_group)]);
            }
        }
    }
    return sum;
}

// dw[k, r, s, c]
template <Math math, class T>
CAMBIUM_DEVICE float wgrad_sum(const T* x, const T* dy, const PlainSizes& z, int k, int r, int s, int c) {
    const int channel = k / z.group_k * z.group_c + c;
    float sum = 0.0f;
    for (int n = 0; n < z.n; ++n) {
        for (int p = 0; p < z.p; ++p) {
            const int line = p * z.stride[0] - z.padding[0] + r * z.dilation[0];
            if (line < 0 || line >= z.h) continue;
            for (int q = 0; q < z.q; ++q) {
                const int column = q * z.stride[1] - z.padding[1] + s * z.dilation[1];
                if (column < 0 || column >= z.w) continue;
                sum += operand<math>(x[element((n * z.h + line) * z.w + column, z.c, channel)]) *
                       operand<math>(dy[element((n * z.p + p) * z.q + q, z.k, k)]);
            }
        }
    }
    return sum;
}

template <Direction direction, Math math, class T>
__global__ void __launch_bounds__(kPlainThreads)
    plain(const T* first, const T* second, void* d, PlainSizes z, gemm::Problem result) {
    const std::int64_t number = std::int64_t{blockIdx.x} * kPlainThreads + threadIdx.x;
    if (number >= result.m * result.n) return;
    const int columns = static_cast<int>(result.n);
    const int row = static_cast<int>(number / columns), column = static_cast<int>(number - element(row, columns, 0));
    float sum = 0.0f;
    if constexpr (direction == Direction::fprop) {
        sum = fprop_sum<math>(first, second, z, row / (z.p * z.q), row / z.q % z.p, row % z.q, column);
    } else if constexpr (direction == Direction::dgrad) {
        sum = dgrad_sum<math>(first, second, z, row / (z.h * z.w), row / z.w % z.h, row % z.w, column);
    } else {
        sum = wgrad_sum<math>(first, second, z, row, column / (z.s * z.group_c), column / z.group_c % z.s,
                              column % z.group_c);
    }
    store_sum(result, d, row, column, sum);
}

}  // namespace cambium::conv
