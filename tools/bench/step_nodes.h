// The kernels' work in a training step, node by node: what the compiler asks a backend to prepare, each distinct node
// once with how often it occurs.
#pragma once

#include <vector>

#include "engine/backends/backend.h"
#include "engine/graph/program.h"
#include "models/architectures.h"

namespace cambium {

struct CountedNode {
    NodeSpec node;
    int count = 1;          // in one step
    double flops = 0;       // of one
    std::size_t bytes = 0;  // the fewest that one must move: every input read once, every output written once
};

// In the order in which a step first reaches them. `backend` says what it supports, which decides what is fused;
// nothing runs. Steps that are derived from parameters (their bf16 copies) count too, for an update makes them stale.
std::vector<CountedNode> step_nodes(const Architecture& architecture, std::int64_t batch, Precision precision,
                                    Backend& backend);

// Operands for a node as it meets them: reals in [-1, 1), variances and the like positive, labels among the classes,
// positions within their windows. The same in every run.
std::vector<Tensor> node_inputs(const NodeSpec& node, std::uint64_t seed);

}  // namespace cambium
