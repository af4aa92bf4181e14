// Speed of simt on this machine: bench_simt_fast and bench_simt_check [repetitions]. Best of the repetitions, since
// other programs share the processor.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "kernels/simt/simt.h"
#include "tests/simt/bench/bench.h"

using namespace cambium;

namespace {

struct Rates {
    double wall = 0;       // amount per second
    double processor = 0;  // amount per second of processor time, which other programs' load does not change
};

template <class Run>
Rates per_second(int repetitions, Run&& run) {
    Rates best;
    for (int i = 0; i < repetitions; ++i) {
        const std::clock_t clock = std::clock();
        const auto start = std::chrono::steady_clock::now();
        const double amount = run();
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        best.wall = std::max(best.wall, amount / seconds.count());
        best.processor = std::max(best.processor, amount * CLOCKS_PER_SEC / static_cast<double>(std::clock() - clock));
    }
    return best;
}

void print(const char* what, const Rates& rates, double unit, const char* name) {
    std::printf("%-22s %8.2f %s, by processor time %8.2f\n", what, rates.wall / unit, name, rates.processor / unit);
}

}  // namespace

int main(int count, char** arguments) {
    const int repetitions = count > 1 ? std::max(1, std::atoi(arguments[1])) : 5;
    if (simt::is_checked()) {
        print("checked accesses", per_second(repetitions, [] { return bench::memory_accesses(8000); }), 1e6,
              "million/s");
        print("checked barriers", per_second(repetitions, [] { return bench::thread_barriers(1, 256, 2000); }), 1e6,
              "million/s");
        return 0;
    }
    simt::set_workers(1);
    const Rates one = per_second(repetitions, [] { return bench::mma_products(8, 4, 64); });
    print("mma tiles, 1 worker", one, 1e9, "GMAC/s");
    print("barriers, 256 threads", per_second(repetitions, [] { return bench::thread_barriers(1, 256, 4000); }), 1e6,
          "million/s");
    simt::set_workers(2);
    const Rates two = per_second(repetitions, [] { return bench::mma_products(8, 4, 64); });
    print("mma tiles, 2 workers", two, 1e9, "GMAC/s");
    std::printf("2 workers / 1 worker   %8.2f\n", two.wall / one.wall);
    return 0;
}
