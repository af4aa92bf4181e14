// Console: what a person sees of a run, on standard error. A line that is redrawn in place appears on a terminal only;
// what lasts (sentences, one line an epoch) appears everywhere. On a terminal nothing is wider than it: prose is broken
// at words, and rows drop what matters least.
#pragma once

#include <chrono>
#include <string>

#include "tools/training/estimate.h"
#include "tools/training/trainer.h"

namespace cambium {

class Console final : public Watcher {
  public:
    Console();
    ~Console() override;

    void say(std::string_view sentence) override;
    void glance(const Glance& glance) override;
    void features(std::int64_t done, std::int64_t total) override;
    void epoch(const LogLine& line, std::int64_t epoch, std::int64_t epochs, bool best) override;

    void choices(const TrainingConfig& config);
    void estimate(const TrainingConfig& config, const Estimate& estimate);
    // Top-1, balanced accuracy and macro-F1 beside always answering the most frequent class.
    void closing(const Outcome& outcome, const TrainingConfig& config, double seconds);

  private:
    void draw(const std::string& line);
    void clear();
    void prose(std::string_view text, std::size_t indent) const;  // one line, or several on a terminal
    bool terminal_, drawn_ = false;
    std::string phase_;
    std::chrono::steady_clock::time_point last_{};
};

// A glance in one line of at most `width` columns: in words, in short where those do not fit, and if need be without
// its last parts.
std::string glance_line(const Glance& glance, std::size_t width);

// The table of epochs: its head, and the row of one epoch ("epoch" of "epochs", from 0). Both have the same columns for
// the same `epochs` and `width`, and are at most `width` columns wide.
std::string epoch_head(std::int64_t epochs, std::size_t width);
std::string epoch_row(const LogLine& line, std::int64_t epoch, std::int64_t epochs, bool best, std::size_t width);

}  // namespace cambium
