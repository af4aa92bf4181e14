// The matrix product against a loop in double precision: integers exactly, random data within FlashAttention's rule (at
// most twice the error of a plain low-precision product, plus a small constant), and what it must refuse.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "tests/kernels/gemm/cases.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

double largest_error(const std::vector<float>& found, const std::vector<double>& exact) {
    double largest = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
        const double error = std::fabs(static_cast<double>(found[i]) - exact[i]);
        largest = error <= largest ? largest : error;  // NaN becomes the largest and stays
    }
    return largest;
}

std::size_t unequal(const std::vector<float>& found, const Exact& exact, bool low) {
    std::size_t count = found.size() == exact.value.size() ? 0 : 1;
    for (std::size_t i = 0; i < std::min(found.size(), exact.value.size()); ++i) {
        const float expected = static_cast<float>(exact.value[i]);
        if (found[i] != (low ? static_cast<float>(bf16(expected)) : expected)) ++count;
    }
    return count;
}

void check_integers(GemmCase c) {
    if (c.gemm.epilogue.activation == gemm::Activation::gelu) c.gemm.epilogue.activation = gemm::Activation::none;
    const GemmData data = make_data(c, Fill::integers);
    const Exact exact = exact_product(c, data);
    for (const gemm::Variant variant : {gemm::Variant::plain, gemm::Variant::tuned}) {
        c.gemm.variant = variant;
        CHECK_MESSAGE(unequal(run_on_device(c, data), exact, c.gemm.output == gemm::Output::bf16) == 0, c.text());
    }
}

void check_uniform(GemmCase c) {
    const GemmData data = make_data(c, Fill::uniform);
    const Exact exact = exact_product(c, data);
    const double plain_error = largest_error(low_precision_product(c, data), exact.value);
    for (const gemm::Variant variant : {gemm::Variant::plain, gemm::Variant::tuned}) {
        c.gemm.variant = variant;
        const std::vector<float> found = run_on_device(c, data);
        REQUIRE(found.size() == exact.value.size());
        // 2^-21 of the terms' sum: four f32 roundings of it, for outputs of few elements, where the plain product may
        // happen to be exact.
        const double bound = 2 * plain_error + 0x1p-21 * exact.magnitude;
        const double error = largest_error(found, exact.value);
        CHECK_MESSAGE(error <= bound, c.text() << ": error " << error << ", plain " << plain_error);
    }
}

// The checked run is a hundred times slower and is after accesses, not sums.
int case_count() { return is_checked_run() ? 40 : 240; }
int largest_size() { return is_checked_run() ? 70 : 260; }

}  // namespace

TEST_CASE("integer matrices of random shapes are multiplied exactly") {
    for (int i = 0; i < case_count(); ++i) check_integers(random_case(i, largest_size()));
}

TEST_CASE("random matrices of random shapes are multiplied within the error rule") {
    for (int i = 0; i < case_count(); ++i) check_uniform(random_case(1000 + i, largest_size()));
}

TEST_CASE("a residual may be the output itself, so that products accumulate") {
    dev::Stream stream;
    const std::vector<float> a{1, 2, 3, 4}, b{5, 6, 7, 8}, before{100, 200, 300, 400};
    const dev::Buffer<float> device_a(a, stream), device_b(b, stream);
    dev::Buffer<float> d(before, stream);
    gemm::Gemm g{.m = 2, .n = 2, .k = 2, .math = gemm::Math::f32};
    g.epilogue.residual = d.data();
    gemm::run(g, device_a.data(), device_b.data(), d.data(), {}, stream);
    std::vector<float> found(4);
    d.download(found, stream);
    CHECK(found == std::vector<float>{119, 222, 343, 450});
}

TEST_CASE("the heuristic: large tiles where they fill the device, parts of K where nothing else does") {
    gemm::Gemm g{.m = 4096, .n = 4096, .k = 4096};
    CHECK(gemm::choose_plan(g).tile == gemm::Tile::m128n128);
    CHECK(gemm::workspace_bytes(g) == 0);
    g.m = g.n = 128;
    CHECK(gemm::choose_plan(g).tile == gemm::Tile::m64n64);
    CHECK(gemm::choose_plan(g).splits == 16);
    CHECK(gemm::workspace_bytes(g) == 256 + 4 * 16 * 64 * 64 * sizeof(float));
    g.k = 256;
    CHECK(gemm::choose_plan(g).splits == 1);
    g.k = 4096;
    g.batch = {.count = 8, .a = 128 * 4096, .b = 4096 * 128, .d = 128 * 128};
    CHECK(gemm::choose_plan(g).splits == 4);  // the batch keeps more of the device busy
    CHECK(gemm::workspace_bytes(g) == 256 + 32 * 4 * 64 * 64 * sizeof(float));
    g.batch.count = 132;
    CHECK(gemm::choose_plan(g).tile == gemm::Tile::m128n128);
}

TEST_CASE("descriptors that make no sense are refused before anything is launched") {
    dev::Stream stream;
    dev::Buffer<float> memory(64);
    float* p = memory.data();
    const auto refuses = [&](const gemm::Gemm& g, const void* a, const void* b, void* d, const char* why) {
        CHECK_THROWS_WITH_AS(gemm::run(g, a, b, d, {}, stream), doctest::Contains(why), UsageError);
    };
    const gemm::Gemm good{.m = 4, .n = 4, .k = 4, .math = gemm::Math::f32};
    gemm::Gemm g = good;
    g.k = -1;
    refuses(g, p, p, p, "must not be negative");
    g = good;
    g.lda = 3;
    refuses(g, p, p, p, "lda is 3, but its rows have 4 elements");
    g = good;
    g.output = gemm::Output::bf16;
    refuses(g, p, p, p, "only bf16 operands give a bf16 result");
    refuses(good, nullptr, p, p, "A or B is null");
    refuses(good, p, p, nullptr, "D is null");
    refuses(good, reinterpret_cast<const std::byte*>(p) + 2, p, p, "not aligned");
    g = good;
    g.plan = {.tile = gemm::Tile::m64n64, .splits = 2};
    refuses(g, p, p, p, "the workspace has 0 bytes and must have 33024");
    g.plan->splits = 0;
    refuses(g, p, p, p, "K cannot be cut into 0 parts");
    g = good;
    g.batch.count = 2;
    refuses(g, p, p, p, "batch 2: all products of the batch would be written to the same D");
    g.batch = {.count = 65536, .d = 16};
    refuses(g, p, p, p, "at most 65535 products");
}
