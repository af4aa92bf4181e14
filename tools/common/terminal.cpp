#include "tools/common/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace cambium {
namespace {

constexpr std::size_t usual_columns = 80;
constexpr std::string_view ellipsis = "...";

std::size_t width_of(int descriptor, std::size_t otherwise) {
    winsize size{};
    const bool known = ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return known ? size.ws_col - std::size_t{1} : otherwise;
}

bool begins_code_point(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

}  // namespace

std::size_t line_width() { return width_of(STDERR_FILENO, usual_columns - 1); }
std::size_t result_width() { return width_of(STDOUT_FILENO, 100); }

std::size_t columns(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_code_point));
}

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
    std::string result;
    std::size_t used = 0;
    bool fresh = true;  // nothing but the indent stands in this line
    while (!text.empty()) {
        // A word, with the spaces before it.
        const std::size_t start = std::min(text.find_first_not_of(' '), text.size());
        const std::size_t end = std::min(text.find_first_of(" \n", start), text.size());
        const std::string_view word = text.substr(start, end - start);
        if (!fresh && used + start + columns(word) > width) {
            result += "\n" + std::string(indent, ' ');
            used = indent;
        } else {
            result.append(start, ' ');
            used += start;
        }
        result += word;
        used += columns(word);
        fresh = false;
        text.remove_prefix(end);
        if (text.starts_with('\n')) {
            result += '\n';
            text.remove_prefix(1);
            used = 0;
            fresh = true;
        }
    }
    return result;
}

std::string clipped(std::string_view text, std::size_t width) {
    std::size_t shown = 0, end = 0;
    for (; end < text.size(); ++end) {
        if (begins_code_point(text[end]) && shown++ == width) break;
    }
    return std::string(text.substr(0, end));
}

std::string shortened_front(std::string_view text, std::size_t width) {
    const std::size_t all = columns(text);
    if (all <= width) return std::string(text);
    if (width <= ellipsis.size()) return clipped(ellipsis, width);
    text.remove_prefix(clipped(text, all - (width - ellipsis.size())).size());
    return std::string(ellipsis) + std::string(text);
}

std::string shortened_back(std::string_view text, std::size_t width) {
    if (columns(text) <= width) return std::string(text);
    if (width <= ellipsis.size()) return clipped(ellipsis, width);
    return clipped(text, width - ellipsis.size()) + std::string(ellipsis);
}

std::string counted(std::int64_t count, std::string_view what) {
    const std::string_view ending = count == 1 ? "" : what.ends_with('s') || what.ends_with("tch") ? "es" : "s";
    return fmt::format("{} {}{}", count, what, ending);
}

}  // namespace cambium
