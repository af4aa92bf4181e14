#include "tools/report/html.h"

#include <fmt/format.h>

#include <cmath>

namespace cambium::report {
namespace {

constexpr const char* dash = "\u2013";

}  // namespace

std::string escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '&') {
            out += "&amp;";
        } else if (c == '<') {
            out += "&lt;";
        } else if (c == '>') {
            out += "&gt;";
        } else if (c == '"') {
            out += "&#34;";
        } else if (c == '\'') {
            out += "&#39;";
        } else if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f) {
            out += "\ufffd";
        } else {
            out += c;
        }
    }
    return out;
}

std::string isolate(std::string_view name) { return "<bdi>" + escape(name) + "</bdi>"; }

std::string percent(double fraction) {
    return std::isfinite(fraction) ? fmt::format("{:.1f}&#160;%", 100 * fraction) : dash;
}

std::string decimal(double value, int digits) {
    return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : dash;
}

std::string significant(double value) { return std::isfinite(value) ? fmt::format("{:.3g}", value) : dash; }

std::string whole(double value) {
    if (!std::isfinite(value)) return dash;
    std::string digits = fmt::format("{:.0f}", value);
    const std::size_t sign = digits[0] == '-' ? 1 : 0;
    for (std::size_t i = digits.size(); i > sign + 3;) digits.insert(i -= 3, ",");
    return digits;
}

std::string times(double value, std::string_view what) {
    const std::string_view ending = value == 1 ? "" : what.ends_with('s') || what.ends_with("tch") ? "es" : "s";
    return fmt::format("{} {}{}", whole(value), what, ending);
}

std::string duration(double seconds) {
    if (!std::isfinite(seconds)) return dash;
    if (seconds < 10) return fmt::format("{:.1f} s", seconds);
    const auto total = static_cast<long long>(std::llround(seconds));
    if (total < 60) return fmt::format("{} s", total);
    if (total < 3600) return fmt::format("{} min {:02} s", total / 60, total % 60);
    return fmt::format("{} h {:02} min", total / 3600, total % 3600 / 60);
}

std::string short_path(std::string_view path) {
    const std::size_t name = path.rfind('/');
    if (name == std::string_view::npos || name == 0) return std::string(path);
    const std::size_t folder = path.rfind('/', name - 1);
    return std::string(folder == std::string_view::npos ? path : path.substr(folder + 1));
}

std::string section(std::string_view id, std::string_view title, std::string_view content) {
    if (content.empty()) return {};
    return fmt::format(
        "<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 id=\"{0}-title\">{1}</h2>\n{2}</section>\n", id, title,
        content);
}

}  // namespace cambium::report
