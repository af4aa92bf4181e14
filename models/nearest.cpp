#include "models/nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace cambium {
namespace {

std::size_t distance(std::string_view a, std::string_view b) {
    const std::size_t width = b.size() + 1;
    std::vector<std::size_t> table((a.size() + 1) * width);
    const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& { return table[i * width + j]; };
    for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
    for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
            }
        }
    }
    return at(a.size(), b.size());
}

struct Found {
    std::optional<std::string_view> name;
    std::size_t distance = std::numeric_limits<std::size_t>::max();
};

Found search(std::string_view name, std::span<const std::string_view> names) {
    Found found;
    for (const std::string_view candidate : names) {
        if (const std::size_t d = distance(name, candidate); d < found.distance) found = {candidate, d};
    }
    return found;
}

}  // namespace

std::optional<std::string_view> closest(std::string_view name, std::span<const std::string_view> names) {
    return search(name, names).name;
}

std::optional<std::string_view> nearest(std::string_view name, std::span<const std::string_view> names) {
    const Found found = search(name, names);
    return found.distance <= std::max<std::size_t>(1, name.size() / 3) ? found.name : std::nullopt;
}

std::string did_you_mean(std::string_view name, std::span<const std::string_view> names) {
    if (const auto best = nearest(name, names)) return fmt::format("did you mean {}?", *best);
    return fmt::format("known are {}", fmt::join(names, ", "));
}

}  // namespace cambium
