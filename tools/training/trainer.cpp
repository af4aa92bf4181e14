#include "tools/training/trainer.h"

#include <chrono>
#include <cmath>

#include "data/formats/atomic_file.h"
#include "engine/base/fail.h"
#include "engine/optim/optimizer.h"
#include "models/load.h"
#include "tools/training/average_swap.h"
#include "tools/training/interrupt.h"
#include "tools/training/phase_run.h"

namespace cambium {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }
double wall_clock() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

constexpr std::int64_t skipped_limit = 5;  // steps in a row without a finite gradient
constexpr double loss_limit = 5;           // times the first loss, or that of guessing

std::int64_t counter(const Store& store, const char* name) { return store.read(name).values<std::int32_t>()[0]; }

}  // namespace

class Trainer::Impl {
  public:
    explicit Impl(const TrainerOptions& options)
        : options_(options),
          config_(options.config),
          store_(options.backend.memory(), options.precision == Precision::f64 ? DType::f64 : DType::f32),
          checkpoint_(options.folder / "state") {
        network_.output("logits",
                        build_network(*options.start.architecture, image_input(network_, 1, config_.preprocessing),
                                      {.classes = static_cast<std::int64_t>(config_.classes.size())})
                            .logits);
        declare_entries(network_, store_, config_.seed);
    }

    void start() {
        load_pretrained();
        progress_ = {};
        log_ = std::make_unique<RunLog>(options_.folder, 0);
        enter_phase();
        save();
    }

    void load_pretrained() {
        if (!options_.start.source) return;
        const LoadReport report = load_weights(options_.start.source->weights, network_, store_,
                                               *options_.start.architecture, HeadPolicy::renew);
        options_.watcher.say(report.text());
    }

    void resume() {
        const Checkpoint::State state = checkpoint_.load();
        progress_ = state.progress;
        // The best network is needed at the very end; that it is gone must not be found out then.
        checkpoint_.verify(progress_.best.weights.fixed);
        checkpoint_.verify(progress_.best.weights.changing);
        log_ = std::make_unique<RunLog>(options_.folder, progress_.lines);
        if (log_->lines() > 0) seconds_before_ = log_->all().back().seconds;
        if (progress_.phase < std::ssize(config_.phases)) enter_phase();
        checkpoint_.read(state.weights.fixed, store_);
        checkpoint_.read(state.weights.changing, store_);
        saved_ = state.weights;
    }

    void train();
    Outcome conclude();

    void finish() {
        progress_.finished = true;
        checkpoint_.commit(progress_, saved_);
    }

    const RunState& progress() const { return progress_; }
    const std::vector<LogLine>& log() const { return log_->all(); }
    double seconds() const { return seconds_before_ + seconds_since(began_); }

  private:
    const PhaseConfig& phase_config() const { return config_.phases[static_cast<std::size_t>(progress_.phase)]; }
    std::int64_t first_epoch(std::int64_t phase) const {
        std::int64_t sum = 0;
        for (std::int64_t i = 0; i < phase; ++i) sum += config_.phases[static_cast<std::size_t>(i)].epochs;
        return sum;
    }

    bool phase_is_over() const;
    void forget_phase();
    void enter_phase();
    void run_phase();
    void run_epoch(Feed& feed);
    void end_epoch(Feed& feed);
    LogLine window_line();
    void check_health(const WindowSums& window);
    [[noreturn]] void diverged(const std::string& what);
    void glance(const LogLine& line, double wait_share);
    bool consider(const Scores& scores);
    void save();
    void write_model(const std::filesystem::path& path) const;
    PhaseRun::Scalars scalars() const;

    const TrainerOptions options_;
    const TrainingConfig& config_;
    Store store_;
    Checkpoint checkpoint_;
    Graph network_;  // in evaluation; what model.safetensors holds
    RunState progress_;
    Snapshot saved_;
    std::unique_ptr<RunLog> log_;
    std::unique_ptr<PhaseRun> phase_;
    Clock::time_point began_ = Clock::now(), window_began_ = Clock::now(), epoch_began_ = Clock::now();
    double seconds_before_ = 0;  // of training before this process
    std::int64_t window_photos_ = 0, phase_photos_ = 0;
    double phase_seconds_ = 0;
};

