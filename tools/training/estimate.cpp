#include "tools/training/estimate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>

#include "data/images/augment.h"
#include "engine/base/fail.h"
#include "engine/base/parallel.h"
#include "tools/training/memory_limit.h"
#include "tools/training/phase_run.h"

namespace cambium {
namespace {

constexpr std::int64_t held_batches = 5;  // of photos: those that the loader holds ready, and the one in work

double seconds_of(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Seconds of the fastest of a few runs of what is going to run `repeats` times. The first prepares derived tensors and
// touches its memory, so there is a second unless it costs over a fiftieth of the whole or ten seconds; the others only
// while all of them together take less than a hundredth of the whole and less than a second.
double fastest(double repeats, const std::function<void()>& work) {
    constexpr int most_runs = 10;
    double best = seconds_of(work), spent = best;
    for (int run = 1; run < most_runs; ++run) {
        const double allowed = std::clamp(0.01 * best * repeats, 0.05, 1.0);
        const bool second = run == 1 && repeats >= 50 && best < 10;
        if (!second && spent + best > allowed) break;
        const double seconds = seconds_of(work);
        best = std::min(best, seconds);
        spent += seconds;
    }
    return best;
}

// Seconds in which all processors together read one photo: the mean over some of a source, spread evenly.
double photo_seconds(const ImageSource& source) {
    constexpr std::int64_t most = 16;
    const std::int64_t stride = std::max<std::int64_t>(1, source.size() / most);
    double spent = 0, photos = 0;
    for (std::int64_t index = 0; index < source.size() && spent < 0.1; index += stride) {
        try {
            spent += seconds_of([&] { static_cast<void>(source.image(index)); });
            photos += 1;
        } catch (const Error&) {
            continue;  // training names it
        }
    }
    return photos == 0 ? 0 : spent / photos / thread_count();
}

// A batch without photos: black images that stay as they are, or zero features, all of class 0.
FeedBatch empty_batch(const TrainingConfig& config, std::int64_t rows, const Shape* feature) {
    const std::int64_t side = config.preprocessing.crop;
    FeedBatch batch{.values = Tensor({rows, side, side, 3}, DType::u8),
                    .labels = Tensor({rows}, DType::i32),
                    .table = to_table(std::vector<AugmentParameters>(static_cast<std::size_t>(rows))),
                    .targets = Tensor({rows, static_cast<std::int64_t>(config.classes.size())}, DType::f32)};
    if (feature != nullptr) {
        std::vector<std::int64_t> extents = {rows};
        extents.insert(extents.end(), feature->extents().begin(), feature->extents().end());
        batch.values = Tensor(Shape(extents), DType::f32);
    }
    return batch;
}

std::size_t photo_bytes(const TrainingConfig& config, std::int64_t photos) {
    const std::int64_t side = config.preprocessing.crop;
    return static_cast<std::size_t>(photos * side * side * 3);
}

// Bytes that a phase takes. Training and evaluation share one arena.
struct Need {
    std::size_t fixed = 0, training = 0, evaluation = 0;
    std::size_t sum() const { return fixed + std::max(training, evaluation); }
};

std::size_t value_bytes(const Graph& graph) {
    std::size_t sum = 0;
    for (const ValueInfo& value : graph.values()) sum += value.spec.bytes();
    return sum;
}

// One phase of a configuration.
class Work {
  public:
    Work(const TrainerOptions& options, const PhaseConfig& phase)
        : config_(options.config),
          store_(options.backend.memory(), options.precision == Precision::f64 ? DType::f64 : DType::f32) {
        declare_entries(PhaseGraphs(config_, phase, *options.start.architecture).features(1), store_, 0,
                        FirstValue::zero);
        run_ = std::make_unique<PhaseRun>(options, phase, store_);
        if (from_features()) feature_ = run_->graphs().feature_shape();
    }

    const PhaseGraphs& graphs() const { return run_->graphs(); }

    // What it cannot exceed, before anything is compiled: all values at once.
    std::size_t at_most() const {
        const std::int64_t batch = config_.evaluation_batch;
        const Graph evaluation = from_features() ? graphs().features(batch) : graphs().evaluate(batch, {});
        const std::size_t values =
            std::max(value_bytes(graphs().train(config_.batch, feature_)), value_bytes(evaluation));
        return fixed() + store_.entry_bytes() + values + photo_bytes(config_, held_batches * (config_.batch + batch));
    }
    // Compiles the programs.
    Need need() {
        Program& evaluation = from_features() ? run_->feature_program() : run_->evaluation_program();
        Need need{
            .training = run_->train_program(config_.batch).arena_bytes(),
            .evaluation = evaluation.arena_bytes() + photo_bytes(config_, held_batches * config_.evaluation_batch)};
        if (!from_features()) need.training += photo_bytes(config_, held_batches * config_.batch);
        need.fixed = fixed();
        return need;
    }

    // Of training and validation; `photo` are the seconds that reading one takes, on the same processors.
    double seconds(double photo) {
        const PhaseConfig& phase = run_->config();
        const double epoch_photos = static_cast<double>(config_.train_count + config_.validation_count);
        const double steps = static_cast<double>(phase.epochs * phase.batches_per_epoch);
        const FeedBatch batch = empty_batch(config_, config_.batch, from_features() ? &feature_ : nullptr);
        const double step = fastest(steps, [&] {
            run_->micro_batch(batch, {});
            run_->train_program(batch.rows()).wait();
        });
        if (!from_features()) {
            // Evaluation is a forward pass, a third of a step.
            const double validation =
                step / 3 * static_cast<double>(config_.validation_count) / static_cast<double>(config_.batch);
            return steps * step + static_cast<double>(phase.epochs) * (validation + epoch_photos * photo);
        }
        Program& program = run_->feature_program();
        program.set(images_input, empty_batch(config_, config_.evaluation_batch, nullptr).values);
        const double passes = std::ceil(epoch_photos / static_cast<double>(config_.evaluation_batch));
        return steps * step +
               passes * fastest(passes,
                                [&] {
                                    program.run();
                                    program.wait();
                                }) +
               epoch_photos * photo;
    }

  private:
    bool from_features() const { return graphs().from_features(); }
    // Entries, derived tensors of what is compiled, and features.
    std::size_t fixed() const {
        const std::int64_t photos = from_features() ? config_.train_count + config_.validation_count : 0;
        return store_.entry_bytes() + store_.derived_bytes() +
               static_cast<std::size_t>(photos * feature_.count()) * sizeof(float);
    }

    const TrainingConfig& config_;
    Store store_;
    std::unique_ptr<PhaseRun> run_;
    Shape feature_;
};

// What a phase would need with other batches.
Need need_with(const TrainerOptions& options, std::size_t phase, std::int64_t batch, std::int64_t evaluation_batch) {
    TrainingConfig config = options.config;
    config.batch = batch;
    config.evaluation_batch = evaluation_batch;
    const TrainerOptions varied{config,         options.data,  options.start,  options.backend, options.precision,
                                options.folder, options.cache, options.watcher};
    return Work(varied, config.phases[phase]).need();
}

// Memory grows with the batch in a straight line, or faster where another moment of the step becomes the fullest. The
// line through one and two photos says what any batch needs at least, without compiling programs for which there may be
// no memory.
class Line {
  public:
    Line(const TrainerOptions& options, std::size_t phase)
        : one_(need_with(options, phase, 1, 1)), two_(need_with(options, phase, 2, 2)) {}

    Need at(std::int64_t batch, std::int64_t evaluation_batch) const {
        return {.fixed = std::max(one_.fixed, two_.fixed),
                .training = at(one_.training, two_.training, batch),
                .evaluation = at(one_.evaluation, two_.evaluation, evaluation_batch)};
    }

  private:
    static std::size_t at(std::size_t one, std::size_t two, std::int64_t batch) {
        return one + (std::max(one, two) - one) * static_cast<std::size_t>(batch - 1);
    }
    Need one_, two_;
};

// The largest number up to `most` that fits, if all smaller ones do; 0 if none does.
std::int64_t largest(std::int64_t most, const std::function<bool(std::int64_t)>& fits) {
    std::int64_t low = 0, high = most + 1;  // low fits, high does not
    while (high - low > 1) {
        const std::int64_t middle = low + (high - low) / 2;
        (fits(middle) ? low : high) = middle;
    }
    return low;
}

// Lowers the batches of `result` to what fits one phase: where the line says so, and compiling it agrees.
void lower(const TrainerOptions& options, std::size_t phase, const Line& line, Estimate& result) {
    const auto fits = [&](const Need& need, std::size_t part) { return need.fixed + part <= result.usable; };
    std::int64_t& evaluation = result.evaluation_batch_that_fits;
    evaluation = largest(evaluation, [&](std::int64_t n) {
        const Need need = line.at(1, n);
        return fits(need, need.evaluation);
    });
    std::int64_t& batch = result.batch_that_fits;
    batch = largest(batch, [&](std::int64_t n) {
        const Need need = line.at(n, 1);
        return fits(need, need.training);
    });
    while (batch > 0 && evaluation > 0) {
        const Need need = need_with(options, phase, batch, evaluation);
        const bool trains = fits(need, need.training), evaluates = fits(need, need.evaluation);
        if (trains && evaluates) return;
        if (!trains) batch -= std::max<std::int64_t>(1, batch / 16);
        if (!evaluates) evaluation -= std::max<std::int64_t>(1, evaluation / 16);
    }
}

}  // namespace

Estimate estimate(const TrainerOptions& options) { return estimate(options, available_memory() / 10 * 9); }

Estimate estimate(const TrainerOptions& options, std::size_t usable) {
    const TrainingConfig& config = options.config;
    Estimate result{
        .usable = usable, .batch_that_fits = config.batch, .evaluation_batch_that_fits = config.evaluation_batch};
    std::vector<std::unique_ptr<Work>> works;
    for (std::size_t i = 0; i < config.phases.size(); ++i) {
        const PhaseConfig& phase = config.phases[i];
        works.push_back(std::make_unique<Work>(options, phase));
        Work& work = *works.back();
        std::size_t bytes = 0;
        if (usable == 0 || work.at_most() <= usable) {
            bytes = work.need().sum();
        } else {
            const Line line(options, i);
            bytes = line.at(config.batch, config.evaluation_batch).sum();
            if (bytes <= usable) bytes = work.need().sum();
            if (bytes > usable) lower(options, i, line, result);
        }
        result.phases.push_back({.name = phase.name, .parameters = work.graphs().parameters(), .bytes = bytes});
        result.bytes = std::max(result.bytes, bytes);
    }
    if (!result.fits()) return result;
    const double photo = photo_seconds(*options.data.train);
    for (std::size_t i = 0; i < works.size(); ++i) {
        result.phases[i].seconds = works[i]->seconds(photo);
        works[i].reset();  // the next phase may need its memory
        result.seconds += result.phases[i].seconds;
    }
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
