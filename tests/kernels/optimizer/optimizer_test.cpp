// Optimizer steps against loops in double precision: SGD on integers exactly, random data within the error rule; one
// launch for all parameters gives the bits of one launch each; bad steps change nothing; what must be refused.
#include <doctest/doctest.h>

#include <cmath>
#include <tuple>

#include "engine/base/error.h"
#include "tests/kernels/optimizer/cases.h"
#include "tests/kernels/rule.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr optimizer::Variant kVariants[] = {optimizer::Variant::plain, optimizer::Variant::tuned};

// What the bf16 copy of `w` must hold, if there is one.
std::vector<float> as_bf16(const std::vector<float>& w, std::size_t count) {
    return count == 0 ? std::vector<float>() : widened(converted<bf16>(w));
}

void check_uniform(OptimizerCase c) {
    const Data data = uniform_data(c), plain = low_precision_step(c, data);
    const std::vector<Values<double>> exact = exact_step(c, data);
    for (const optimizer::Variant variant : kVariants) {
        c.variant = variant;
        CAPTURE(c.text());
        const Data found = run_on_device(c, data, Launches::one_for_all);
        for (std::size_t i = 0; i < found.size(); ++i) {
            // Terms: w and the updates, which are at most a few units.
            CHECK(breach(found[i].w, plain[i].w, exact[i].w, 4) == "");
            CHECK(breach(found[i].first, plain[i].first, exact[i].first, 2) == "");
            CHECK(breach(found[i].second, plain[i].second, exact[i].second, 2) == "");
            CHECK(breach(found[i].average, plain[i].average, exact[i].average, 4) == "");
            CHECK(unequal(found[i].copy, as_bf16(found[i].w, found[i].copy.size())) == 0);
        }
        CHECK(run_on_device(c, data, Launches::one_each) == found);
    }
}

void check_integers(OptimizerCase c) {
    c.adam = false;
    const Data data = integer_data(c), expected = low_precision_step(c, data);
    for (const optimizer::Variant variant : kVariants) {
        c.variant = variant;
        CAPTURE(c.text());
        CHECK(run_on_device(c, data, Launches::one_for_all) == expected);
        CHECK(run_on_device(c, data, Launches::one_each) == expected);
    }
}

int case_count() { return is_checked_run() ? 40 : 200; }
std::int64_t largest_count() { return is_checked_run() ? 5000 : 20000; }

float begin(const optimizer::Begin& values, float norm, float denominator, float loss, std::int32_t& steps,
            std::int32_t& attempts) {
    dev::Stream stream;
    const dev::Buffer<float> in(std::vector<float>{norm, denominator, loss}, stream, "norm, denominator, loss");
    dev::Buffer<float> scale(1, "scale");
    dev::Buffer<std::int32_t> counters(std::vector<std::int32_t>{steps, attempts}, stream, "counters");
    optimizer::Begin b = values;
    b.norm = in.data(), b.denominator = in.data() + 1, b.loss = in.data() + 2, b.scale = scale.data();
    b.steps = counters.data(), b.attempts = counters.data() + 1;
    optimizer::begin_step(b, stream);
    std::vector<float> result(1);
    std::vector<std::int32_t> counted(2);
    scale.download(result, stream);
    counters.download(counted, stream);
    steps = counted[0], attempts = counted[1];
    return result[0];
}

}  // namespace

TEST_CASE("SGD on integers is exact") {
    for (int i = 0; i < case_count(); ++i) check_integers(random_case(i, largest_count()));
}

TEST_CASE("random steps keep the error rule, and one launch for all equals one each") {
    for (int i = 0; i < case_count(); ++i) check_uniform(random_case(1000 + i, largest_count()));
}

