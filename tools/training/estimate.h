// What training is going to take, found out before it starts. Memory first, from the plans of the compiled programs,
// without running any: so even what does not fit is answered at once, with the batch that does. Then time: a few steps
// of each phase on empty images, of which the fastest counts, since other programs can only make a step slower, and the
// reading of a few photos.
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
    double seconds = 0;      // where it fits
    std::size_t bytes = 0;   // of the largest phase
    std::size_t usable = 0;  // nine tenths of what the machine has left: the rest is for everything else; 0 if unknown
    // Where it does not fit: the largest batches that do, in training and in evaluation; 0 if not even one photo.
    std::int64_t batch_that_fits = 0, evaluation_batch_that_fits = 0;
    bool fits() const { return usable == 0 || bytes <= usable; }
};

Estimate estimate(const TrainerOptions& options);
// The same where `usable` bytes may be taken; 0: as many as it needs.
Estimate estimate(const TrainerOptions& options, std::size_t usable);

// "2.4 GB", "350 MB"; "3 min 20 s"
std::string bytes_text(std::size_t bytes);
std::string seconds_text(double seconds);

}  // namespace cambium
