// The loop that all elementwise kernels share. A thread takes a chunk of N successive elements, N such that the widest
// operand's chunk is one access of 16 bytes, then the chunk that lies a whole grid further:
//   1. each input is read as the chunk's N values in f32, by one access where the chunk is whole and aligned
//   2. a function of one element is applied N times, in registers
//   3. the N results are rounded and stored by one access
// The last chunk, and operands that are not aligned, go element by element. A warp's accesses are 512 successive bytes
// of the widest operand: whole sectors, and with eight blocks of 256 threads a multiprocessor has 32 KB of each operand
// in flight, more than the memory's latency asks for (about 25 KB on an H200: 4.3 TB/s, 0.8 us, 132 multiprocessors).
#pragma once

#include "kernels/gpu.h"

namespace cambium::elementwise {

inline constexpr int kThreads = 256;

struct Extent {
    std::int64_t count;
    bool vectors;           // all dense operands are aligned to their chunks
    unsigned channels;      // extent of the last axis, for operands of one value per channel
    unsigned channel_step;  // what the loop's step is modulo channels
    bool channel_vectors;   // channels are a multiple of N, and their vectors aligned
};

struct Chunk {
    std::int64_t first;
    int valid;         // so many of its elements exist
    bool whole;        // all do, and may be accessed together
    unsigned channel;  // of the first element
};

template <int N>
struct Values {
    float value[N];
    CAMBIUM_DEVICE float& operator[](int i) { return value[i]; }
    CAMBIUM_DEVICE const float& operator[](int i) const { return value[i]; }
};

// Elements of T that one access of at most 16 bytes moves.
template <int N, class T>
inline constexpr int kTogether = N* int{sizeof(T)} <= 16 ? N : 16 / int{sizeof(T)};

template <int N, class T>
CAMBIUM_DEVICE Values<N> load(const T* x, const Chunk& chunk) {
    constexpr int kStep = kTogether<N, T>;
    Values<N> values;
    if (chunk.whole) {
#pragma unroll
        for (int part = 0; part < N; part += kStep) {
            const auto elements = dev::load_vector<dev::Vector<T, kStep>>(x + chunk.first + part);
#pragma unroll
            for (int i = 0; i < kStep; ++i) values[part + i] = static_cast<float>(elements[i]);
        }
    } else {
#pragma unroll
        for (int i = 0; i < N; ++i) values[i] = i < chunk.valid ? static_cast<float>(x[chunk.first + i]) : 0.0f;
    }
    return values;
}

template <int N, class T>
CAMBIUM_DEVICE void store(T* y, const Chunk& chunk, const Values<N>& values) {
    constexpr int kStep = kTogether<N, T>;
    if (chunk.whole) {
#pragma unroll
        for (int part = 0; part < N; part += kStep) {
            dev::Vector<T, kStep> elements;
#pragma unroll
            for (int i = 0; i < kStep; ++i) elements[i] = T(values[part + i]);
            dev::store_vector(y + chunk.first + part, elements);
        }
    } else {
#pragma unroll
        for (int i = 0; i < N; ++i) {
            if (i < chunk.valid) y[chunk.first + i] = T(values[i]);
        }
    }
}

// How an operand is read for a chunk: an element each,
template <class T>
struct Dense {
    using Type = T;
    static constexpr bool kPerChannel = false;
    static constexpr const char* kName = "x";
    template <int N>
    CAMBIUM_DEVICE static Values<N> read(const T* x, const Chunk& chunk, const Extent&) {
        return load<N>(x, chunk);
    }
};

// a value per channel, zeros where the pointer is null,
struct PerChannel {
    using Type = float;
    static constexpr bool kPerChannel = true;
    static constexpr const char* kName = "per channel";
    template <int N>
    CAMBIUM_DEVICE static Values<N> read(const float* x, const Chunk& chunk, const Extent& extent) {
        Values<N> values;
        if (x == nullptr) {
#pragma unroll
            for (int i = 0; i < N; ++i) values[i] = 0.0f;
        } else if (extent.channel_vectors) {
#pragma unroll
            for (int part = 0; part < N; part += 4) {
                const float4 four = dev::load_nc(reinterpret_cast<const float4*>(x + chunk.channel + part));
                values[part] = four.x, values[part + 1] = four.y, values[part + 2] = four.z, values[part + 3] = four.w;
            }
        } else {
            unsigned channel = chunk.channel;
#pragma unroll
            for (int i = 0; i < N; ++i) {
                values[i] = dev::load_nc(x + channel);
                channel = channel + 1 == extent.channels ? 0 : channel + 1;
            }
        }
        return values;
    }
};

// or one value for all.
struct Single {
    using Type = float;
    static constexpr bool kPerChannel = false;
    static constexpr const char* kName = "scalar";
    template <int N>
    CAMBIUM_DEVICE static Values<N> read(const float* x, const Chunk&, const Extent&) {
        const float value = dev::load_nc(x);
        Values<N> values;
#pragma unroll
        for (int i = 0; i < N; ++i) values[i] = value;
        return values;
    }
};

// Calls body(chunk) for the thread's chunks. The channel is divided out once, and then follows by additions.
template <int N, bool PerChannel, class Body>
CAMBIUM_DEVICE void for_chunks(const Extent& extent, Body&& body) {
    const std::int64_t thread = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x * N;
    unsigned channel = 0;
    if constexpr (PerChannel) channel = static_cast<unsigned>(thread * N % extent.channels);
    for (std::int64_t first = thread * N; first < extent.count; first += step) {
        const std::int64_t left = extent.count - first;
        body(Chunk{first, left < N ? static_cast<int>(left) : N, extent.vectors && left >= N, channel});
        if constexpr (PerChannel) {
            channel += extent.channel_step;
            if (channel >= extent.channels) channel -= extent.channels;
        }
    }
}

template <int N, class F, class... V>
CAMBIUM_DEVICE Values<N> each(const F& f, const V&... x) {
    Values<N> y;
#pragma unroll
    for (int i = 0; i < N; ++i) y[i] = f(x[i]...);
    return y;
}

// y = f(x...), the inputs read as Access... say.
template <int N, class F, class Y, class... Access>
__global__ void __launch_bounds__(kThreads) map(F f, Extent extent, Y* y, const typename Access::Type*... x) {
    for_chunks<N, (Access::kPerChannel || ...)>(extent, [&](const Chunk& chunk) {
        store<N>(y, chunk, each<N>(f, Access::template read<N>(x, chunk, extent)...));
    });
}

}  // namespace cambium::elementwise
