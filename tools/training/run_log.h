// RunLog: metrics.jsonl and the TensorBoard events made from it. A line is one JSON object; whatever depends on clock
// or memory stands inside its object "time", so that everything else is the same in every run of the same
// configuration.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/report/events.h"

namespace cambium {

// What one line says; absent values are left out.
struct LogLine {
    std::int64_t step = 0, epoch = 0;  // of the run; epochs from 1
    std::string phase{};
    std::optional<double> lr{}, train_loss{}, train_top1{};
    std::optional<double> val_loss{}, val_top1{}, val_balanced_accuracy{}, val_macro_f1{};
    std::optional<std::int64_t> skipped{};
    // "time": seconds since 1970; of training so far, in all parts of an interrupted run; and what the machine did.
    double clock = 0, seconds = 0;
    std::optional<double> images_per_second{}, wait_share{}, epoch_seconds{};
};

class RunLog {
  public:
    // Keeps the first `lines` lines of what is there and drops the rest: a resumed run writes them again. Throws Error
    // if there are fewer, if one of them is damaged, or if the folder cannot be written.
    RunLog(const std::filesystem::path& folder, std::int64_t lines);

    void append(const LogLine& line);
    std::int64_t lines() const { return static_cast<std::int64_t>(lines_.size()); }
    const std::vector<LogLine>& all() const { return lines_; }
    void sync();  // to the disk; before a checkpoint that counts these lines

  private:
    void to_events(const LogLine& line);
    std::filesystem::path path_;
    std::vector<LogLine> lines_;
    std::unique_ptr<EventWriter> events_;
};

std::string to_json_line(const LogLine& line);
LogLine log_line_from_json(const std::string& text);  // throws Error naming what is wrong

}  // namespace cambium
