// The nearest of several names, for mistyped models, weights and options.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cambium {

// The name with the smallest edit distance (Damerau-Levenshtein, restricted: insertions, deletions, substitutions and
// swaps of neighbours); nothing only where there are no names.
std::optional<std::string_view> closest(std::string_view name, std::span<const std::string_view> names);

// The same, unless more than a third of `name` would have to change.
std::optional<std::string_view> nearest(std::string_view name, std::span<const std::string_view> names);

// "did you mean resnet50?", or where nothing is near "known are alexnet, resnet18, ...".
std::string did_you_mean(std::string_view name, std::span<const std::string_view> names);

}  // namespace cambium
