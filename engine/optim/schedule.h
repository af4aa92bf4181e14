// Learning-rate schedules as pure functions of the step: nothing to save, nothing to resume.
#pragma once

#include <cstdint>
#include <string_view>

namespace cambium {

// The warm-up comes first: the rate grows linearly from warmup_factor * rate to rate over `warmup_steps`
// (torch.optim.lr_scheduler.LinearLR). What follows has `total_steps - warmup_steps` steps and starts at zero there.
//   constant
//   step       rate * decay^floor(t / interval)                                    (StepLR)
//   cosine     final + (rate - final) (1 + cos(pi t / T)) / 2                      (Loshchilov & Hutter 2017;
//              CosineAnnealingLR with T_max = T and eta_min = final)
//   one_cycle  cosine from rate / divisor up to rate in the first `rise` of the steps, then down to
//              rate / (divisor * final_divisor)                                    (Smith & Topin 2019; OneCycleLR)
struct Schedule {
    enum class Kind : std::uint8_t { constant, step, cosine, one_cycle } kind = Kind::constant;
    double rate = 0.01;  // the largest
    std::int64_t total_steps = 1;

    std::int64_t warmup_steps = 0;
    double warmup_factor = 0.01;

    std::int64_t interval = 1;  // step
    double decay = 0.1;
    double final_rate = 0;                                 // cosine
    double rise = 0.3, divisor = 25, final_divisor = 1e4;  // one_cycle
};

// The rate of update number `step`, the first being 0. Past the end the last rate stays.
double learning_rate(const Schedule& schedule, std::int64_t step);

std::string_view name_of(Schedule::Kind kind);
Schedule::Kind schedule_kind(std::string_view name);  // throws UsageError naming the schedules there are

}  // namespace cambium
