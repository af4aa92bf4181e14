// Runs one node on a backend as the compiler would: operands reordered into the layouts the executable wants, memory
// full of NaNs before, guard bytes behind every buffer checked afterwards.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/backends/backend.h"

namespace cambium::test {

struct NodeRun {
    std::vector<Tensor> outputs;  // plain
    std::string provider;
};

// How the operands reach the node.
struct Offer {
    Layout layout;                          // of those inputs whose layout is not plain
    std::vector<std::size_t> inputs;        // which inputs
    std::vector<std::size_t> dead_outputs;  // nobody reads these
};

// outputs: the dtypes wanted; shapes come from infer().
NodeSpec node_of(const Op& op, const std::vector<Tensor>& inputs, const std::vector<EpilogueStep>& epilogue,
                 const std::vector<DType>& outputs);
NodeRun run_node(Backend& backend, NodeSpec node, const std::vector<Tensor>& inputs, const Offer& offer = {});

}  // namespace cambium::test