// What belonged to the phase before: its optimizer's state, its programs and their derived tensors.
void Trainer::Impl::forget_phase() {
    phase_.reset();
    store_.forget_derived();
    for (const std::string& name : store_.names()) {
        const EntrySpec& spec = store_.entry(name).spec;
        const bool network = network_.entries().contains(name) || name.ends_with(".num_batches_tracked");
        if (!network || spec.role == Role::optimizer) store_.erase(name);
    }
}

void Trainer::Impl::enter_phase() {
    forget_phase();
    phase_ = std::make_unique<PhaseRun>(options_, phase_config(), store_);
    saved_.fixed = {};
}

PhaseRun::Scalars Trainer::Impl::scalars() const {
    return {.learning_rate = learning_rate(phase_config().schedule, progress_.update),
            .average_rate = 1 - config_.average_decay,
            .dropout_step = progress_.micro_batches};
}

void Trainer::Impl::train() {
    const auto phases = static_cast<std::int64_t>(config_.phases.size());
    while (progress_.phase < phases) {
        run_phase();
        failpoint("phase-end");
        progress_.epoch = first_epoch(progress_.phase + 1);
        ++progress_.phase;
        progress_.update = progress_.attempts = progress_.updates = progress_.skipped_in_a_row = 0;
        progress_.epochs_without_gain = 0;
        progress_.has_first_loss = false;
        if (progress_.phase == phases) {
            progress_.trained = true;
        } else {
            enter_phase();
        }
        failpoint("phase-change");
        save();
    }
}

bool Trainer::Impl::phase_is_over() const {
    const bool patient = config_.patience == 0 || progress_.epochs_without_gain < config_.patience;
    return progress_.epoch >= first_epoch(progress_.phase) + phase_config().epochs || !patient;
}

void Trainer::Impl::run_phase() {
    if (phase_is_over()) return;
    phase_photos_ = window_photos_ = 0;
    phase_seconds_ = 0;
    window_began_ = epoch_began_ = Clock::now();  // computing features is part of the first epoch
    phase_->prepare();
    write_atomically(options_.folder / fmt::format("operators-{}.txt", phase_config().name), phase_->operators());
    const std::unique_ptr<Feed> feed = phase_->feed({progress_.epoch, progress_.batch});
    window_began_ = Clock::now();  // but not of the speed of its steps
    while (!phase_is_over()) {
        run_epoch(*feed);
        end_epoch(*feed);
    }
    if (progress_.epoch < first_epoch(progress_.phase) + phase_config().epochs) {
        options_.watcher.say(
            fmt::format("{} epochs without a better one: phase {} ends early", config_.patience, phase_config().name));
    }
}

void Trainer::Impl::run_epoch(Feed& feed) {
    while (true) {
        const FeedBatch batch = feed.next();
        const PhaseRun::Scalars now = scalars();
        phase_->micro_batch(batch, now);
        ++progress_.micro_batches, ++progress_.batch, ++progress_.counted;
        window_photos_ += batch.rows();
        phase_photos_ += batch.rows();
        if (progress_.batch % config_.accumulate != 0 && !batch.ends_epoch) continue;
        phase_->apply(now);
        ++progress_.update, ++progress_.step;
        if (batch.ends_epoch) return;
        if (progress_.update % config_.log_every == 0) {
            const LogLine line = window_line();
            log_->append(line);
            glance(line, feed.wait_share());
        }
        if (progress_.update % config_.save_every == 0) save();
        if (interrupted()) {
            save();
            throw Interrupted();
        }
    }
}

