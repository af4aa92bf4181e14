// What training is going to take, found out before it starts: each phase is compiled and a step of it timed on empty
// images, in a Store of its own.
#pragma once

#include <string>
#include <vector>

#include "tools/training/step_graphs.h"
#include "tools/training/trainer.h"

namespace cambium {

struct PhaseEstimate {
    std::string name;
    PhaseGraphs::Parameters parameters{};
    double seconds = 0;
    std::size_t bytes = 0;  // parameters, optimizer state, everything alive in a step, and waiting photos
};

struct Estimate {
    std::vector<PhaseEstimate> phases{};
    double seconds = 0;
    std::size_t bytes = 0, available = 0;  // the largest phase; what the machine has left, 0 if unknown
    // Where it does not fit: the largest batch that does, 0 if not even one photo.
    std::int64_t batch_that_fits = 0;
    bool fits() const { return available == 0 || bytes <= available; }
};

Estimate estimate(const TrainerOptions& options);

// "2.4 GB", "350 MB"; "3 min 20 s"
std::string bytes_text(std::size_t bytes);
std::string seconds_text(double seconds);

}  // namespace cambium
