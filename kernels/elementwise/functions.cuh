// The functions of one element, and the three kernels that need more than their operands' values: which element it is
// (dropout, normalize), or which of two tensors is meant (guard).
#pragma once

#include "engine/base/philox.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/loop.cuh"

namespace cambium::elementwise {

struct Identity {
    CAMBIUM_DEVICE float operator()(float x) const { return x; }
};
struct Relu {
    CAMBIUM_DEVICE float operator()(float x) const { return x < 0.0f ? 0.0f : x; }
};

CAMBIUM_DEVICE float normal_distribution(float x) { return 0.5f * (1.0f + erff(x * 0.70710678118654752f)); }

struct Gelu {
    CAMBIUM_DEVICE float operator()(float x) const { return x * normal_distribution(x); }
};
struct GeluGradient {
    CAMBIUM_DEVICE float operator()(float dy, float x) const {
        const float density = 0.39894228040143268f * expf(-0.5f * x * x);
        return dy * (normal_distribution(x) + x * density);
    }
};
struct ReluGradient {
    CAMBIUM_DEVICE float operator()(float dy, float y) const { return y > 0.0f ? dy : 0.0f; }
};
struct Add {
    CAMBIUM_DEVICE float operator()(float a, float b) const { return a + b; }
};
struct Multiply {
    CAMBIUM_DEVICE float operator()(float a, float b) const { return a * b; }
};
struct ScaleShift {
    CAMBIUM_DEVICE float operator()(float x, float scale, float shift) const { return scale * x + shift; }
};
struct Lerp {
    CAMBIUM_DEVICE float operator()(float a, float b, float t) const { return a + t * (b - a); }
};
struct Scale {
    float factor;
    CAMBIUM_DEVICE float operator()(float x) const { return factor * x; }
};

struct Draw {
    std::uint32_t seed, stream;
    float rate, factor;
};

// Chunks begin at multiples of four, so each takes whole blocks of the generator.
template <int N, class T>
__global__ void __launch_bounds__(kThreads)
    dropout_kernel(Draw draw, Extent extent, T* y, const T* x, const std::int32_t* step) {
    static_assert(N % 4 == 0);
    const Philox philox(draw.seed, draw.stream);
    const auto counter = static_cast<std::uint64_t>(std::int64_t{dev::load_nc(step)});
    for_chunks<N, false>(extent, [&](const Chunk& chunk) {
        Values<N> values = load<N>(x, chunk);
#pragma unroll
        for (int i = 0; i < N; i += 4) {
            const Philox::Block block = philox(static_cast<std::uint64_t>(chunk.first + i) / 4, counter);
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                values[i + j] = uniform01(block.word[j]) >= draw.rate ? values[i + j] * draw.factor : 0.0f;
            }
        }
        store<N>(y, chunk, values);
    });
}

// Of three values, turned so that the channel of a chunk's element i is value[i % 3], an index that unrolling resolves.
template <class T>
struct Triple {
    T value[3];
    CAMBIUM_DEVICE Triple from(unsigned channel) const {
        if (channel == 0) return *this;
        if (channel == 1) return {{value[1], value[2], value[0]}};
        return {{value[2], value[0], value[1]}};
    }
};

// In BGR order channel c of a pixel comes from two bytes ahead, itself, or two bytes behind: byte by byte then, through
// the L1 cache, which costs little beside results of four or eight times the size.
template <int N, class T>
__global__ void __launch_bounds__(kThreads)
    normalize_kernel(Triple<float> scale, Triple<float> shift, ChannelOrder order, Extent extent, T* y,
                     const std::uint8_t* pixels) {
    for_chunks<N, true>(extent, [&](const Chunk& chunk) {
        const Triple<float> a = scale.from(chunk.channel), b = shift.from(chunk.channel);
        Values<N> values;
        if (order == ChannelOrder::rgb) {
            values = load<N>(pixels, chunk);
        } else {
            const Triple<int> ahead = Triple<int>{{2, 0, -2}}.from(chunk.channel);
#pragma unroll
            for (int i = 0; i < N; ++i) {
                const std::uint8_t* source = pixels + chunk.first + i + ahead.value[i % 3];
                values[i] = i < chunk.valid ? static_cast<float>(*source) : 0.0f;
            }
        }
#pragma unroll
        for (int i = 0; i < N; ++i) values[i] = a.value[i % 3] * values[i] + b.value[i % 3];
        store<N>(y, chunk, values);
    });
}

// Infinity and NaN are the exponents of ones.
CAMBIUM_DEVICE bool is_finite(float x) { return (__float_as_uint(x) & 0x7f800000u) != 0x7f800000u; }

__global__ void __launch_bounds__(kThreads) guard_kernel(Extent extent, std::uint8_t* y, const std::uint8_t* kept,
                                                         const std::uint8_t* fresh, const float* condition) {
    const std::uint8_t* from = is_finite(dev::load_nc(condition)) ? fresh : kept;
    if (from == y) extent.count = 0;  // it is there already
    for_chunks<16, false>(extent, [&](const Chunk& chunk) {
        if (chunk.whole) {
            dev::store_vector(y + chunk.first, dev::load_vector<uint4>(from + chunk.first));
        } else {
            for (int i = 0; i < chunk.valid; ++i) y[chunk.first + i] = from[chunk.first + i];
        }
    });
}

__global__ void increment_kernel(std::int32_t* y, const std::int32_t* x) { *y = *x + 1; }

}  // namespace cambium::elementwise
