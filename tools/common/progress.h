// Progress: one line on standard error that is redrawn in place, on a terminal only.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace cambium {

class Progress {
  public:
    // `unit` is what is counted: "photos", "MB".
    Progress(std::string title, std::int64_t total, std::string unit);
    ~Progress();  // clears the line
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void show(std::int64_t done);  // at most ten times a second

  private:
    using Clock = std::chrono::steady_clock;
    std::string title_, unit_;
    std::int64_t total_, first_ = -1;
    bool terminal_, drawn_ = false;
    Clock::time_point start_, last_;
};

// The line for `done` of `total`, at most `width` columns: without the bar where that leaves no room for one.
std::string progress_line(std::string_view title, std::int64_t done, std::int64_t total, std::string_view unit,
                          double rate, std::size_t width);

}  // namespace cambium
