#include "data/images/digest.h"

#include <array>
#include <bit>
#include <cstring>

namespace cambium {

namespace {

// Odd constants with about half their bits set: the fractional parts of the square roots of 2, 3, 5 and 7.
constexpr std::array<std::uint64_t, 4> multipliers{0x6A09E667F3BCC909, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B,
                                                   0xA54FF53A5F1D36F1};

// Both halves of a 128-bit product: every bit of `lane ^ word` reaches every bit of the result.
std::uint64_t mix(std::uint64_t lane, std::uint64_t word, std::uint64_t multiplier) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = Wide{lane ^ word} * multiplier;
    return std::rotl(lane, 23) ^ static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t finish(std::uint64_t value) {
    value ^= value >> 32;
    value *= multipliers[0];
    value ^= value >> 29;
    value *= multipliers[1];
    return value ^ (value >> 32);
}

Digest digest(std::span<const std::byte> bytes, std::uint64_t seed) {
    std::array<std::uint64_t, 4> lanes = multipliers;
    constexpr std::size_t block = sizeof lanes;
    const auto absorb = [&lanes](const std::byte* data) {
        std::array<std::uint64_t, 4> words;
        std::memcpy(words.data(), data, block);
        for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] = mix(lanes[i], words[i], multipliers[i]);
    };
    std::size_t at = 0;
    for (; at + block <= bytes.size(); at += block) absorb(bytes.data() + at);
    std::array<std::byte, block> rest{};
    if (at < bytes.size()) std::memcpy(rest.data(), bytes.data() + at, bytes.size() - at);
    absorb(rest.data());

    Digest result{bytes.size(), seed};
    for (std::size_t i = 0; i < lanes.size(); ++i) {  // every lane reaches every bit of both halves
        result.high = finish(mix(result.high, lanes[i], multipliers[i]));
        result.low = finish(mix(result.low, lanes[i], multipliers[3 - i]) + result.high);
    }
    return result;
}

}  // namespace

Digest digest(std::span<const std::byte> bytes) { return digest(bytes, 0); }

Digest digest(const Image& image) {
    const std::uint64_t size =
        (static_cast<std::uint64_t>(image.width()) << 32) | static_cast<std::uint32_t>(image.height());
    return digest(std::as_bytes(image.pixels()), size);
}

}  // namespace cambium
