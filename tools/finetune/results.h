// result.json: what a run came to, in the fields that tools/report/report.h lists.
#pragma once

#include <string>

#include "tools/training/estimate.h"
#include "tools/training/trainer.h"

namespace cambium {

struct RunFacts {
    const TrainingConfig& config;
    const Dataset& data;
    const Outcome& outcome;
    const std::vector<LogLine>& log;
    const Architecture& architecture;
    std::string cpu;     // the processor's name
    double seconds = 0;  // of training, in all parts of an interrupted run
};

std::string result_json(const RunFacts& facts);

}  // namespace cambium
