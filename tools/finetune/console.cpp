#include "tools/finetune/console.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include "tools/common/command.h"
#include "tools/common/terminal.h"

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

// "0:07", "12:20", "3:05:10"
std::string clock_text(double seconds) {
    const auto whole = static_cast<std::int64_t>(std::lround(seconds));
    const std::string tail = fmt::format("{:02}", whole % 60);
    if (whole < 3600) return fmt::format("{}:{}", whole / 60, tail);
    return fmt::format("{}:{:02}:{}", whole / 3600, whole % 3600 / 60, tail);
}

// The columns of the table of epochs. Widths include the gap before a column. The one that matters least goes first
// where there is no room for all.
struct Column {
    const char* title;
    std::size_t width;
    int importance;
};
constexpr std::array<Column, 8> epoch_columns = {{{"epoch", 7, 8},
                                                  {"loss", 9, 5},
                                                  {"accuracy", 10, 4},
                                                  {"val loss", 10, 6},
                                                  {"val acc.", 10, 7},
                                                  {"images/s", 9, 3},
                                                  {"seconds", 8, 2},
                                                  {"wait", 8, 1}}};
constexpr std::string_view best_mark = "  best";
using Cells = std::array<std::string, epoch_columns.size()>;

std::string row(const Cells& cells, std::int64_t epochs, std::size_t width) {
    std::array<std::size_t, epoch_columns.size()> widths{};
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = epoch_columns[i].width;
    widths[0] = std::max(widths[0], 2 * std::to_string(epochs).size() + 2);
    int dropped = 0;  // columns up to this importance
    const auto total = [&] {
        std::size_t sum = best_mark.size();
        for (std::size_t i = 0; i < widths.size(); ++i) sum += epoch_columns[i].importance > dropped ? widths[i] : 0;
        return sum;
    };
    while (total() > width && dropped + 1 < std::ssize(epoch_columns)) ++dropped;
    std::string text;
    for (std::size_t i = 0; i < widths.size(); ++i) {
        if (epoch_columns[i].importance > dropped) text += fmt::format("{:>{}}", cells[i], widths[i]);
    }
    return text;
}

}  // namespace

std::string glance_line(const Glance& g, std::size_t width) {
    std::string words =
        fmt::format("{} epoch {}/{}, batch {}/{}: loss {:.3f}, accuracy {}, {} left", g.phase, g.epoch + 1, g.epochs,
                    g.batch, g.batches, g.loss, percent(g.top1), seconds_text(g.seconds_left));
    std::vector<std::string> parts = {fmt::format("loss {:.3f}", g.loss), fmt::format("acc {:.1f}%", 100 * g.top1),
                                      fmt::format("{} left", clock_text(g.seconds_left))};
    if (g.images_per_second) {
        words += fmt::format(", {:.1f} images/s, {} waiting for photos", *g.images_per_second, percent(g.wait_share));
        parts.push_back(fmt::format("{:.1f}/s", *g.images_per_second));
        parts.push_back(fmt::format("wait {:.0f}%", 100 * g.wait_share));
    }
    if (columns(words) <= width) return words;
    std::string line =
        clipped(fmt::format("{} {}/{}, batch {}/{}", g.phase, g.epoch + 1, g.epochs, g.batch, g.batches), width);
    for (const std::string& part : parts) {
        if (columns(line) + 2 + columns(part) > width) break;
        line += ", " + part;
    }
    return line;
}

std::string epoch_head(std::int64_t epochs, std::size_t width) {
    Cells titles;
    for (std::size_t i = 0; i < titles.size(); ++i) titles[i] = epoch_columns[i].title;
    return clipped(row(titles, epochs, width), width);
}

