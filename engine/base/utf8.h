// UTF-8, and text from outside made fit for a terminal. Names in files are arbitrary bytes: written as they are, they
// could move the cursor, recolour the screen or forge lines of output.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cambium {

// Bytes of the well-formed sequence that `text` begins with, 0 if there is none: no overlong forms, no surrogates, at
// most U+10FFFF (Unicode 15, table 3-7).
constexpr std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const unsigned first = byte(0);
    if (text.empty() || (first >= 0x80 && first < 0xc2) || first > 0xf4) return 0;
    const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    const unsigned low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (length > 1 && (byte(1) < low || byte(1) > high)) return 0;
    for (std::size_t i = 2; i < length; ++i) {
        if ((byte(i) & 0xc0u) != 0x80) return 0;
    }
    return length;
}

constexpr bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

// The code point of a well-formed sequence.
constexpr std::uint32_t code_point(std::string_view sequence) {
    const auto first = static_cast<unsigned char>(sequence[0]);
    std::uint32_t value = sequence.size() == 1 ? first : first & (0x7fu >> sequence.size());
    for (const char c : sequence.substr(1)) value = value << 6 | (static_cast<unsigned char>(c) & 0x3fu);
    return value;
}

// What changes a terminal instead of appearing on it: C0, DEL and C1, line and paragraph separators, and what turns the
// direction of the text around it.
constexpr bool is_control(std::uint32_t point) {
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069);
}

// `text` with control characters as \u001b (which means the same inside JSON) and bytes that are not UTF-8 as \xff.
// Characters in `kept` stay as they are.
inline std::string printable(std::string_view text, std::string_view kept = {}) {
    std::string result;
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const std::string_view sequence = text.substr(0, length == 0 ? 1 : length);
        if (length == 0) {
            result += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(text[0])));
        } else if (is_control(code_point(sequence)) && kept.find(sequence) == std::string_view::npos) {
            result += fmt::format("\\u{:04x}", code_point(sequence));
        } else {
            result += sequence;
        }
        text.remove_prefix(sequence.size());
    }
    return result;
}

}  // namespace cambium
