#include "tools/common/json_writer.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/base/utf8.h"

namespace cambium {

void JsonWriter::separate() {
    if (text_.empty()) return;
    const char last = text_.back();
    if (last != '{' && last != '[' && last != ' ') text_ += ", ";
}

JsonWriter& JsonWriter::open(char bracket) {
    separate();
    text_ += bracket;
    return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
    text_ += bracket;
    return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
    separate();
    quote(name);
    text_ += ": ";
    return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
    separate();
    quote(text);
    return *this;
}

JsonWriter& JsonWriter::value(double number) {
    separate();
    text_ += std::isfinite(number) ? fmt::format("{}", number) : "null";
    return *this;
}

JsonWriter& JsonWriter::value(float number) {
    separate();
    text_ += std::isfinite(number) ? fmt::format("{}", number) : "null";
    return *this;
}

JsonWriter& JsonWriter::value(bool truth) {
    separate();
    text_ += truth ? "true" : "false";
    return *this;
}

JsonWriter& JsonWriter::integer(std::int64_t number) {
    separate();
    text_ += fmt::format("{}", number);
    return *this;
}

// Whatever would change a terminal is escaped too, so that JSON can be looked at.
void JsonWriter::quote(std::string_view text) {
    text_ += '"';
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const std::string_view character = text.substr(0, length == 0 ? 1 : length);
        if (character == "\"" || character == "\\") {
            text_ += '\\';
            text_ += character;
        } else {
            text_ += length == 0 ? "\xef\xbf\xbd" : printable(character);
        }
        text.remove_prefix(character.size());
    }
    text_ += '"';
}

}  // namespace cambium
