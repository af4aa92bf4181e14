// cambium bench kernels: how long every kernel and shape of a training step takes, how right it is, and how near to
// what the device can do. Sums of partial results, workspaces and casts are part of a kernel's time: they are nodes, or
// launches of one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/backends/gpu/gpu_backend.h"
#include "engine/backends/gpu/stopwatch.h"
#include "tools/bench/step_nodes.h"
#include "tools/bench/vendor_comparison.h"
#include "tools/common/command.h"

namespace cambium {

struct Repeats {
    int equal = 10;                 // runs that must give the same bits
    int series = 7, in_a_row = 10;  // warm: series of runs in a row
    int flushed = 20;               // single runs, L2 flushed before each
};

struct TimingOptions {
    std::string model = "resnet50", precision = "bf16", kernel;
    std::int64_t batch = 256;
    gpu::Variant variant = gpu::Variant::tuned;
    bool json = false, once = false;
    std::string baseline{};       // a file of an earlier run's --json
    std::string sweep{};          // a file for one line per plan of each product, as CSV
    double vendor_seconds = 600;  // for all comparisons with cuDNN and cuBLASLt together; 0: none
    Repeats repeats{};
    bool step = true;  // also the whole training step, to hold the sum against
};

// Measured in the same run: bytes per second of a copy, FLOP/s of mma.sync alone, and of cuBLASLt's 8192^3 product.
struct Ceilings {
    double copy = 0, tensor_cores = 0;  // tensor_cores 0: products do not use them (f32)
    double library = 0;                 // 0: not known
};

struct Timing {
    std::string name{}, provider{};
    int count = 1;          // of such nodes in a step
    double flops = 0;       // of one
    std::size_t bytes = 0;  // the fewest that one must move
    bool multiplies = false;
    double warm = 0, flushed = 0;  // microseconds, medians: repeated in a row; each after L2 was flushed
    double spread = 0;             // of the latter: its interquartile range, as a share of the median
    double error = 0;              // the largest, over the largest element of what judges it
    std::string judge{};  // "f64" (the reference), or "plain" (the plain kernel in the same type) for large nodes
    std::uint64_t differing = 0;  // words in which ten runs differ: 0, or the kernel is wrong
    gpu::Stopwatch::Clock clock{};
    std::optional<double> before{};  // flushed, of the baseline
    std::optional<VendorTiming> vendor{};
};

// The time that memory, or tensor cores where they multiply, would need at their best, as a share of `flushed`.
double share_of_roofline(const Timing& timing, const Ceilings& ceilings);

// One node on `backend`. `plain` has the plain kernels in the same types, or is null where that is what is timed;
// `vendor` may be null.
Timing time_node(const CountedNode& node, Backend& backend, Backend* plain, gpu::Stopwatch& stopwatch,
                 VendorComparison* vendor = nullptr, const Repeats& repeats = {});

// Needs a GPU, where the command line is concerned; on simt everything runs, and times are those of the simulation.
Exit bench_times(const TimingOptions& options, gpu::Device device);

}  // namespace cambium
