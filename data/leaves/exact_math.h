// Elementary functions whose bits do not depend on the machine's mathematical library: only + - * /, floor and bit
// moves, which IEEE 754 rounds the same everywhere. Good to about 1e-6, which is far below one grey level.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace cambium::leaves {

inline float clamp01(float x) { return std::min(1.0f, std::max(0.0f, x)); }
inline float mix(float a, float b, float t) { return a + (b - a) * t; }

// 0 below `low`, 1 above `high`, a cubic between.
inline float smoothstep(float low, float high, float x) {
    const float t = clamp01((x - low) / (high - low));
    return t * t * (3.0f - 2.0f * t);
}

// sin and cos of an angle in turns (1 is a full circle): the Taylor series of sin(2 pi x) on a quarter turn.
inline float sin_turns(float x) {
    x -= std::floor(x + 0.5f);
    if (x > 0.25f) x = 0.5f - x;
    if (x < -0.25f) x = -0.5f - x;
    const float s = x * x;
    return x *
           (6.2831853f + s * (-41.341702f + s * (81.605249f + s * (-76.705860f + s * (42.058693f + s * -15.094643f)))));
}
inline float cos_turns(float x) { return sin_turns(x + 0.25f); }

// x to the power y, for x > 0: exp2(y log2 x), log2 by the series of the inverse hyperbolic tangent.
inline float power(float x, float y) {
    const std::uint32_t u = std::bit_cast<std::uint32_t>(std::max(x, 1e-12f));
    int exponent = static_cast<int>(u >> 23) - 127;
    float m = std::bit_cast<float>((u & 0x7fffffu) | 0x3f800000u);
    if (m > 1.41421356f) {
        m *= 0.5f;
        ++exponent;
    }
    const float s = (m - 1.0f) / (m + 1.0f), s2 = s * s;
    const float log2 = s * (2.8853901f + s2 * (0.96179669f + s2 * (0.57707802f + s2 * 0.41219858f)));
    const float z = std::max(-120.0f, std::min(120.0f, y * (static_cast<float>(exponent) + log2)));
    const float whole = std::floor(z + 0.5f), f = z - whole;
    const float fraction =
        1.0f +
        f * (0.69314718f +
             f * (0.24022651f + f * (0.055504109f + f * (0.0096181291f + f * (0.0013333558f + f * 1.5403530e-4f)))));
    return fraction * std::bit_cast<float>(static_cast<std::uint32_t>(static_cast<int>(whole) + 127) << 23);
}

// A well mixed word from lattice coordinates (an integer finaliser in the manner of MurmurHash3).
inline std::uint32_t hash_lattice(int x, int y, std::uint32_t seed) {
    std::uint32_t h = seed + static_cast<std::uint32_t>(x) * 0x9E3779B1u + static_cast<std::uint32_t>(y) * 0x85EBCA77u;
    h = (h ^ (h >> 16)) * 0x7FEB352Du;
    h = (h ^ (h >> 15)) * 0x846CA68Bu;
    return h ^ (h >> 16);
}
inline float hash01(int x, int y, std::uint32_t seed) {
    return static_cast<float>(hash_lattice(x, y, seed) >> 8) * 0x1p-24f;
}

// Value noise in [0, 1): random values on the integer lattice, smoothly interpolated.
inline float noise(float x, float y, std::uint32_t seed) {
    const float fx = std::floor(x), fy = std::floor(y);
    const int ix = static_cast<int>(fx), iy = static_cast<int>(fy);
    const float tx = x - fx, ty = y - fy;
    const float sx = tx * tx * (3.0f - 2.0f * tx), sy = ty * ty * (3.0f - 2.0f * ty);
    return mix(mix(hash01(ix, iy, seed), hash01(ix + 1, iy, seed), sx),
               mix(hash01(ix, iy + 1, seed), hash01(ix + 1, iy + 1, seed), sx), sy);
}

}  // namespace cambium::leaves
