// Which parameters train, by name: patterns as in a shell, "*" for any text and "?" for any character, several of them
// separated by commas ("layer1.*,conv1.*").
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cambium {

bool matches(std::string_view pattern, std::string_view name);

// "a.*, b" -> {"a.*", "b"}
std::vector<std::string> split_patterns(std::string_view text);

// A parameter trains if a pattern of `train` matches it and none of `freeze` does.
struct Selection {
    std::vector<std::string> train{"*"}, freeze{};

    bool operator()(std::string_view name) const;
};

// Throws UsageError if a pattern matches none of `names` (naming the nearest few), or if nothing is left to train.
void require_effective(const Selection& selection, std::span<const std::string> names);

// Names grouped by what stands before the last dot, for people: "conv1, bn1, layer1 (30 tensors)".
std::string summarise(std::span<const std::string> names);

}  // namespace cambium
