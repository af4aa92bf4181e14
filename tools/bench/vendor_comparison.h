// The same node by cuDNN or cuBLASLt, timed in turn with ours on the same card.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "engine/backends/gpu/stopwatch.h"
#include "tools/bench/step_nodes.h"
#include "tools/common/bound_node.h"

namespace cambium {

struct VendorTiming {
    std::string provider{};  // "cuDNN 9.19.0 engine 62"
    double flushed = 0;      // microseconds, the median of single runs, L2 flushed before each
    double ratio = 0;        // their time over ours, the median over pairs of runs; above 1 ours is faster
    double difference = 0;   // the largest between both results' first 4 million values, over the largest of theirs
};

class VendorComparison {
  public:
    // `vendor` computes by the provider vendor; `seconds` of all comparisons together, after which there are no more.
    VendorComparison(Backend& vendor, gpu::Stopwatch& stopwatch, double seconds)
        : vendor_(vendor), stopwatch_(stopwatch), seconds_(seconds) {}

    // FLOP/s of the product of two square matrices, best of a few. Throws Error where cuBLASLt is not there.
    double product_rate(DType operands, std::int64_t side = 8192);

    // `own` is the node by our kernels, on `stopwatch`'s stream, with these inputs; where it takes moments of its
    // result, which the libraries do not, its time holds them and theirs does not. Nothing where the vendor does not do
    // such nodes, fails, or time is up; the reason of a failure, once each, is in failures().
    std::optional<VendorTiming> compare(const NodeSpec& node, const std::vector<Tensor>& inputs, const BoundNode& own,
                                        gpu::Stopwatch& stopwatch, int runs);
    const std::vector<std::string>& failures() const { return failures_; }
    int left_out() const { return left_out_; }  // for want of time
    int refused() const { return refused_; }    // convolutions, products and attention that the libraries do not do

  private:
    VendorTiming timed(const BoundNode& own, gpu::Stopwatch& stopwatch, const BoundNode& theirs, int runs);

    Backend& vendor_;
    gpu::Stopwatch& stopwatch_;
    double seconds_;
    std::vector<std::string> failures_;
    int left_out_ = 0, refused_ = 0;
};

}  // namespace cambium
