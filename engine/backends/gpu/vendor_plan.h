// How a product or a convolution is done by a library: an algorithm of several, chosen by trying them. Nothing here
// knows CUDA's types or the library's, which live in one source file each.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace cambium::gpu {

// One algorithm, ready to run.
class VendorPlan {
  public:
    virtual ~VendorPlan() = default;
    std::size_t workspace_bytes = 0;
    std::string name;  // "cuDNN 9.19.0 engine 58"

    // A call that enqueues the work on these device addresses; their order is that of whoever made the plan. The call
    // allocates nothing and throws Error where the library refuses. It must not outlive the plan.
    virtual std::function<void()> bind(std::span<void* const> operands, void* workspace) const = 0;
};

// Where algorithms are tried.
class Trial {
  public:
    virtual ~Trial() = default;
    // Device memory that holds finite numbers, for as long as the trial lasts.
    virtual void* buffer(std::size_t bytes) = 0;
    // Of what `enqueue` enqueues; waits.
    virtual double microseconds(const std::function<void()>& enqueue) = 0;
};

// The fastest of them, best of several runs in turn; null where none runs. bytes: of each operand.
std::unique_ptr<VendorPlan> fastest(std::vector<std::unique_ptr<VendorPlan>> plans, std::span<const std::size_t> bytes,
                                    Trial& trial);

}  // namespace cambium::gpu
