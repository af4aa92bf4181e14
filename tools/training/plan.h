// Planning: from what a person asks for, the data and the network, to a complete configuration. Each automatic choice
// carries its reason, and none depends on how fast the machine happens to be.
#pragma once

#include <memory>
#include <string>

#include "models/source.h"
#include "tools/training/config.h"
#include "tools/training/dataset.h"

namespace cambium {

// The network a run starts from.
struct Start {
    const Architecture* architecture = nullptr;
    std::unique_ptr<Source> source;  // null: random weights
    std::string weights;             // as config.json keeps it: a path, or empty
    Preprocessing preprocessing;
    std::vector<Choice> choices;
};

// Finds model and weights for the request. Throws UsageError: an unknown model or recipe; Error: weights that are not
// there, with what to do.
Start find_start(const Request& request);
// The same for a run that is resumed, from its configuration.
Start find_start(const TrainingConfig& config);

// Throws UsageError where the request contradicts itself or the network.
TrainingConfig plan(const Request& request, const Dataset& data, const Start& start);

// Floating-point operations of one photo's forward pass.
double forward_flops(const Architecture& architecture, const Preprocessing& preprocessing, std::int64_t classes);

}  // namespace cambium