std::string epoch_row(const LogLine& line, std::int64_t epoch, std::int64_t epochs, bool best, std::size_t width) {
    const auto number = [](const std::optional<double>& value, int digits) {
        return value ? fmt::format("{:.{}f}", *value, digits) : std::string("-");
    };
    const auto share = [](const std::optional<double>& value) { return value ? percent(*value) : std::string("-"); };
    const Cells cells = {fmt::format("{}/{}", epoch + 1, epochs),
                         number(line.train_loss, 4),
                         share(line.train_top1),
                         number(line.val_loss, 4),
                         share(line.val_top1),
                         number(line.images_per_second, 1),
                         number(line.epoch_seconds, 1),
                         share(line.wait_share)};
    return clipped(row(cells, epochs, width) + (best ? std::string(best_mark) : ""), width);
}

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
    write("\r\033[K" + clipped(line, line_width()));
    drawn_ = true;
}

void Console::prose(std::string_view text, std::size_t indent) const {
    write((terminal_ ? wrapped(text, line_width(), indent) : std::string(text)) + "\n");
}

void Console::say(std::string_view sentence) {
    clear();
    cambium::say(sentence);
}

void Console::glance(const Glance& g) { draw(glance_line(g, line_width())); }

void Console::features(std::int64_t done, std::int64_t total) {
    draw(fmt::format("features of {} of {} photos", done, total));
    if (done == total) clear();
}

void Console::epoch(const LogLine& line, std::int64_t epoch, std::int64_t epochs, bool best) {
    clear();
    if (line.phase != phase_) {
        phase_ = line.phase;
        write(fmt::format("\nphase {}\n{}\n", phase_, epoch_head(epochs, line_width())));
    }
    write(epoch_row(line, epoch, epochs, best, line_width()) + "\n");
}

void Console::choices(const TrainingConfig& config) {
    clear();
    if (!config.choices.empty()) write("chosen:\n");
    for (const Choice& choice : config.choices) {
        prose(fmt::format("  {} {}: {}", choice.what, choice.value, choice.reason), 4);
    }
}

void Console::estimate(const TrainingConfig& config, const Estimate& estimate) {
    clear();
    prose(fmt::format("data: {}, {} to train on, {} to validate{}", counted(std::ssize(config.classes), "class"),
                      counted(config.train_count, "photo"), config.validation_count,
                      config.test_count > 0 ? fmt::format(", {} to test", config.test_count) : ""),
          2);
    for (std::size_t i = 0; i < estimate.phases.size(); ++i) {
        const PhaseEstimate& phase = estimate.phases[i];
        const PhaseConfig& c = config.phases[i];
        prose(fmt::format("phase {}: {} of {}; trains {}, {} of {} parameters; frozen: {}", phase.name,
                          counted(c.epochs, "epoch"), counted(c.updates_per_epoch, "step"),
                          summarise(phase.parameters.trained), count_text(phase.parameters.trained_count),
                          count_text(phase.parameters.trained_count + phase.parameters.frozen_count),
                          summarise(phase.parameters.frozen)),
              2);
    }
    prose(fmt::format("this will take about {} and {} of memory{}", seconds_text(estimate.seconds),
                      bytes_text(estimate.bytes),
                      estimate.usable > 0 ? fmt::format(" ({} available)", bytes_text(estimate.usable)) : ""),
          2);
}

void Console::closing(const Outcome& outcome, const TrainingConfig& config, double seconds) {
    clear();
    const auto line = [](const auto&... cells) {
        write(clipped(fmt::format("{:<12} {:>8} {:>9} {:>12} {:>10} {:>20}", cells...), line_width()) + "\n");
    };
    const auto row = [&](const char* set, const Answers& answers) {
        const Scores s = score(answers.logits, answers.labels);
        line(set, s.count, percent(s.top1), percent(s.balanced_accuracy), fmt::format("{:.3f}", s.macro_f1),
             percent(s.majority));
    };
    write("\n");
    line("", "photos", "top-1", "balanced", "macro-F1", "majority baseline");
    row("validation", outcome.validation);
    if (outcome.test) row("test", *outcome.test);
    prose(fmt::format("best: epoch {} (phase {}), by {}; trained in {}", outcome.best.epoch + 1, outcome.best_phase,
                      config.criterion == Criterion::top1 ? "top-1" : "balanced accuracy", seconds_text(seconds)),
          2);
}

}  // namespace cambium