TEST_CASE("a scale that is not finite keeps every bit but makes the copy") {
    for (const bool adam : {false, true}) {
        OptimizerCase c{.adam = adam, .sgd = {.momentum = 0.9}, .adam_rule = {}};
        c.parameters = {{.count = 9, .weight_decay = 1, .copy = true, .average = true, .in_place = false}};
        c.scale = NAN;
        const Data data = uniform_data(c), found = run_on_device(c, data, Launches::one_for_all);
        CHECK(found[0].w == data[0].w);
        CHECK(found[0].first == data[0].first);
        CHECK(found[0].second == data[0].second);
        CHECK(found[0].average == data[0].average);
        CHECK(unequal(found[0].copy, as_bf16(data[0].w, 9)) == 0);
    }
}

TEST_CASE("the first steps of Adam do not lose digits in 1 - beta^step") {
    OptimizerCase c{.adam = true, .sgd = {}, .adam_rule = {.beta1 = 0.9, .beta2 = 0.9999}};
    c.parameters = {{.count = 16}};
    Data data = uniform_data(c);
    data[0].first.assign(16, 0.0f), data[0].second.assign(16, 0.0f);
    const Data found = run_on_device(c, data, Launches::one_each);
    for (std::size_t i = 0; i < 16; ++i) {  // the first step is rate * sign(gradient)
        const double moved = static_cast<double>(data[0].w[i]) - static_cast<double>(found[0].w[i]);
        CHECK(std::fabs(moved) == doctest::Approx(0.25).epsilon(2e-6));
    }
}

TEST_CASE("the beginning of a step: clipping, counters, and what is not finite") {
    std::int32_t steps = 4, attempts = 7;
    CHECK(begin({}, 3, 8, 1, steps, attempts) == 0.125f);
    CHECK(begin({.max_norm = 1}, 4, 8, 1, steps, attempts) == 0.125f);  // a norm of 1/2 is not clipped
    CHECK(begin({.max_norm = 1}, 32, 8, 1, steps, attempts) == doctest::Approx(1 / (4 + 1e-6) / 8));
    CHECK(steps == 7);
    for (const auto& [norm, denominator, loss] :
         {std::tuple{NAN, 8.0f, 1.0f}, {1.0f, 0.0f, 1.0f}, {1.0f, -1.0f, 1.0f}, {1.0f, 8.0f, INFINITY}}) {
        CHECK(std::isnan(begin({}, norm, denominator, loss, steps, attempts)));
    }
    CHECK(steps == 7);
    CHECK(attempts == 14);
}

TEST_CASE("what makes no sense is refused before anything is launched") {
    dev::Stream stream;
    dev::Buffer<float> memory(64);
    float* p = memory.data();
    const optimizer::Parameter good{.count = 4, .w = p, .gradient = p, .new_w = p};
    const optimizer::Scalars scalars{.rate = p, .scale = p};
    const auto refuses = [&](auto&& call, const char* why) {
        CHECK_THROWS_WITH_AS(call(), doctest::Contains(why), UsageError);
    };
    optimizer::Parameter bad = good;
    bad.count = -1;
    refuses([&] { optimizer::update(optimizer::Sgd{}, bad, scalars, stream); }, "must not be negative");
    bad = good;
    bad.gradient = nullptr;
    refuses([&] { optimizer::update(optimizer::Sgd{}, bad, scalars, stream); }, "its gradient is null");
    refuses([&] { optimizer::update(optimizer::Sgd{.momentum = 0.9}, good, scalars, stream); }, "state is missing");
    refuses([&] { optimizer::update(optimizer::Sgd{.momentum = 1.5}, good, scalars, stream); }, "must be in [0, 1)");
    refuses([&] { optimizer::update(optimizer::Adam{}, good, scalars, stream); }, "state is missing");
    refuses([&] { optimizer::update(optimizer::Sgd{}, good, {.rate = p}, stream); }, "rate, scale or step is null");
    bad = good;
    bad.average = p;
    refuses([&] { optimizer::update(optimizer::Sgd{}, bad, scalars, stream); }, "the average's rate is null");
    refuses([&] { optimizer::begin_step({.max_norm = -1}, stream); }, "must not be negative");
}
