#include "tools/bench/vendor_comparison.h"

#include <algorithm>

#include "engine/base/error.h"
#include "engine/ops/any.h"

namespace cambium {
namespace {

constexpr std::int64_t most_compared = 1 << 22;  // gigabytes would take longer than all that is timed

double microseconds(const BoundNode& node, gpu::Stopwatch& stopwatch) {
    stopwatch.flush_l2();
    stopwatch.start();
    node.enqueue();
    return stopwatch.stop();
}

}  // namespace

double VendorComparison::product_rate(DType operands, std::int64_t side) {
    const TensorSpec matrix{{side, side}, operands};
    const NodeSpec node{ops::MatMul{}, {{matrix, {}}, {matrix, {}}}, {{matrix, {}}}, {}};
    const BoundNode product(vendor_, node, node_inputs(node, 1));
    product.enqueue();
    double best = 0;
    for (int run = 0; run < 5; ++run) {
        stopwatch_.start();
        product.enqueue();
        const double time = stopwatch_.stop();
        best = run == 0 ? time : std::min(best, time);
    }
    const auto n = static_cast<double>(side);
    return 2 * n * n * n / (1e-6 * std::max(best, 1e-3));
}

std::optional<VendorTiming> VendorComparison::compare(const NodeSpec& node, const std::vector<Tensor>& inputs,
                                                      const BoundNode& own, gpu::Stopwatch& stopwatch, int runs) {
    if (!multiplies(node.op)) return std::nullopt;  // all else is ours whoever the provider is
    const NodeSpec bare = without_moments(node);
    if (vendor_.unsupported(bare)) {
        ++refused_;
        return std::nullopt;
    }
    if (seconds_ <= 0) {
        ++left_out_;
        return std::nullopt;
    }
    const auto begin = std::chrono::steady_clock::now();
    std::optional<VendorTiming> result;
    try {
        const BoundNode theirs(vendor_, bare, inputs);
        result = timed(own, stopwatch, theirs, runs);
    } catch (const Error& error) {
        if (std::ranges::find(failures_, error.what()) == failures_.end()) failures_.emplace_back(error.what());
    }
    seconds_ -= std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return result;
}

VendorTiming VendorComparison::timed(const BoundNode& own, gpu::Stopwatch& stopwatch, const BoundNode& theirs,
                                     int runs) {
    theirs.enqueue();
    own.enqueue();
    VendorTiming result{.provider = theirs.executable().provider};
    result.difference = largest_error(own.leading_results(most_compared), theirs.leading_results(most_compared));
    std::vector<double> times, ratios;
    for (int run = 0; run < runs; ++run) {
        const double ours = microseconds(own, stopwatch);
        times.push_back(microseconds(theirs, stopwatch_));
        ratios.push_back(times.back() / std::max(ours, 1e-3));
    }
    result.flushed = median(times);
    result.ratio = median(ratios);
    return result;
}

}  // namespace cambium
