// One operator on the checked kernels: its reports, its counters, and whether its result depends on registers that
// nobody wrote.
#pragma once

#include <memory>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/backends/gpu/checker.h"
#include "engine/backends/gpu/gpu_backend.h"
#include "engine/cases/case.h"

namespace cambium {

struct Finding {
    std::vector<simt::Report> reports;
    std::vector<simt::Counter> counters;
    bool depends_on_registers = false;  // fresh registers full of 0xfe and of zeros gave different bits
};

class CheckedRuns {
  public:
    explicit CheckedRuns(const gpu::Options& options = {});
    // Nothing if the kernels have the node, else what they lack.
    std::optional<std::string> unsupported(const NodeSpec& node) const;
    // An update of a parameter is run again as two at once, by the launch that updates all parameters of a network.
    // dead: outputs that nobody reads.
    Finding run(const NodeSpec& node, const std::vector<Tensor>& inputs, const std::vector<std::size_t>& dead,
                std::uint64_t seed, bool count);
    const gpu::Checker& checker() const { return *checker_; }

  private:
    std::unique_ptr<gpu::Checker> checker_;
    std::unique_ptr<Backend> backend_, zeroed_;
};

// The node of an operator on such operands, its outputs as infer() gives them.
NodeSpec plain_node(const Op& op, const std::vector<Tensor>& inputs);

}  // namespace cambium