// Metrics are read from the device here and nowhere else.
LogLine Trainer::Impl::window_line() {
    const WindowSums window = take_window(store_);
    check_health(window);
    const double seconds = seconds_since(window_began_);
    LogLine line{.step = progress_.step, .epoch = progress_.epoch + 1, .phase = phase_config().name};
    line.lr = learning_rate(phase_config().schedule, progress_.update - 1);
    if (window.samples > 0) {
        line.train_loss = window.mean_loss();
        line.train_top1 = window.top1();
    }
    if (progress_.skipped > 0) line.skipped = progress_.skipped;
    line.clock = wall_clock();
    line.seconds = this->seconds();
    // Features are rows of a table; how many of them pass in a second says nothing about photos.
    if (phase_config().input == PhaseConfig::Input::images) {
        line.images_per_second = static_cast<double>(window_photos_) / std::max(seconds, 1e-9);
    }
    phase_seconds_ += seconds;
    window_photos_ = 0;
    window_began_ = Clock::now();
    return line;
}

void Trainer::Impl::check_health(const WindowSums& window) {
    const std::int64_t attempts = counter(store_, optimizer_attempts), updates = counter(store_, optimizer_steps);
    const std::int64_t tried = attempts - progress_.attempts, made = updates - progress_.updates;
    progress_.skipped += tried - made;
    progress_.skipped_in_a_row = made == 0 ? progress_.skipped_in_a_row + tried : 0;
    progress_.attempts = attempts;
    progress_.updates = updates;
    if (tried > made) {
        options_.watcher.say(
            fmt::format("{} of the last {} steps had a loss or gradient that is not finite, and were skipped",
                        tried - made, tried));
    }
    if (progress_.skipped_in_a_row >= skipped_limit) {
        diverged(fmt::format("the last {} steps had no finite loss and gradient", progress_.skipped_in_a_row));
    }
    if (window.samples == 0) return;
    const double loss = window.mean_loss();
    if (!progress_.has_first_loss) {
        progress_.has_first_loss = true;
        progress_.first_loss = loss;
    }
    const double guessing = std::log(static_cast<double>(config_.classes.size()));
    if (loss > loss_limit * std::max(progress_.first_loss, guessing)) {
        diverged(fmt::format("the training loss rose from {:.3g} to {:.3g}", progress_.first_loss, loss));
    }
}

void Trainer::Impl::diverged(const std::string& what) {
    const double rate = phase_config().schedule.rate;
    std::string kept = "no network was kept";
    if (progress_.best.epoch >= 0) {
        conclude();
        kept = fmt::format("the best network so far, of epoch {}, is in {}", progress_.best.epoch + 1,
                           (options_.folder / "model.safetensors").string());
    }
    fail(
        "training diverged in phase {}, step {}: {}. Train again with a lower rate, such as --lr {:.2g} (it was "
        "{:.2g}), or "
        "with --clip 1; {}",
        phase_config().name, progress_.step, what, rate / 10, rate, kept);
}

void Trainer::Impl::glance(const LogLine& line, double wait_share) {
    const PhaseConfig& phase = phase_config();
    double left = 0;
    if (phase_photos_ > 0) {
        const double total = static_cast<double>(phase.epochs * config_.train_count);
        const double done = static_cast<double>((progress_.epoch - first_epoch(progress_.phase)) * config_.train_count +
                                                progress_.batch * config_.batch);
        left = phase_seconds_ / static_cast<double>(phase_photos_) * std::max(0.0, total - done);
    }
    options_.watcher.glance({.phase = phase.name,
                             .epoch = progress_.epoch - first_epoch(progress_.phase),
                             .epochs = phase.epochs,
                             .batch = progress_.batch,
                             .batches = phase.batches_per_epoch,
                             .loss = line.train_loss.value_or(0),
                             .top1 = line.train_top1.value_or(0),
                             .images_per_second = line.images_per_second,
                             .seconds_left = left,
                             .wait_share = wait_share});
}

