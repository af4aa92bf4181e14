#include "models/classes.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "models/imagenet_classes.h"

namespace cambium {
namespace {

constexpr std::array<std::string_view, 10> cifar10{"airplane", "automobile", "bird",  "cat",  "deer",
                                                   "dog",      "frog",       "horse", "ship", "truck"};

// Cuts `text` at the first `separator` and leaves what follows it in `text`.
std::string_view take(std::string_view& text, char separator) {
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::string_view head = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return head;
}

std::vector<ImageNetClass> parse_table() {
    std::vector<ImageNetClass> classes;
    for (const std::string_view part : imagenet_table) {
        for (std::string_view rest = part; !rest.empty();) {
            std::string_view row = take(rest, ';');
            ImageNetClass& added = classes.emplace_back();
            added.wordnet_id = take(row, ' ');
            added.wordnet_name = take(row, '=');
            added.name = row.empty() ? added.wordnet_name : row;
        }
    }
    return classes;
}

std::string normalised(std::string_view text) {
    std::string result;
    for (const char c : text) {
        const bool blank = c == '_' || c == '-' || c == ' ';
        result += blank ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return result;
}

bool is_wordnet_id(std::string_view text) {
    return text.size() == 9 && text[0] == 'n' &&
           std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<std::int64_t> find_by_id(std::string_view id) {
    const auto classes = imagenet_classes();
    const auto found = std::find_if(classes.begin(), classes.end(), [&](const auto& c) { return c.wordnet_id == id; });
    if (found == classes.end()) return {};
    return found - classes.begin();
}

}  // namespace

std::span<const ImageNetClass> imagenet_classes() {
    static const std::vector<ImageNetClass> classes = parse_table();
    return classes;
}

std::vector<std::string> class_names(ClassSet set) {
    std::vector<std::string> names;
    if (set == ClassSet::cifar10) names.assign(cifar10.begin(), cifar10.end());
    if (set == ClassSet::imagenet) {
        for (const ImageNetClass& c : imagenet_classes()) names.emplace_back(c.name);
    }
    return names;
}

std::optional<std::int64_t> find_class(std::string_view folder, std::span<const std::string> names, ClassSet set) {
    if (set == ClassSet::imagenet && is_wordnet_id(folder.substr(0, 9)) &&
        (folder.size() == 9 || folder[9] == '_' || folder[9] == '-' || folder[9] == ' ')) {
        return find_by_id(folder.substr(0, 9));
    }
    for (std::size_t i = 0; i < names.size(); ++i) {  // as it stands, before anything is made equal
        if (names[i] == folder) return static_cast<std::int64_t>(i);
    }
    const std::string wanted = normalised(folder);
    std::optional<std::int64_t> found;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const bool same = normalised(names[i]) == wanted ||
                          (set == ClassSet::imagenet && normalised(imagenet_classes()[i].wordnet_name) == wanted);
        if (same && found) return {};
        if (same) found = static_cast<std::int64_t>(i);
    }
    return found;
}

}  // namespace cambium
