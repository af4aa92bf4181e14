// Sums over the checked run's counters, for tests that hold a kernel to its figures. With CAMBIUM_COUNTERS set, such a
// test prints every place: the tables in the families' pages come from there.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
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

inline void print_counters() {
    std::printf("%-28s %-22s %-16s %8s %8s %8s %6s\n", "kernel", "place", "access", "times", "cost", "ideal", "factor");
    for (const simt::Counter& c : simt::counters()) {
        if (c.ideal == 0) continue;
        const std::string place = c.place.file.substr(c.place.file.rfind('/') + 1) + ":" + std::to_string(c.place.line);
        std::printf("%-28.28s %-22.22s %-16.16s %8llu %8llu %8llu %6.2f\n", c.kernel.c_str(), place.c_str(),
                    c.operation.c_str(), static_cast<unsigned long long>(c.instructions),
                    static_cast<unsigned long long>(c.cost), static_cast<unsigned long long>(c.ideal), c.factor());
    }
}

// Counts while it lives, from zero.
class Counting {
  public:
    Counting() {
        simt::reset_counters();
        simt::options().count = true;
    }
    ~Counting() {
        simt::options().count = false;
        if (std::getenv("CAMBIUM_COUNTERS") != nullptr) print_counters();
    }
    Counting(const Counting&) = delete;
    Counting& operator=(const Counting&) = delete;
};

}  // namespace cambium::test
