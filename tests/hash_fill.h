// Values that C++ tests and the PyTorch scripts of tests/oracle compute alike, bit for bit, so that no golden file has
// to hold inputs or weights. hash_fill.py is the twin of this file: change both or neither.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace cambium::test {

// The finaliser of MurmurHash3 (Appleby): every input bit changes half of the output bits.
constexpr std::uint32_t hash32(std::uint32_t x) {
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    return x ^ (x >> 16);
}

// 16 hashed bits for element i (in the order of the file: OIHW for filters) of the tensor numbered `seed`.
constexpr std::uint32_t hash_bits(std::uint32_t seed, std::uint64_t i) {
    return hash32(seed * 0x9e3779b1u + static_cast<std::uint32_t>(i)) >> 16;
}

// Uniform in [-2^(15-k), 2^(15-k)), a multiple of 2^-k: exact in f32, and k = 15 means [-1, 1).
inline double hash_value(std::uint32_t seed, std::uint64_t i, int k) {
    return std::ldexp(static_cast<double>(hash_bits(seed, i)) - 32768, -k);
}

// An integer in [0, bound), for labels; bound <= 65536.
constexpr std::uint32_t hash_below(std::uint32_t seed, std::uint64_t i, std::uint32_t bound) {
    return static_cast<std::uint32_t>((std::uint64_t{hash_bits(seed, i)} * bound) >> 16);
}

template <class Real>
void hash_fill(std::span<Real> values, std::uint32_t seed, int k) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<Real>(hash_value(seed, i, k));
}

}  // namespace cambium::test
