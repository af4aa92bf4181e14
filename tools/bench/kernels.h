// cambium bench kernels: the work of a training step, kernel by kernel and shape by shape.
#pragma once

#include <string>

#include "tools/common/command.h"

namespace cambium {

struct KernelOptions {
    std::string model = "resnet50", precision = "bf16", kernel;
    std::int64_t batch = 1;
    bool json = false;
};

// Runs every distinct node of a step once under simt's checker and says what its accesses cost against the fewest
// possible: wavefronts of shared memory (bank conflicts) and 32-byte sectors of global memory, with the place that
// wastes most. Nodes without `kernel` in their operator's name are left out.
Exit bench_counters(const KernelOptions& options);

}  // namespace cambium
