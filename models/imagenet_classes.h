// The table behind imagenet_classes(): rows "WordNet id, blank, WordNet name[=simple name]" in index order, joined by
// ';'.
#pragma once

#include <span>
#include <string_view>

namespace cambium {

extern const std::span<const std::string_view> imagenet_table;

}  // namespace cambium
