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

#include <math.h>  // isnan and its kin without std::, as in a kernel
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
#define __shared__ _Pragma("GCC error \"shared memory is a struct of dev::Shared arrays: see kernels/simt/README.md\"")

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
CAMBIUM_VECTOR_TYPES(signed char, char)
CAMBIUM_VECTOR_TYPES(unsigned char, uchar)
CAMBIUM_VECTOR_TYPES(short, short)
CAMBIUM_VECTOR_TYPES(unsigned short, ushort)
#undef CAMBIUM_VECTOR_TYPES
struct alignas(16) double2 {
    double x, y;
};
constexpr double2 make_double2(double x, double y) { return {x, y}; }
struct float3 {
    float x, y, z;
};
constexpr float3 make_float3(float x, float y, float z) { return {x, y, z}; }
struct int3 {
    int x, y, z;
};
constexpr int3 make_int3(int x, int y, int z) { return {x, y, z}; }
constexpr uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }

// assert in a kernel is reported with its thread: glibc's macro calls a function of this name and signature.
extern "C" [[noreturn]] void cambium_simt_assertion_failed(const char* assertion, const char* file, unsigned line,
                                                           const char* function) noexcept;
#define __assert_fail cambium_simt_assertion_failed

using std::max;
using std::min;
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __sinf(float x) { return std::sin(x); }
inline float __cosf(float x) { return std::cos(x); }
inline float __powf(float x, float y) { return std::pow(x, y); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
constexpr float __saturatef(float x) { return x >= 1 ? 1.0f : x > 0 ? x : 0.0f; }  // NaN becomes 0
constexpr float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
constexpr float __int_as_float(int bits) { return std::bit_cast<float>(bits); }
constexpr unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
constexpr int __float_as_int(float value) { return std::bit_cast<int>(value); }
constexpr int __popc(unsigned value) { return std::popcount(value); }
constexpr int __clz(int value) { return std::countl_zero(static_cast<unsigned>(value)); }
constexpr int __ffs(int value) { return value == 0 ? 0 : std::countr_zero(static_cast<unsigned>(value)) + 1; }
constexpr int __popcll(unsigned long long value) { return std::popcount(value); }
constexpr int __clzll(long long value) { return std::countl_zero(static_cast<unsigned long long>(value)); }
constexpr int __ffsll(long long value) {
    return value == 0 ? 0 : std::countr_zero(static_cast<unsigned long long>(value)) + 1;
}
constexpr unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>(static_cast<std::uint64_t>(a) * b >> 32);
}
constexpr int __mulhi(int a, int b) { return static_cast<int>(static_cast<std::int64_t>(a) * b >> 32); }
constexpr unsigned __brev(unsigned value) {  // swaps halves, quarters, ... of the word
    constexpr unsigned kLow[] = {0x0000ffff, 0x00ff00ff, 0x0f0f0f0f, 0x33333333, 0x55555555};
    for (int i = 0; i < 5; ++i) value = (value & kLow[i]) << (16 >> i) | (value >> (16 >> i) & kLow[i]);
    return value;
}
// shf.l.wrap and shf.r.wrap (Logic and Shift: shf): the upper or lower word of high:low shifted by up to 31.
constexpr unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
    return static_cast<unsigned>((static_cast<std::uint64_t>(high) << 32 | low) << (shift & 31) >> 32);
}
constexpr unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    return static_cast<unsigned>((static_cast<std::uint64_t>(high) << 32 | low) >> (shift & 31));
}
// prmt (Data Movement: prmt), default mode: four bytes chosen from the eight of y:x; bit 3 of a selector repeats a
// sign.
constexpr unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
    const std::uint64_t bytes = static_cast<std::uint64_t>(y) << 32 | x;
    unsigned result = 0;
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned choice = selector >> 4 * i & 15u;
        const unsigned byte = static_cast<unsigned>(bytes >> 8 * (choice & 7u) & 0xffu);
        result |= ((choice & 8u) == 0 ? byte : (byte & 0x80u) != 0 ? 0xffu : 0u) << 8 * i;
    }
    return result;
}

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
