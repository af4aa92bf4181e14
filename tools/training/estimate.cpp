#include "tools/training/estimate.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/base/fail.h"
#include "tools/training/memory_limit.h"
#include "tools/training/phase_run.h"

namespace cambium {
namespace {

constexpr double waiting_batches = 4;  // photos that the loader holds ready

double timed(const std::function<void()>& work) {
    work();  // the first run prepares derived tensors and touches its memory
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// A batch without photos: black images or zero features, all of class 0.
FeedBatch empty_batch(const TrainingConfig& config, std::int64_t rows, const Shape* feature) {
    const std::int64_t side = config.preprocessing.crop;
    FeedBatch batch{Tensor({rows, side, side, 3}, DType::u8), Tensor({rows}, DType::i32),
                    Tensor({rows, static_cast<std::int64_t>(config.classes.size())}, DType::f32)};
    if (feature != nullptr) {
        std::vector<std::int64_t> extents = {rows};
        extents.insert(extents.end(), feature->extents().begin(), feature->extents().end());
        batch.values = Tensor(Shape(extents), DType::f32);
    }
    return batch;
}

class Estimator {
  public:
    explicit Estimator(const TrainerOptions& options) : options_(options), config_(options.config) {}

    PhaseEstimate phase(const PhaseConfig& phase) {
        Store store(options_.backend.memory(), options_.precision == Precision::f64 ? DType::f64 : DType::f32);
        declare_entries(PhaseGraphs(config_, phase, *options_.start.architecture).features(1), store);
        PhaseRun run(options_, phase, store);
        PhaseEstimate result{.name = phase.name, .parameters = run.graphs().parameters()};
        std::size_t arena = 0;
        result.seconds = phase.input == PhaseConfig::Input::features ? features(run, arena) : images(run, arena);
        const double photos =
            static_cast<double>(config_.batch * config_.preprocessing.crop * config_.preprocessing.crop);
        result.bytes = store.entry_bytes() + store.derived_bytes() + arena +
                       static_cast<std::size_t>(waiting_batches * 3 * photos);
        return result;
    }

    // Memory grows in a straight line with the batch; two points give it.
    std::int64_t batch_that_fits(const PhaseConfig& phase, std::size_t bytes, std::size_t available) {
        if (config_.batch < 2) return 0;
        TrainingConfig half = config_;
        half.batch = config_.batch / 2;
        const TrainerOptions options{
            half,           options_.data,   options_.start, options_.backend, options_.precision, options_.folder,
            options_.cache, options_.watcher};
        const std::size_t less = Estimator(options).phase(phase).bytes;
        const double each = static_cast<double>(bytes - less) / static_cast<double>(config_.batch - half.batch);
        const double fixed = static_cast<double>(bytes) - each * static_cast<double>(config_.batch);
        return std::max<std::int64_t>(0, static_cast<std::int64_t>((static_cast<double>(available) - fixed) / each));
    }

  private:
    double images(PhaseRun& run, std::size_t& arena) const {
        const FeedBatch batch = empty_batch(config_, config_.batch, nullptr);
        const double step = timed([&] { run.micro_batch(batch, {}); });
        arena = run.train_program(config_.batch).arena_bytes();
        const PhaseConfig& phase = run.config();
        const double validation =
            step / 3 * static_cast<double>(config_.validation_count) / static_cast<double>(config_.batch);
        return static_cast<double>(phase.epochs) * (static_cast<double>(phase.batches_per_epoch) * step + validation);
    }

    double features(PhaseRun& run, std::size_t& arena) const {
        Program& program = run.feature_program();
        program.set(images_input, empty_batch(config_, config_.evaluation_batch, nullptr).values);
        const double pass = timed([&] { program.run(); });
        arena = program.arena_bytes();
        const Shape feature = run.graphs().feature_shape();
        const FeedBatch batch = empty_batch(config_, config_.batch, &feature);
        const double step = timed([&] { run.micro_batch(batch, {}); });
        arena = std::max(arena, run.train_program(config_.batch).arena_bytes());
        const std::int64_t photos = config_.train_count + config_.validation_count;
        arena += static_cast<std::size_t>(photos * feature.count()) * sizeof(float);
        const PhaseConfig& phase = run.config();
        return pass * std::ceil(static_cast<double>(photos) / static_cast<double>(config_.evaluation_batch)) +
               step * static_cast<double>(phase.epochs * phase.batches_per_epoch);
    }

    const TrainerOptions& options_;
    const TrainingConfig& config_;
};

}  // namespace

Estimate estimate(const TrainerOptions& options) {
    Estimate result{.available = available_memory()};
    Estimator estimator(options);
    const PhaseConfig* largest = nullptr;
    for (const PhaseConfig& phase : options.config.phases) {
        result.phases.push_back(estimator.phase(phase));
        result.seconds += result.phases.back().seconds;
        if (result.phases.back().bytes > result.bytes) {
            result.bytes = result.phases.back().bytes;
            largest = &phase;
        }
    }
    if (!result.fits()) result.batch_that_fits = estimator.batch_that_fits(*largest, result.bytes, result.available);
    return result;
}

std::string bytes_text(std::size_t bytes) {
    const double megabytes = static_cast<double>(bytes) / 1e6;
    return megabytes < 1000 ? fmt::format("{:.0f} MB", megabytes) : fmt::format("{:.1f} GB", megabytes / 1000);
}

std::string seconds_text(double seconds) {
    if (seconds < 60) return fmt::format("{:.0f} s", seconds);
    const auto whole = static_cast<std::int64_t>(std::lround(seconds));
    if (seconds < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
    return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace cambium
