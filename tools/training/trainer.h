// Trainer: the loop. It takes a configuration from its first step, or from wherever a checkpoint stands, to the end of
// its last phase. Every decision is a function of configuration, data and RunState, and RunState is saved with the
// tensors it belongs to; so where a run was interrupted leaves no trace in its result.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/backends/backend.h"
#include "engine/graph/program.h"
#include "tools/training/checkpoint.h"
#include "tools/training/config.h"
#include "tools/training/dataset.h"
#include "tools/training/metrics.h"
#include "tools/training/plan.h"
#include "tools/training/run_log.h"

namespace cambium {

// Thrown when SIGINT or SIGTERM came, after a checkpoint was written.
struct Interrupted {};

// What a person watching wants to know, now and then.
struct Glance {
    std::string phase;
    std::int64_t epoch = 0, epochs = 0, batch = 0, batches = 0;  // within the phase and within the epoch
    double loss = 0, top1 = 0;                                   // of the last window
    std::optional<double> images_per_second{};                   // none where features are trained on, not photos
    double seconds_left = 0, wait_share = 0;
};

class Watcher {
  public:
    virtual ~Watcher() = default;
    virtual void say(std::string_view sentence) = 0;
    virtual void glance(const Glance& glance) = 0;
    virtual void features(std::int64_t done, std::int64_t total) = 0;
    virtual void epoch(const LogLine& line, std::int64_t epoch, std::int64_t epochs, bool best) = 0;
};

struct TrainerOptions {
    const TrainingConfig& config;
    const Dataset& data;
    const Start& start;
    Backend& backend;
    Precision precision = Precision::f32;
    std::filesystem::path folder;  // of the run
    std::filesystem::path cache;   // of features; empty: none on disk
    Watcher& watcher;
};

// What a network answers to all samples of a set: logits f32 [N, classes] and labels.
struct Answers {
    Tensor logits;
    std::vector<int> labels;
};

struct Outcome {
    Answers validation;  // of the best network
    std::optional<Answers> test{};
    RunState::Best best;
    std::string best_phase;
    std::int64_t skipped = 0;
};

class Trainer {
  public:
    explicit Trainer(const TrainerOptions& options);
    ~Trainer();

    void start();   // writes the first state
    void resume();  // reads the state; throws Error if any file of it is missing, damaged or does not fit
    const RunState& progress() const;

    // Trains to the end. Throws Interrupted, or Error if training diverges.
    void train();
    // Loads the best network, writes model.safetensors and evaluates it. Throws Interrupted.
    Outcome conclude();
    void finish();  // marks the run as finished
    const std::vector<LogLine>& log() const;
    double seconds() const;  // of training so far, in all parts of an interrupted run

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace cambium
