#include "data/formats/contents.h"

#include <algorithm>

#include "data/formats/zip_archive.h"
#include "engine/base/fail.h"
#include "engine/base/utf8.h"

namespace cambium::formats {

Contents::Contents() = default;
Contents::Contents(Contents&&) noexcept = default;
Contents& Contents::operator=(Contents&&) noexcept = default;
Contents::~Contents() = default;

std::string quote(std::string_view text) {
    constexpr std::size_t longest = 80;
    std::size_t end = 0;
    while (end < text.size()) {
        const std::size_t next = end + std::max<std::size_t>(utf8_length(text.substr(end)), 1);
        if (next > longest) break;
        end = next;
    }
    return "'" + printable(text.substr(0, end)) + (end < text.size() ? "...'" : "'");
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
