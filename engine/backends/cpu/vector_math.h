// Functions of f32 as straight-line code: no calls, no branches, so that the loops around them vectorise on every
// instruction set. For files given to cambium_isa_sources() only. Coefficients are minimax fits of the relative error.
#pragma once

#include "engine/base/numeric.h"

namespace cambium::cpu::CAMBIUM_ISA {

// e^x for x in [-87, 88], within 2 units in the last place. NaN passes.
inline float exponential_in_range(float x) {
    const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, left in the low bits
    const float shifted = x * 1.44269504f + magic;
    const float n = shifted - magic;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts, the first exact times n
    float p = 1.38367922e-3f;
    p = p * r + 8.37485678e-3f;
    p = p * r + 4.16682288e-2f;
    p = p * r + 1.66664198e-1f;
    p = p * r + 4.99999911e-1f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const std::uint32_t power = (bits::of(shifted) - bits::of(magic) + 127u) << 23;
    return p * bits::to_float(power);
}

// For any x <= 88; 0 below -87, where results would soon be denormal, and slow.
inline float exponential(float x) {
    const float y = exponential_in_range(x < -87.0f ? -87.0f : x);
    return x < -87.0f ? 0.0f : y;
}

// The normal distribution at x: `density` is e^(-x^2/2) / sqrt(2 pi), `below` the probability of a smaller value.
struct Normal {
    float density, below;
};

// The tail beyond |x| over e^(-x^2/2) is smooth from 1/2 to 0; times |x| + 3 it is a polynomial of degree 8 in
// (|x| - 3) / (|x| + 3) within 5e-8 (the mapping of Shepherd & Laframboise 1981). Small probabilities keep their
// relative accuracy, which 1 + erf would lose. Beyond 12.5 the tail stays at 4e-36.
inline Normal normal_distribution(float x) {
    const float absolute = bits::to_float(bits::of(x) & 0x7fffffffu);
    const float a = absolute > 12.5f ? 12.5f : absolute;
    const float e = exponential_in_range(-0.5f * a * a);  // a second clamp would cost denormals in dead lanes
    const float inverse = 1.0f / (a + 3.0f);
    const float u = 1.0f - 6.0f * inverse;
    float q = -2.66768562e-4f;
    q = q * u - 9.03254317e-4f;
    q = q * u + 1.07603904e-3f;
    q = q * u + 6.92392373e-3f;
    q = q * u - 1.04799364e-2f;
    q = q * u - 4.72561009e-2f;
    q = q * u + 2.30019346e-1f;
    q = q * u - 5.09332299e-1f;
    q = q * u + 7.29083657e-1f;
    const float tail = e * q * inverse;
    return {e * 0.398942280f, x < 0.0f ? tail : 1.0f - tail};
}

}  // namespace cambium::cpu::CAMBIUM_ISA
