// The tuned kernel's counters, as committed: whole tiles cost no bank conflict and no sector too many. Without the
// swizzle the factors rise to what the bank rule predicts, so that a lost swizzle cannot pass here.
#include <doctest/doctest.h>

#include <cmath>

#include "kernels/simt/simt.h"
#include "tests/kernels/gemm/instances.h"

using namespace cambium;
using namespace cambium::test;

namespace {

struct Sum {
    std::uint64_t instructions = 0, cost = 0, ideal = 0;
    double factor() const { return ideal == 0 ? 1.0 : static_cast<double>(cost) / static_cast<double>(ideal); }
};

// Everything of one kind, over all places of the kernel.
Sum total(const char* operation) {
    Sum sum;
    for (const simt::Counter& c : simt::counters()) {
        if (c.operation != operation) continue;
        sum.instructions += c.instructions;
        sum.cost += c.cost;
        sum.ideal += c.ideal;
    }
    return sum;
}

// The worst place, for an average over A and B would hide one of them.
double worst(const char* operation) {
    double worst = 1;
    for (const simt::Counter& c : simt::counters()) {
        if (c.operation == operation) worst = std::fmax(worst, c.factor());
    }
    return worst;
}

struct Layout {
    Operands operands;
    bool a_along_k, b_along_k;
    double unswizzled;  // the worst read's factor without the swizzle
};

// 64 x 128 x 2 tiles along k.
void count(const Layout& l, bool swizzled) {
    const std::int64_t m = 64, n = 128, k = l.operands == Operands::bf16 ? 128 : 64;
    const InstanceProblem q{m,
                            n,
                            k,
                            l.a_along_k ? k : m,
                            l.b_along_k ? k : n,
                            16,
                            1,
                            std::vector<float>(static_cast<std::size_t>(m * k), 1.0f),
                            std::vector<float>(static_cast<std::size_t>(k * n), 2.0f),
                            std::vector<float>(static_cast<std::size_t>(n), 3.0f)};
    simt::reset_counters();
    simt::options().count = true;
    const std::vector<float> d = run_instance(l.operands, l.a_along_k, l.b_along_k, swizzled, q);
    simt::options().count = false;
    for (const float x : d) REQUIRE(x == static_cast<float>(2 * k + 3));
}

// ldmatrix and 16-byte reads of eight rows at one column: eight on a bank. tf32 along m or n: four rows on one. f32
// reads B, and A along m, as whole rows, which needs no swizzle.
const Layout kLayouts[] = {
    {Operands::bf16, true, true, 8},   {Operands::bf16, true, false, 8},  {Operands::bf16, false, true, 8},
    {Operands::bf16, false, false, 8}, {Operands::tf32, true, true, 8},   {Operands::tf32, true, false, 8},
    {Operands::tf32, false, true, 8},  {Operands::tf32, false, false, 4}, {Operands::f32, true, true, 8},
    {Operands::f32, true, false, 8},   {Operands::f32, false, true, 1},   {Operands::f32, false, false, 1},
};

}  // namespace

TEST_CASE("whole tiles: no bank conflicts, no sector too many") {
    for (const Layout& l : kLayouts) {
        CAPTURE(static_cast<int>(l.operands));
        CAPTURE(l.a_along_k);
        CAPTURE(l.b_along_k);
        count(l, true);
        CHECK(worst("shared read") == 1.0);
        CHECK(worst("shared write") == 1.0);
        CHECK(total("cp.async target").factor() == 1.0);
        CHECK(total("cp.async source").factor() == 1.0);
        CHECK(total("global write").factor() == 1.0);
        // Two blocks, two tiles along k, of A and B each 64 rows of 128 bytes: 512 chunks, 32 a warp's instruction.
        CHECK(total("cp.async target").instructions == 2 * 2 * 2 * 512 / 32);
        CHECK(total("cp.async source").cost == 2 * 2 * 2 * 64 * 128 / 32);
        CHECK(total("global write").cost == 64 * 128 * 4 / 32);
    }
}

TEST_CASE("without the swizzle the factors are those of the bank rule") {
    for (const Layout& l : kLayouts) {
        CAPTURE(static_cast<int>(l.operands));
        CAPTURE(l.a_along_k);
        CAPTURE(l.b_along_k);
        count(l, false);
        CHECK(worst("shared read") == l.unswizzled);
    }
}
