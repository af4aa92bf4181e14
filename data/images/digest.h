// A fast 128-bit digest of bytes, to find equal files and equal pixels: four lanes of wide multiplications.
// Not cryptographic: against someone who forges files, use SHA-256.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

#include "data/images/image.h"

namespace cambium {

struct Digest {
    std::uint64_t high = 0, low = 0;
    friend auto operator<=>(const Digest&, const Digest&) = default;
};

Digest digest(std::span<const std::byte> bytes);
Digest digest(const Image& image);  // of its size and pixels

}  // namespace cambium
