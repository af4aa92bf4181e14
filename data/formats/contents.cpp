#include "data/formats/contents.h"

#include <algorithm>

#include "data/formats/zip_archive.h"
#include "engine/base/fail.h"

namespace cambium::formats {

Contents::Contents() = default;
Contents::Contents(Contents&&) noexcept = default;
Contents& Contents::operator=(Contents&&) noexcept = default;
Contents::~Contents() = default;

std::string quote(std::string_view text) {
    constexpr std::size_t longest = 80;
    std::string result = "'";
    for (const char c : text.substr(0, longest)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            result += fmt::format("\\x{:02x}", byte);
        } else {
            result += c;
        }
    }
    return result + (text.size() > longest ? "...'" : "'");
}

// The well-formed sequences of Unicode 15, table 3-7: no overlong forms, no surrogates, at most U+10FFFF.
bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = [&](std::size_t k) {
            return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0u;
        };
        const unsigned first = byte(0), second = byte(1);
        const std::size_t length = first < 0x80   ? 1
                                   : first < 0xc2 ? 0
                                   : first < 0xe0 ? 2
                                   : first < 0xf0 ? 3
                                   : first < 0xf5 ? 4
                                                  : 0;
        if (length == 0) return false;
        const unsigned low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        const unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (length > 1 && (second < low || second > high)) return false;
        for (std::size_t k = 2; k < length; ++k) {
            if ((byte(k) & 0xc0u) != 0x80) return false;
        }
        i += length;
    }
    return true;
}

std::array<std::int64_t, Shape::max_rank> contiguous_strides(const Shape& shape) {
    std::array<std::int64_t, Shape::max_rank> strides{};
    std::int64_t stride = 1;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
        strides[static_cast<std::size_t>(axis)] = stride;
        stride *= std::max<std::int64_t>(shape[axis], 1);
    }
    return strides;
}

void check_names(std::span<const WeightsEntry> entries) {
    std::vector<std::string_view> names;
    for (const WeightsEntry& entry : entries) names.push_back(entry.name);
    std::sort(names.begin(), names.end());
    if (!names.empty() && names.front().empty()) fail("a tensor to be written has no name");
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) fail("two tensors to be written are both named {}", quote(*twice));
}

}  // namespace cambium::formats
