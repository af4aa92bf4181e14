// bf16 and f16 as storage types: converted to and from f32 with round-to-nearest-even, the same bits on host and
// device.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define CAMBIUM_HOST_DEVICE __host__ __device__
#else
#define CAMBIUM_HOST_DEVICE
#endif

namespace cambium {

namespace bits {

CAMBIUM_HOST_DEVICE inline std::uint32_t of(float value) {
    std::uint32_t result;
    memcpy(&result, &value, sizeof result);
    return result;
}

CAMBIUM_HOST_DEVICE inline float to_float(std::uint32_t value) {
    float result;
    memcpy(&result, &value, sizeof result);
    return result;
}

// NaN keeps its sign and becomes quiet, so that rounding never turns it into infinity.
CAMBIUM_HOST_DEVICE inline std::uint16_t float_to_bf16(float value) {
    const std::uint32_t u = of(value);
    if ((u & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((u >> 16) | 0x0040u);
    return static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

CAMBIUM_HOST_DEVICE inline float bf16_to_float(std::uint16_t value) {
    return to_float(static_cast<std::uint32_t>(value) << 16);
}

CAMBIUM_HOST_DEVICE inline std::uint16_t float_to_f16(float value) {
    const std::uint32_t u = of(value);
    const std::uint32_t sign = (u >> 16) & 0x8000u;
    const std::uint32_t magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);   // NaN
    if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // rounds to infinity
    if (magnitude < 0x38800000u) {  // subnormal: adding 0.5 lets the FPU round at the right bit
        const float shifted = to_float(magnitude) + 0.5f;
        return static_cast<std::uint16_t>(sign | (of(shifted) - 0x3f000000u));
    }
    const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

CAMBIUM_HOST_DEVICE inline float f16_to_float(std::uint16_t value) {
    const std::uint32_t sign = static_cast<std::uint32_t>(value & 0x8000u) << 16;
    const std::uint32_t exponent = (value >> 10) & 0x1fu;
    const std::uint32_t mantissa = value & 0x3ffu;
    if (exponent == 0x1f) return to_float(sign | 0x7f800000u | (mantissa << 13));
    if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24, exact in f32
        const float magnitude = static_cast<float>(mantissa) * 5.9604644775390625e-8f;
        return to_float(sign | of(magnitude));
    }
    return to_float(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

}  // namespace bits

struct bf16 {
    std::uint16_t raw = 0;
    bf16() = default;
    CAMBIUM_HOST_DEVICE explicit bf16(float value) : raw(bits::float_to_bf16(value)) {}
    CAMBIUM_HOST_DEVICE explicit operator float() const { return bits::bf16_to_float(raw); }
};

struct f16 {
    std::uint16_t raw = 0;
    f16() = default;
    CAMBIUM_HOST_DEVICE explicit f16(float value) : raw(bits::float_to_f16(value)) {}
    CAMBIUM_HOST_DEVICE explicit operator float() const { return bits::f16_to_float(raw); }
};

static_assert(sizeof(bf16) == 2 && sizeof(f16) == 2);

}  // namespace cambium
