#include "tools/training/patterns.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "engine/base/fail.h"
#include "models/nearest.h"
#include "tools/common/terminal.h"

namespace cambium {
namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

bool any_matches(const std::vector<std::string>& patterns, std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& p) { return matches(p, name); });
}

// The nearest few names, or patterns for a part of the network ("layer1.*"); where nothing is near, its parts.
std::string suggestion(const std::string& pattern, std::span<const std::string> names) {
    constexpr std::size_t few = 3;
    std::vector<std::string> parts, candidates;
    const auto add = [](std::vector<std::string>& to, const std::string& text) {
        if (std::find(to.begin(), to.end(), text) == to.end()) to.push_back(text);
    };
    for (const std::string& name : names) {
        add(parts, name.substr(0, name.find('.')) + ".*");
        for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
            add(candidates, name.substr(0, dot) + ".*");
        }
        add(candidates, name);
    }
    std::vector<std::string_view> left(candidates.begin(), candidates.end()), found;
    while (found.size() < few) {
        const std::optional<std::string_view> next = nearest(pattern, left);
        if (!next) break;
        found.push_back(*next);
        std::erase(left, *next);
    }
    if (found.empty()) return fmt::format("its parts are {}", fmt::join(parts, ", "));
    return fmt::format("near it {} {}", found.size() == 1 ? "is" : "are", fmt::join(found, ", "));
}

}  // namespace

// The usual scan with one place to come back to: the last "*" and how far it reaches.
bool matches(std::string_view pattern, std::string_view name) {
    std::size_t p = 0, n = 0, star = std::string_view::npos, reach = 0;
    while (n < name.size()) {
        if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*') {
            ++p, ++n;
        } else if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            reach = n;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            n = ++reach;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

std::vector<std::string> split_patterns(std::string_view text) {
    std::vector<std::string> patterns;
    while (!text.empty()) {
        const std::size_t comma = std::min(text.find(','), text.size());
        if (const std::string_view part = trimmed(text.substr(0, comma)); !part.empty()) patterns.emplace_back(part);
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return patterns;
}

bool Selection::operator()(std::string_view name) const {
    return any_matches(train, name) && !any_matches(freeze, name);
}

void require_effective(const Selection& selection, std::span<const std::string> names) {
    const auto check = [&](const std::vector<std::string>& patterns, std::string_view option) {
        for (const std::string& pattern : patterns) {
            const auto hit = [&](const std::string& name) { return matches(pattern, name); };
            if (std::any_of(names.begin(), names.end(), hit)) continue;
            fail_usage("--{} '{}' matches no parameter; {} ('*' stands for any text)", option, pattern,
                       suggestion(pattern, names));
        }
    };
    check(selection.train, "train");
    check(selection.freeze, "freeze");
    if (std::none_of(names.begin(), names.end(), [&](const std::string& name) { return selection(name); })) {
        fail_usage("--train and --freeze leave no parameter to train");
    }
}

std::string summarise(std::span<const std::string> names) {
    std::map<std::string, int> groups;
    std::vector<std::string> order;
    for (const std::string& name : names) {
        std::string group = name.substr(0, name.find('.'));
        if (groups[group]++ == 0) order.push_back(std::move(group));
    }
    std::string text;
    for (const std::string& group : order) text += (text.empty() ? "" : ", ") + group;
    return text.empty() ? "nothing" : fmt::format("{} ({})", text, counted(std::ssize(names), "tensor"));
}

}  // namespace cambium