void Trainer::Impl::end_epoch(Feed& feed) {
    LogLine line = window_line();
    bool best = false;
    {
        const AverageSwap swap(store_);  // the averages are what is evaluated and kept, where there are any
        const Answers answers = phase_->answers(options_.data.validation);
        const Scores scores = score(answers.logits, answers.labels);
        line.val_loss = scores.loss;
        line.val_top1 = scores.top1;
        line.val_balanced_accuracy = scores.balanced_accuracy;
        line.val_macro_f1 = scores.macro_f1;
        best = consider(scores);
    }
    line.epoch_seconds = seconds_since(epoch_began_);
    if (phase_config().input == PhaseConfig::Input::images) line.wait_share = feed.wait_share();
    log_->append(line);
    options_.watcher.epoch(line, progress_.epoch - first_epoch(progress_.phase), phase_config().epochs, best);
    ++progress_.epoch;
    progress_.batch = 0;
    save();
    window_began_ = epoch_began_ = Clock::now();
    feed.restart_clock();
    if (interrupted()) throw Interrupted();
}

// Keeps the network if it is the best so far: by the criterion, then by loss.
bool Trainer::Impl::consider(const Scores& scores) {
    const double value = config_.criterion == Criterion::top1 ? scores.top1 : scores.balanced_accuracy;
    RunState::Best& best = progress_.best;
    if (best.epoch >= 0 && !(value > best.score || (value == best.score && scores.loss < best.loss))) {
        ++progress_.epochs_without_gain;
        return false;
    }
    progress_.epochs_without_gain = 0;
    phase_->count(std::exchange(progress_.counted, 0));
    if (saved_.fixed.file.empty()) saved_.fixed = checkpoint_.write(store_, phase_->fixed());
    best = {.phase = progress_.phase,
            .epoch = progress_.epoch,
            .step = progress_.step,
            .score = value,
            .loss = scores.loss,
            .weights = {saved_.fixed, checkpoint_.write(store_, phase_->changing_network())}};
    // Where epochs cost nothing the file is written at the end only.
    if (phase_config().input == PhaseConfig::Input::images) write_model(options_.folder / "model.safetensors");
    return true;
}

void Trainer::Impl::save() {
    failpoint("save");
    if (phase_) {
        phase_->count(std::exchange(progress_.counted, 0));
        if (saved_.fixed.file.empty()) saved_.fixed = checkpoint_.write(store_, phase_->fixed());
        saved_.changing = checkpoint_.write(store_, phase_->changing());
    }
    progress_.lines = log_->lines();
    log_->sync();
    checkpoint_.commit(progress_, saved_);
}

void Trainer::Impl::write_model(const std::filesystem::path& path) const {
    save_weights(path, network_, store_,
                 source_metadata(*options_.start.architecture, config_.classes, config_.preprocessing));
}

Outcome Trainer::Impl::conclude() {
    const RunState::Best& best = progress_.best;
    if (best.epoch < 0) fail("no epoch was completed, so there is no network to keep");
    if (interrupted()) throw Interrupted();
    const PhaseConfig& config = config_.phases[static_cast<std::size_t>(best.phase)];
    forget_phase();
    phase_ = std::make_unique<PhaseRun>(options_, config, store_);
    checkpoint_.read(best.weights.fixed, store_);
    checkpoint_.read(best.weights.changing, store_);
    write_model(options_.folder / "model.safetensors");
    Outcome outcome{.validation = phase_->answers(options_.data.validation),
                    .test = {},
                    .best = best,
                    .best_phase = config.name,
                    .skipped = progress_.skipped};
    if (options_.data.test) outcome.test = phase_->answers(options_.data.test);
    return outcome;
}

Trainer::Trainer(const TrainerOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Trainer::~Trainer() = default;
void Trainer::start() { impl_->start(); }
void Trainer::resume() { impl_->resume(); }
const RunState& Trainer::progress() const { return impl_->progress(); }
void Trainer::train() { impl_->train(); }
Outcome Trainer::conclude() { return impl_->conclude(); }
void Trainer::finish() { impl_->finish(); }
const std::vector<LogLine>& Trainer::log() const { return impl_->log(); }
double Trainer::seconds() const { return impl_->seconds(); }

}  // namespace cambium
