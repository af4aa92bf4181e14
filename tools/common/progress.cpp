#include "tools/common/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "tools/common/command.h"

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
    constexpr std::int64_t width = 30;
    if (!terminal_) return;
    const Clock::time_point now = Clock::now();
    if (first_ < 0) first_ = done;  // a resumed download has not just fetched what it starts with
    if (drawn_ && now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    drawn_ = true;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double rate = seconds > 0 ? static_cast<double>(done - first_) / seconds : 0;
    const std::int64_t filled = total_ > 0 ? std::clamp<std::int64_t>(width * done / total_, 0, width) : 0;
    const std::string line = fmt::format("\r{} [{:#>{}}{:>{}}] {} of {} {}, {:.1f} a second\x1b[K", title_, "", filled,
                                         "", width - filled, done, total_, unit_, rate);
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
}

}  // namespace cambium
