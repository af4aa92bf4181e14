// Sums over the checked run's counters, for tests that hold a kernel to its figures.
#pragma once

#include <algorithm>
#include <string_view>

#include "kernels/simt/simt.h"

namespace cambium::test {

struct CounterSum {
    std::uint64_t instructions = 0, cost = 0, ideal = 0;
    double worst = 1;  // the factor of the worst place, which a sum would hide
    double factor() const { return ideal == 0 ? 1.0 : static_cast<double>(cost) / static_cast<double>(ideal); }
};

// All places of kernels whose name contains `kernel` that perform `operation`: "shared read", "global write", ...
inline CounterSum counted(std::string_view kernel, std::string_view operation) {
    CounterSum sum;
    for (const simt::Counter& c : simt::counters()) {
        if (c.operation != operation || c.kernel.find(kernel) == std::string::npos) continue;
        sum.instructions += c.instructions;
        sum.cost += c.cost;
        sum.ideal += c.ideal;
        sum.worst = std::max(sum.worst, c.factor());
    }
    return sum;
}

// Counts while it lives, from zero.
class Counting {
  public:
    Counting() {
        simt::reset_counters();
        simt::options().count = true;
    }
    ~Counting() { simt::options().count = false; }
    Counting(const Counting&) = delete;
    Counting& operator=(const Counting&) = delete;
};

}  // namespace cambium::test
