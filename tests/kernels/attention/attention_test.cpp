// Attention and its gradient against loops in double precision: random data within the error rule, whole numbers
// exactly where the softmax has one term, and what must be refused.
#include <doctest/doctest.h>

#include "engine/base/error.h"
#include "tests/kernels/attention/cases.h"
#include "tests/kernels/rule.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;
using attention::Variant;

namespace {

// The checked run is a hundred times slower and is after accesses, not sums.
int case_count() { return is_checked_run() ? 12 : 60; }
std::int64_t most_tokens() { return is_checked_run() ? 70 : 1000; }

void check(AttentionCase c) {
    const AttentionData data = make_data(c);
    const AttentionResult<double> exact = exact_attention(c, data);
    const AttentionResult<float> low = low_precision_attention(c, data);
    for (const Variant variant : {Variant::plain, Variant::tuned, Variant::split}) {
        if (variant == Variant::plain && c.attention.math == gemm::Math::tf32) continue;  // plain products are exact
        if (variant == Variant::split && !attention::gradient_is_one_kernel(c.attention)) continue;  // has just run
        c.attention.variant = variant;
        CAPTURE(c.text());
        const AttentionResult<float> found = run_on_device(c, data);
        CHECK(breach(found.y, low.y, exact.y, exact.y_terms) == "");
        CHECK(breach(found.lse, low.lse, exact.lse, 8) == "");  // logarithms of at most exp(8)
        CHECK(breach(found.dqkv, low.dqkv, exact.dqkv, exact.dqkv_terms) == "");
    }
}

}  // namespace

TEST_CASE("random sizes, masks and types keep the error rule") {
    for (int i = 0; i < case_count(); ++i) check(random_case(i, most_tokens()));
}

TEST_CASE("every size of head that has its own instance, at several tiles") {
    for (const gemm::Math math : {gemm::Math::bf16, gemm::Math::tf32, gemm::Math::f32}) {
        for (const std::int64_t size : {64, 128}) {
            AttentionCase c;
            c.attention = {.batch = 1, .tokens = is_checked_run() ? 40 : 197, .heads = 1, .size = size, .math = math};
            c.attention.mask = size == 128 ? attention::Mask::causal : attention::Mask::none;
            check(c);
        }
    }
}

TEST_CASE("a gradient in one kernel, as long as one may be and one token longer") {
    struct Limit {
        gemm::Math math;
        std::int64_t size, tokens;
    };
    for (const Limit& limit : {Limit{gemm::Math::bf16, 64, 256}, Limit{gemm::Math::bf16, 65, 128},
                               Limit{gemm::Math::tf32, 64, 128}, Limit{gemm::Math::f32, 64, 128}}) {
        AttentionCase c;
        c.attention = {.batch = 1, .tokens = limit.tokens, .heads = 1, .size = limit.size, .math = limit.math};
        CHECK(attention::gradient_is_one_kernel(c.attention));
        if (!is_checked_run()) check(c);
        ++c.attention.tokens;
        CHECK_FALSE(attention::gradient_is_one_kernel(c.attention));
        if (!is_checked_run()) check(c);
        c.attention.variant = Variant::split;
        c.attention.tokens = 1;
        CHECK_FALSE(attention::gradient_is_one_kernel(c.attention));
    }
    AttentionCase c;  // the instance for 256 tokens, checked too
    c.attention = {.batch = 1, .tokens = 140, .heads = 1, .size = 24, .mask = attention::Mask::causal};
    c.attention.math = gemm::Math::bf16;
    check(c);
}

TEST_CASE("one key: its value is the result, exactly") {
    for (const gemm::Math math : {gemm::Math::bf16, gemm::Math::f32}) {
        AttentionCase c;
        c.attention = {.batch = 2, .tokens = 3, .heads = 2, .size = 40, .math = math};
        c.padded = true;
        AttentionData data = make_data(c);
        data.count = {1, 0};
        for (std::size_t i = 0; i < data.qkv.size(); ++i) data.qkv[i] = static_cast<float>(i % 7) - 3;
        for (const Variant variant : {Variant::plain, Variant::tuned}) {
            c.attention.variant = variant;
            CAPTURE(c.text());
            const AttentionResult<float> found = run_on_device(c, data);
            for (std::size_t i = 0; i < found.y.size(); ++i)
                CHECK(found.y[i] == (i < 80 ? data.qkv[2 * 80 + i] : 0));  // token 0's values; 0 for padding
        }
    }
}

TEST_CASE("nothing to do, and no lse asked for") {
    dev::Stream stream;
    attention::forward({.batch = 0, .tokens = 4, .heads = 2, .size = 8}, {}, stream);
    attention::backward({.batch = 3, .tokens = 0, .heads = 2, .size = 8}, {}, {}, stream);
    const std::vector<float> values(2 * 3 * 4, 1.0f);
    const dev::Buffer<float> qkv(values, stream);
    dev::Buffer<float> y(8, "y");
    attention::forward({.batch = 1, .tokens = 2, .heads = 1, .size = 4}, {.qkv = qkv.data(), .y = y.data()}, stream);
    std::vector<float> found(8);
    y.download(found, stream);
    CHECK(found == std::vector<float>(8, 1.0f));
}

TEST_CASE("what makes no sense is refused before anything is launched") {
    dev::Stream stream;
    dev::Buffer<float> memory(64);
    float* p = memory.data();
    const attention::Attention good{.batch = 1, .tokens = 2, .heads = 1, .size = 4};
    const auto refuses = [&](const attention::Attention& a, const attention::Forward& f, const char* why) {
        CHECK_THROWS_WITH_AS(attention::forward(a, f, stream), doctest::Contains(why), UsageError);
    };
    attention::Attention a = good;
    a.size = 129;
    refuses(a, {.qkv = p, .y = p}, "heads have 1 to 128 values a token");
    a.size = 0;
    refuses(a, {.qkv = p, .y = p}, "heads have 1 to 128 values a token");
    a = good;
    a.tokens = -1;
    refuses(a, {.qkv = p, .y = p}, "sizes are at least 0");
    refuses(good, {.qkv = nullptr, .y = p}, "null or not aligned");
    refuses(good, {.qkv = reinterpret_cast<const std::byte*>(p) + 1, .y = p}, "null or not aligned");
    const attention::Backward b{.dy = p, .qkv = p, .y = p, .lse = p, .dqkv = p};
    a = good;
    a.variant = Variant::split;
    CHECK_THROWS_WITH_AS(attention::backward(a, b, {}, stream),
                         doctest::Contains("the workspace has 0 bytes and must have 8"), UsageError);
    CHECK(attention::workspace_bytes(good) == 0);  // one kernel keeps delta to itself
}
