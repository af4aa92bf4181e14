#include "tools/common/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "tools/common/command.h"
#include "tools/common/terminal.h"

namespace cambium {

Progress::Progress(std::string title, std::int64_t total, std::string unit)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      terminal_(is_terminal_stderr()),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
    if (drawn_) std::fputs("\r\x1b[K", stderr);
}

void Progress::show(std::int64_t done) {
    if (!terminal_) return;
    const Clock::time_point now = Clock::now();
    if (first_ < 0) first_ = done;  // a resumed download has not just fetched what it starts with
    if (drawn_ && now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    drawn_ = true;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double rate = seconds > 0 ? static_cast<double>(done - first_) / seconds : 0;
    const std::string line = "\r" + progress_line(title_, done, total_, unit_, rate, line_width()) + "\x1b[K";
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
}

// The bar takes the columns that the words leave over.
std::string progress_line(std::string_view title, std::int64_t done, std::int64_t total, std::string_view unit,
                          double rate, std::size_t width) {
    constexpr std::size_t longest_bar = 30, shortest_bar = 5, frame = 3;  // " []"
    const std::string words = fmt::format(" {} of {} {}, {:.1f} a second", done, total, unit, rate);
    const std::size_t taken = columns(title) + columns(words) + frame;
    const std::size_t bar = taken < width ? std::min(longest_bar, width - taken) : 0;
    if (bar < shortest_bar) return clipped(fmt::format("{}{}", title, words), width);
    const double share = total > 0 ? std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0) : 0;
    const auto filled = static_cast<std::size_t>(share * static_cast<double>(bar));
    return fmt::format("{} [{:#>{}}{:>{}}]{}", title, "", filled, "", bar - filled, words);
}

}  // namespace cambium
