#include "engine/optim/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "engine/base/fail.h"

namespace cambium {
namespace {

constexpr std::array<std::string_view, 4> names = {"constant", "step", "cosine", "one-cycle"};

// From `from` at 0 to `to` at 1 along half a cosine.
double half_cosine(double from, double to, double progress) {
    return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * progress));
}

// As OneCycleLR counts: the peak falls on step rise * total - 1, the end on total - 1; both may be fractions.
double one_cycle(const Schedule& schedule, double step, double total) {
    const double start = schedule.rate / schedule.divisor, end = start / schedule.final_divisor;
    const double peak = schedule.rise * total - 1, last = total - 1;
    if (step <= peak && peak > 0) return half_cosine(start, schedule.rate, step / peak);
    if (last <= peak) return end;
    return half_cosine(schedule.rate, end, (step - peak) / (last - peak));
}

}  // namespace

double learning_rate(const Schedule& schedule, std::int64_t step) {
    step = std::clamp<std::int64_t>(step, 0, std::max<std::int64_t>(schedule.total_steps - 1, 0));
    if (step < schedule.warmup_steps) {
        const double progress = static_cast<double>(step) / static_cast<double>(schedule.warmup_steps);
        return schedule.rate * (schedule.warmup_factor + (1 - schedule.warmup_factor) * progress);
    }
    const double t = static_cast<double>(step - schedule.warmup_steps);
    const double total = static_cast<double>(schedule.total_steps - schedule.warmup_steps);
    switch (schedule.kind) {
        case Schedule::Kind::constant:
            break;
        case Schedule::Kind::step:
            return schedule.rate * std::pow(schedule.decay, std::floor(t / static_cast<double>(schedule.interval)));
        case Schedule::Kind::cosine:
            return half_cosine(schedule.rate, schedule.final_rate, t / total);
        case Schedule::Kind::one_cycle:
            return one_cycle(schedule, t, total);
    }
    return schedule.rate;
}

std::string_view name_of(Schedule::Kind kind) { return names[static_cast<std::size_t>(kind)]; }

Schedule::Kind schedule_kind(std::string_view name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
        fail_usage("there is no schedule '{}'; there are constant, step, cosine and one-cycle", name);
    }
    return static_cast<Schedule::Kind>(found - names.begin());
}

}  // namespace cambium
