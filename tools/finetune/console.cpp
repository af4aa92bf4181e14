#include "tools/finetune/console.h"

#include <fmt/format.h>

#include <cstdio>

#include "tools/common/command.h"

namespace cambium {
namespace {

void write(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
}

std::string percent(double fraction) { return fmt::format("{:.1f} %", 100 * fraction); }

std::string count_text(std::int64_t count) {
    if (count >= 1'000'000) return fmt::format("{:.1f} M", static_cast<double>(count) * 1e-6);
    return count >= 10'000 ? fmt::format("{:.0f} k", static_cast<double>(count) * 1e-3) : std::to_string(count);
}

}  // namespace

Console::Console() : terminal_(is_terminal_stderr()) {}
Console::~Console() { clear(); }

void Console::clear() {
    if (drawn_) write("\r\033[K");
    drawn_ = false;
}

// At most five times a second.
void Console::draw(const std::string& line) {
    const auto now = std::chrono::steady_clock::now();
    if (!terminal_ || now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    write("\r\033[K" + line);
    drawn_ = true;
}

void Console::say(std::string_view sentence) {
    clear();
    cambium::say(sentence);
}

void Console::glance(const Glance& g) {
    draw(fmt::format(
        "{} epoch {}/{}, batch {}/{}: loss {:.3f}, accuracy {}, {:.1f} images/s, {} left, {} waiting for photos",
        g.phase, g.epoch + 1, g.epochs, g.batch, g.batches, g.loss, percent(g.top1), g.images_per_second,
        seconds_text(g.seconds_left), percent(g.wait_share)));
}

void Console::features(std::int64_t done, std::int64_t total) {
    draw(fmt::format("features of {} of {} photos", done, total));
    if (done == total) clear();
}

void Console::epoch(const LogLine& line, std::int64_t epoch, std::int64_t epochs, bool best) {
    clear();
    if (line.phase != phase_) {
        phase_ = line.phase;
        write(fmt::format("\nphase {}\n{:>8} {:>11} {:>11} {:>9} {:>9} {:>9} {:>8} {:>6}\n", phase_, "epoch",
                          "train loss", "train acc.", "val loss", "val acc.", "images/s", "seconds", "wait"));
    }
    write(fmt::format("{:>8} {:>11.4f} {:>11} {:>9.4f} {:>9} {:>9.1f} {:>8.1f} {:>6}{}\n",
                      fmt::format("{}/{}", epoch + 1, epochs), line.train_loss.value_or(0),
                      percent(line.train_top1.value_or(0)), line.val_loss.value_or(0),
                      percent(line.val_top1.value_or(0)), line.images_per_second.value_or(0),
                      line.epoch_seconds.value_or(0), percent(line.wait_share.value_or(0)), best ? "  best" : ""));
}

void Console::choices(const TrainingConfig& config) {
    clear();
    if (!config.choices.empty()) write("chosen:\n");
    for (const Choice& choice : config.choices) {
        write(fmt::format("  {} {}: {}\n", choice.what, choice.value, choice.reason));
    }
}

void Console::estimate(const TrainingConfig& config, const Estimate& estimate) {
    clear();
    write(fmt::format("data: {} classes, {} photos to train on, {} to validate{}\n", config.classes.size(),
                      config.train_count, config.validation_count,
                      config.test_count > 0 ? fmt::format(", {} to test", config.test_count) : ""));
    for (std::size_t i = 0; i < estimate.phases.size(); ++i) {
        const PhaseEstimate& phase = estimate.phases[i];
        const PhaseConfig& c = config.phases[i];
        write(fmt::format("phase {}: {} epochs of {} steps; trains {}, {} of {} parameters; frozen: {}\n", phase.name,
                          c.epochs, c.updates_per_epoch, summarise(phase.parameters.trained),
                          count_text(phase.parameters.trained_count),
                          count_text(phase.parameters.trained_count + phase.parameters.frozen_count),
                          summarise(phase.parameters.frozen)));
    }
    write(fmt::format("this will take about {} and {} of memory{}\n", seconds_text(estimate.seconds),
                      bytes_text(estimate.bytes),
                      estimate.available > 0 ? fmt::format(" ({} available)", bytes_text(estimate.available)) : ""));
}

void Console::closing(const Outcome& outcome, const TrainingConfig& config, double seconds) {
    clear();
    const auto row = [&](const char* set, const Answers& answers) {
        const Scores s = score(answers.logits, answers.labels);
        write(fmt::format("{:<12} {:>8} {:>9} {:>12} {:>10} {:>20}\n", set, s.count, percent(s.top1),
                          percent(s.balanced_accuracy), fmt::format("{:.3f}", s.macro_f1), percent(s.majority)));
    };
    write(fmt::format("\n{:<12} {:>8} {:>9} {:>12} {:>10} {:>20}\n", "", "photos", "top-1", "balanced", "macro-F1",
                      "majority baseline"));
    row("validation", outcome.validation);
    if (outcome.test) row("test", *outcome.test);
    write(fmt::format("best: epoch {} (phase {}), by {}; trained in {}\n", outcome.best.epoch + 1, outcome.best_phase,
                      config.criterion == Criterion::top1 ? "top-1" : "balanced accuracy", seconds_text(seconds)));
}

}  // namespace cambium
