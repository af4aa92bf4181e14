// What nvcc knows by itself and a host compiler must be told: the qualifiers, the vector types, the small intrinsics.
// And Site: the place of a call, passed as a default argument, because optimisers merge and duplicate calls, so that a
// return address cannot tell two barriers apart.
#pragma once

#include <cstdint>

#include "engine/base/numeric.h"

#if defined(CAMBIUM_CUDA) || defined(__CUDACC__)

#include <cuda_runtime.h>

#if defined(__CUDACC__)
#define CAMBIUM_DEVICE __device__ __forceinline__
#endif

namespace cambium::dev {

struct Site {
    CAMBIUM_HOST_DEVICE static constexpr Site here() { return {}; }
};

}  // namespace cambium::dev

#else

#include <algorithm>
#include <bit>
#include <cmath>

#define CAMBIUM_DEVICE inline

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct uint3 {
    unsigned x, y, z;
};

#define CAMBIUM_VECTOR_TYPES(element, name)                                   \
    struct alignas(2 * sizeof(element)) name##2 {                             \
        element x, y;                                                         \
    };                                                                        \
    struct alignas(4 * sizeof(element)) name##4 {                             \
        element x, y, z, w;                                                   \
    };                                                                        \
    constexpr name##2 make_##name##2(element x, element y) { return {x, y}; } \
    constexpr name##4 make_##name##4(element x, element y, element z, element w) { return {x, y, z, w}; }
CAMBIUM_VECTOR_TYPES(float, float)
CAMBIUM_VECTOR_TYPES(int, int)
CAMBIUM_VECTOR_TYPES(unsigned, uint)
#undef CAMBIUM_VECTOR_TYPES
struct alignas(16) double2 {
    double x, y;
};

using std::max;
using std::min;
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float a, float b) { return a / b; }
constexpr float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
constexpr float __int_as_float(int bits) { return std::bit_cast<float>(bits); }
constexpr unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
constexpr int __float_as_int(float value) { return std::bit_cast<int>(value); }
constexpr int __popc(unsigned value) { return std::popcount(value); }
constexpr int __clz(int value) { return std::countl_zero(static_cast<unsigned>(value)); }
constexpr int __ffs(int value) { return value == 0 ? 0 : std::countr_zero(static_cast<unsigned>(value)) + 1; }

namespace cambium::dev {

struct Site {
    const char* file;
    unsigned line;
    static constexpr Site here(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
        return {file, line};
    }
};

}  // namespace cambium::dev

#endif
