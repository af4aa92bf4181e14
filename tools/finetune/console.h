// Console: what a person sees of a run, on standard error. A line that is redrawn in place appears on a terminal only;
// what lasts (sentences, one line an epoch) appears everywhere.
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
    bool terminal_, drawn_ = false;
    std::string phase_;
    std::chrono::steady_clock::time_point last_{};
};

}  // namespace cambium
