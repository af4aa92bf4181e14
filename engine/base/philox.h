// Philox4x32-10: random numbers as a pure function of (key, counter), so a draw does not depend on thread count, order
// or history, and device and host agree. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
#pragma once

#include <cstdint>

#include "engine/base/numeric.h"

namespace cambium {

struct Philox {
    struct Block {
        std::uint32_t word[4];
    };

    std::uint32_t key[2];

    // `seed` and `stream` choose one of 2^64 independent sequences; a stream is usually hash(layer name or purpose).
    CAMBIUM_HOST_DEVICE Philox(std::uint32_t seed, std::uint32_t stream) : key{seed, stream} {}

    // Four independent uniform 32-bit words for a 128-bit counter, given as two halves.
    CAMBIUM_HOST_DEVICE Block operator()(std::uint64_t low, std::uint64_t high = 0) const {
        std::uint32_t c0 = static_cast<std::uint32_t>(low), c1 = static_cast<std::uint32_t>(low >> 32);
        std::uint32_t c2 = static_cast<std::uint32_t>(high), c3 = static_cast<std::uint32_t>(high >> 32);
        std::uint32_t k0 = key[0], k1 = key[1];
        for (int round = 0; round < 10; ++round) {
            const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0;
            const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2;
            c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
            c1 = static_cast<std::uint32_t>(p1);
            c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
            c3 = static_cast<std::uint32_t>(p0);
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        return {{c0, c1, c2, c3}};
    }
};

// Uniform in [0, 1) with 24 bits, exact in f32.
CAMBIUM_HOST_DEVICE inline float uniform01(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

// FNV-1a, to turn a layer's or a purpose's name into a Philox stream.
inline std::uint32_t hash_name(const char* text, std::size_t size) {
    std::uint32_t hash = 2166136261u;
    for (std::size_t i = 0; i < size; ++i) hash = (hash ^ static_cast<unsigned char>(text[i])) * 16777619u;
    return hash;
}

// Draws in order from one Philox sequence: the host-side convenience for shuffles, crops and initial weights.
class RandomStream {
  public:
    RandomStream(std::uint64_t seed, std::uint32_t stream, std::uint64_t index = 0)
        : philox_(static_cast<std::uint32_t>(seed), stream ^ static_cast<std::uint32_t>(seed >> 32)), high_(index) {}

    std::uint32_t bits() {
        if (used_ == 4) {
            block_ = philox_(low_++, high_);
            used_ = 0;
        }
        return block_.word[used_++];
    }
    // Uniform in [0, 1), 53 bits.
    double uniform() {
        const std::uint64_t high = bits(), low = bits();
        return static_cast<double>(((high << 32) | low) >> 11) * 0x1p-53;
    }
    double uniform(double low, double high) { return low + (high - low) * uniform(); }
    // Uniform in [0, bound), without modulo bias (Lemire 2019). bound > 0.
    std::uint32_t below(std::uint32_t bound) {
        std::uint64_t product = std::uint64_t{bits()} * bound;
        if (static_cast<std::uint32_t>(product) < bound) {
            const std::uint32_t threshold = (0u - bound) % bound;
            while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{bits()} * bound;
        }
        return static_cast<std::uint32_t>(product >> 32);
    }
    double normal();  // mean 0, variance 1 (Box-Muller)

  private:
    Philox philox_;
    std::uint64_t low_ = 0, high_;
    Philox::Block block_{};
    unsigned used_ = 4;
};

}  // namespace cambium
