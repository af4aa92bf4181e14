// Runs three instances of the tuned kernel on a few problems and several schedules and prints what the checker, the
// results and the counters say. Unmutated it must find nothing (exit status 0); tests/kernels/mutate.py mutates them.
#include <cmath>
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "kernels/simt/simt.h"
#include "tests/kernels/gemm/instances.h"

using namespace cambium;
using namespace cambium::test;

namespace {

struct Trial {
    int instance;
    std::int64_t m, n, k;
    int copy_bytes, splits;
};

// Whole tiles and ragged ones, every copy width, one to five tiles along k, split-K.
const Trial kTrials[] = {{0, 64, 64, 320, 16, 1}, {0, 37, 70, 130, 4, 2}, {0, 20, 33, 201, 2, 1},
                         {1, 72, 40, 264, 16, 2}, {1, 34, 50, 90, 4, 1},  {1, 9, 31, 70, 2, 3},
                         {2, 40, 70, 98, 8, 1},   {2, 21, 33, 67, 4, 2}};

struct Findings {
    std::map<std::string, int> reports;  // kind and place
    int wrong = 0, runs = 0;
    double factor = 1;
    std::string failure;
};

InstanceProblem problem_of(const Trial& t) {
    const bool a_along_k = t.instance != 1, b_along_k = t.instance == 0;
    const std::int64_t element = t.instance == 2 ? 4 : 2;
    // Rows begin at multiples of copy_bytes, and of no more.
    const auto stride = [&](std::int64_t columns) {
        const std::int64_t unit = t.copy_bytes / element, units = (columns + unit - 1) / unit;
        return (t.copy_bytes == 16 || units % 2 == 1 ? units : units + 1) * unit;
    };
    InstanceProblem q{
        t.m, t.n, t.k, stride(a_along_k ? t.k : t.m), stride(b_along_k ? t.k : t.n), t.copy_bytes, t.splits,
        {},  {},  {}};
    const auto fill = [](std::vector<float>& values, std::int64_t count, int step) {
        for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i * step % 11 - 5));
    };
    fill(q.a, (a_along_k ? t.m : t.k) * q.lda, 7);
    fill(q.b, (b_along_k ? t.n : t.k) * q.ldb, 3);
    fill(q.bias, t.n, 5);
    return q;
}

bool is_right(const Trial& t, const InstanceProblem& q, const std::vector<float>& d) {
    const bool a_along_k = t.instance != 1, b_along_k = t.instance == 0;
    for (std::int64_t m = 0; m < t.m; ++m) {
        for (std::int64_t n = 0; n < t.n; ++n) {
            float sum = q.bias[static_cast<std::size_t>(n)];
            for (std::int64_t k = 0; k < t.k; ++k) {
                sum += q.a[static_cast<std::size_t>(a_along_k ? m * q.lda + k : k * q.lda + m)] *
                       q.b[static_cast<std::size_t>(b_along_k ? n * q.ldb + k : k * q.ldb + n)];
            }
            if (d[static_cast<std::size_t>(m * t.n + n)] != sum) return false;
        }
    }
    return true;
}

void run_trial(const Trial& t, Findings& findings) {
    const InstanceProblem q = problem_of(t);
    simt::Collect collect;
    simt::reset_counters();
    ++findings.runs;
    try {
        if (!is_right(t, q, run_mutant(t.instance, q))) ++findings.wrong;
    } catch (const std::exception& error) {
        findings.failure = error.what();
    }
    for (const simt::Report& report : collect.reports()) {
        const std::string file = report.first.place.file;
        ++findings.reports[std::string(simt::name_of(report.kind)) + " at " + file.substr(file.rfind('/') + 1) + ":" +
                           std::to_string(report.first.place.line)];
    }
    for (const simt::Counter& c : simt::counters()) {
        if (c.operation.starts_with("shared ") && t.copy_bytes == 16)
            findings.factor = std::fmax(findings.factor, c.factor());
    }
}

}  // namespace

int main() {
    Findings findings;
    simt::options().watchdog_seconds = 20;
    simt::options().count = true;
    for (const std::uint64_t seed : {0u, 1u, 2u}) {
        simt::options().seed = seed;
        for (const Trial& t : kTrials) run_trial(t, findings);
    }
    std::printf("reports: ");
    int shown = 0;
    for (const auto& [what, count] : findings.reports) {
        if (++shown <= 3) std::printf("%s%s", shown > 1 ? ", " : "", what.c_str());
    }
    std::printf("%s; wrong: %d of %d; bank conflicts: %.2f%s%s\n", shown == 0 ? "none" : "", findings.wrong,
                findings.runs, findings.factor, findings.failure.empty() ? "" : "; failed: ", findings.failure.c_str());
    const bool clean = shown == 0 && findings.wrong == 0 && findings.factor == 1.0 && findings.failure.empty();
    return clean ? 0 : 1;
}
