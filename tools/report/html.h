// Text for a report: what comes from outside is escaped here and nowhere else, and numbers are written for people. What
// is not finite is written as a dash.
#pragma once

#include <string>
#include <string_view>

namespace cambium::report {

// UTF-8 text, as content or within a quoted attribute: markup becomes harmless, control characters U+FFFD.
std::string escape(std::string_view text);
// A name from outside as content. Its writing direction cannot reorder the text around it.
std::string isolate(std::string_view name);

std::string percent(double fraction);               // 0.9333 -> "93.3 %"
std::string decimal(double value, int digits);      // fixed
std::string significant(double value);              // 0.001, 12.3, 1.5e-05
std::string whole(double value);                    // 1234567 -> "1,234,567"
std::string times(double value, std::string_view);  // (3, "photo") -> "3 photos"; "class" and "batch" get -es
std::string duration(double seconds);               // "12 s", "3 min 05 s", "2 h 10 min"
std::string short_path(std::string_view path);      // the last two parts

// <section id="ID"> with a heading; nothing at all if `content` is empty.
std::string section(std::string_view id, std::string_view title, std::string_view content);

}  // namespace cambium::report
