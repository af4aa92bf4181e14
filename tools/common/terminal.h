// What a terminal can show: how wide a line may be, and prose broken at words to fit it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cambium {

// Columns that a line on standard error may fill: one less than the terminal has, since writing the last one makes some
// terminals begin a new line; 79 where it does not say, and where there is no terminal. Asked anew each time.
std::size_t line_width();

// The same for results on standard output; 100 where it is no terminal: tables in a file may be wider than prose.
std::size_t result_width();

// Columns that UTF-8 text takes, one a code point.
std::size_t columns(std::string_view text);

// `text` broken at spaces into lines of at most `width` columns, without a line feed at the end; the lines after a
// break begin with `indent` spaces. A word that is longer than a line stays whole: a path can then still be copied.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent = 0);

// The first `width` columns of `text`.
std::string clipped(std::string_view text, std::size_t width);
// `text` if it fits; else as much of it as does, after or before an ellipsis.
std::string shortened_front(std::string_view text, std::size_t width);  // "...block.1.conv2": keeps its end
std::string shortened_back(std::string_view text, std::size_t width);

// "1 class", "2 classes", "3 photos"
std::string counted(std::int64_t count, std::string_view what);

}  // namespace cambium
