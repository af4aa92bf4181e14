// Division by a number that the host knows and the device does not: a multiplication and a shift (Granlund & Montgomery
// 1994, theorem 4.2), a tenth of the instructions of a division.
#pragma once

#include <cstdint>

#include "engine/base/numeric.h"

namespace cambium {

class Divisor {
  public:
    Divisor() = default;
    // 1 <= divisor < 2^31.
    explicit Divisor(std::uint32_t divisor) : divisor_(divisor) {
        while ((std::uint64_t{1} << log2_) < divisor) ++log2_;
        multiplier_ = static_cast<std::uint32_t>(((std::uint64_t{1} << (31 + log2_)) + divisor - 1) / divisor);
    }
    // Exact for n < 2^31: the multiplier exceeds 2^(31 + log2) / divisor by less than 2^log2 / divisor.
    CAMBIUM_HOST_DEVICE std::uint32_t quotient(std::uint32_t n) const {
        return static_cast<std::uint32_t>(std::uint64_t{n} * multiplier_ >> (31 + log2_));
    }
    // Replaces n by its quotient and returns the remainder.
    CAMBIUM_HOST_DEVICE std::uint32_t split(std::uint32_t& n) const {
        const std::uint32_t whole = quotient(n), rest = n - whole * divisor_;
        n = whole;
        return rest;
    }
    CAMBIUM_HOST_DEVICE std::uint32_t value() const { return divisor_; }

  private:
    std::uint32_t divisor_ = 1, multiplier_ = 0x80000000u, log2_ = 0;
};

}  // namespace cambium
