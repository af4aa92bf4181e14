// The golden files of tests/oracle/images_make.py: lines of words, `#` before comments; and the images both sides make.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "data/formats/sha256.h"
#include "data/images/image.h"
#include "data/images/preprocessing.h"
#include "tests/hash_fill.h"

namespace cambium::test {

// The tests run in the source root.
inline const std::filesystem::path golden_images = "tests/golden/images";

using Words = std::vector<std::string>;

// Throws nothing: a missing file gives no lines, which the tests check.
inline std::vector<Words> golden_lines(const std::string& file) {
    std::ifstream stream(golden_images / file);
    std::vector<Words> lines;
    for (std::string text; std::getline(stream, text);) {
        if (text.starts_with('#')) continue;
        std::istringstream words(text);
        lines.emplace_back(std::istream_iterator<std::string>(words), std::istream_iterator<std::string>());
    }
    return lines;
}

inline std::string digest_of(std::span<const std::uint8_t> pixels) {
    return sha256(std::as_bytes(pixels)).substr(0, 16);
}

// Hashed bytes, as noise() of the script.
inline Image noise(std::uint32_t seed, Size size) {
    Image image(size);
    std::uint64_t i = 0;
    for (std::uint8_t& value : image.pixels()) value = static_cast<std::uint8_t>(hash_bits(seed, i++));
    return image;
}

inline Interpolation interpolation_of(const std::string& name) {
    return name == "bicubic" ? Interpolation::bicubic : Interpolation::bilinear;
}

inline std::vector<std::byte> read_bytes(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The sentence with which `action` fails; empty if it does not.
template <class Action>
std::string error_of(Action&& action) {
    try {
        action();
    } catch (const std::exception& error) {
        return error.what();
    }
    return {};
}

}  // namespace cambium::test
