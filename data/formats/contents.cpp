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
