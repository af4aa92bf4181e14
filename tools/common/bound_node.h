// A node with its operands in a device's memory, and what comparing its results takes.
#pragma once

#include <vector>

#include "engine/backends/backend.h"

namespace cambium {

class BoundNode {
  public:
    // Inputs are copied to the device; outputs are undefined until it has run. dead: outputs that nobody reads. Throws
    // Error as Backend::prepare() does.
    BoundNode(Backend& backend, const NodeSpec& node, const std::vector<Tensor>& inputs,
              const std::vector<std::size_t>& dead = {});

    Executable& executable() const { return *executable_; }
    void enqueue() const { executable_->enqueue(); }
    const std::vector<void*>& outputs() const { return outputs_; }  // device addresses, null where dead
    std::vector<Tensor> results() const;                            // of those that are not dead; waits
    // The first `most` elements of each output, as one axis; waits.
    std::vector<Tensor> leading_results(std::int64_t most) const;

  private:
    void* make(std::size_t bytes) { return buffers_.emplace_back(backend_.memory(), bytes).data(); }

    Backend& backend_;
    const NodeSpec& node_;
    std::vector<Buffer> buffers_;
    std::unique_ptr<Executable> executable_;
    std::vector<void*> outputs_;
};

// A convolution that also takes moments of its result, without them: what can be compared with other implementations.
NodeSpec without_moments(const NodeSpec& node);
// How far the moments among `found` are from those of the result beside them, in double precision, relative to the
// largest of each; 0 where there are none.
double moments_error(const NodeSpec& node, const std::vector<Tensor>& found);

// The largest difference over the largest expected magnitude of an output, the worst of the expected real outputs;
// infinite where either is not finite.
double largest_error(const std::vector<Tensor>& found, const std::vector<Tensor>& expected);

double median(std::vector<double> values);  // of at least one

}  // namespace cambium
