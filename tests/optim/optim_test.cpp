// Optimizers against PyTorch in float64, fifty steps each (tests/oracle/optim_make.py made the golden files), and what
// PyTorch has no word for: skipped steps, accumulators, averages.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "data/formats/weights.h"
#include "engine/base/error.h"
#include "engine/graph/program.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "tests/compare.h"
#include "tests/hash_fill.h"

namespace cambium {
namespace {

using test::hash_value;

constexpr int steps = 50;
constexpr double rate = 0.05;
constexpr double tolerance_reference = 1e-10, tolerance_cpu = 1e-5;

struct Case {
    std::string name;
    enum class Kind { sgd, adam, adamw } kind = Kind::sgd;
    double momentum = 0, decay = 0, clip = 0, average = 0, factor = 1;
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    int parts = 1;
    ops::SgdUpdate::Momentum momentum_kind = ops::SgdUpdate::Momentum::heavy_ball;
};

const Case cases[] = {
    {.name = "sgd"},
    {.name = "sgd_momentum_decay", .momentum = 0.9, .decay = 0.05},
    {.name = "sgd_nesterov", .momentum = 0.8, .decay = 0.02, .momentum_kind = ops::SgdUpdate::Momentum::nesterov},
    {.name = "sgd_clipped", .momentum = 0.9, .clip = 0.7},
    {.name = "sgd_accumulated", .momentum = 0.9, .decay = 0.01, .clip = 0.7, .parts = 3},
    {.name = "sgd_averaged", .momentum = 0.9, .average = 0.9},
    {.name = "sgd_factors", .momentum = 0.9, .decay = 0.05, .factor = 0.25},
    {.name = "adam", .kind = Case::Kind::adam},
    {.name = "adam_decay", .kind = Case::Kind::adam, .decay = 0.1, .beta1 = 0.8, .beta2 = 0.99, .epsilon = 1e-6},
    {.name = "adamw", .kind = Case::Kind::adamw, .decay = 0.1},
    {.name = "adamw_clipped", .kind = Case::Kind::adamw, .decay = 0.1, .clip = 0.5, .factor = 0.5},
    {.name = "adamw_accumulated", .kind = Case::Kind::adamw, .decay = 0.1, .average = 0.99, .parts = 2},
};

struct Parameter {
    std::string name;
    Shape shape;
    std::uint32_t index = 0;
};
const std::vector<Parameter> parameters = {{"bias", {4}, 0}, {"weight", {4, 3}, 1}};

Tensor filled(const Shape& shape, std::uint32_t seed, int k) {
    Tensor tensor(shape, DType::f64);
    test::hash_fill(tensor.values<double>(), seed, k);
    return tensor;
}

EntrySpec spec_of(const Parameter& p) { return {.name = p.name, .spec = {p.shape, DType::f32}, .trainable = true}; }

// The gradients of one micro-batch come in from outside, summed over it, as does its denominator.
std::vector<ParameterGradient> given_gradients(Graph& graph) {
    std::vector<ParameterGradient> gradients;
    for (const Parameter& p : parameters) {
        gradients.push_back(
            {spec_of(p), graph.entry(spec_of(p)), graph.input("gradient." + p.name, p.shape, DType::f32)});
    }
    return gradients;
}
Loss given_loss(Graph& graph) {
    return {graph.input("loss", Shape{}, DType::f32), graph.input("denominator", Shape{}, DType::f32)};
}

void append_optimizer(Graph& graph, const Case& c, std::span<const ParameterGradient> gradients, const Loss& loss) {
    const ParameterTable decay = decay_matrices(c.decay);
    const ParameterTable table = [decay, factor = c.factor](const EntrySpec& parameter) {
        ParameterOptions options = decay(parameter);
        if (parameter.name == "bias") options.rate_factor = factor;
        return options;
    };
    Update update;
    if (c.kind == Case::Kind::sgd) {
        update = sgd(graph, gradients, loss,
                     {.momentum = c.momentum, .kind = c.momentum_kind, .max_norm = c.clip, .parameters = table});
    } else {
        const AdamOptions options{
            .beta1 = c.beta1, .beta2 = c.beta2, .epsilon = c.epsilon, .max_norm = c.clip, .parameters = table};
        update =
            c.kind == Case::Kind::adam ? adam(graph, gradients, loss, options) : adamw(graph, gradients, loss, options);
    }
    if (c.average > 0) average_weights(graph, update.scale);
}

void set_batch(Program& program, int step, int part) {
    for (const Parameter& p : parameters) {
        const std::uint32_t seed =
            1000 + 100 * static_cast<std::uint32_t>(step) + 10 * static_cast<std::uint32_t>(part) + p.index;
        program.set("gradient." + p.name, filled(p.shape, seed, 15 - step % 3));
    }
    program.set("denominator", 3 + (step + part) % 4);
    program.set("loss", 1);
}

// One case on one backend: either a single program, or one that accumulates and one that applies.
class Run {
  public:
    Run(const Case& c, Backend& backend, DType real) : case_(c), store_(backend.memory(), real) {
        const CompileOptions options{.precision = real == DType::f64 ? Precision::f64 : Precision::f32};
        Graph apply;
        if (c.parts > 1) {
            Graph graph;
            accumulate(graph, given_gradients(graph), given_loss(graph));
            start(graph);
            accumulate_.emplace(compile(graph, store_, backend, options));
            std::vector<EntrySpec> specs;
            for (const Parameter& p : parameters) specs.push_back(spec_of(p));
            const Accumulated sums = accumulated(apply, specs);
            append_optimizer(apply, c, sums.gradients, sums.loss);
        } else {
            append_optimizer(apply, c, given_gradients(apply), given_loss(apply));
        }
        start(apply);
        start_averages(apply, store_);
        apply_.emplace(compile(apply, store_, backend, options));
    }

    void step(int step) {
        for (int part = 0; part < case_.parts; ++part) {
            Program& program = accumulate_ ? *accumulate_ : *apply_;
            set_batch(program, step, part);
            if (accumulate_) accumulate_->run();
        }
        apply_->set(learning_rate_input, rate);
        if (case_.average > 0) apply_->set(average_rate_input, 1 - case_.average);
        apply_->run();
    }

    Program& program() { return *apply_; }
    Store& store() { return store_; }

  private:
    void start(const Graph& graph) {
        for (const auto& [name, spec] : graph.entries()) {
            if (spec.role == Role::average) continue;
            const bool fresh = !store_.contains(name);
            store_.declare(spec);
            for (const Parameter& p : parameters) {
                if (fresh && p.name == name) store_.write(name, filled(p.shape, p.index + 1, 15));
            }
        }
    }

    const Case& case_;
    Store store_;
    std::optional<Program> accumulate_, apply_;
};

// Row `step` of a golden [steps, ...].
Tensor row(const Tensor& golden, int step, const Shape& shape) {
    const auto count = static_cast<std::size_t>(shape.count());
    return Tensor(shape, golden.values<double>().subspan(static_cast<std::size_t>(step) * count, count));
}

void follow_torch(Backend& backend, DType real, double tolerance) {
    const WeightsFile golden = WeightsFile::open("tests/golden/optim/optimizers.safetensors");
    for (const Case& c : cases) {
        CAPTURE(c.name);
        Run run(c, backend, real);
        for (int step = 0; step < steps; ++step) {
            CAPTURE(step);
            run.step(step);
            for (const Parameter& p : parameters) {
                std::vector<std::string> names = {p.name};
                if (c.average > 0) names.push_back(average_of(p.name));
                for (const std::string& name : names) {
                    const Tensor expected = row(golden.read(c.name + "/" + name), step, p.shape);
                    REQUIRE(test::compare(run.store().read(name), expected,
                                          test::relative_to_largest(tolerance, "rounding over at most 50 steps")));
                }
            }
        }
        CHECK(run.store().read(optimizer_steps).values<std::int32_t>()[0] == steps);
        CHECK(run.store().read(optimizer_attempts).values<std::int32_t>()[0] == steps);
    }
}

TEST_CASE("fifty steps of each optimizer follow PyTorch on the reference backend") {
    follow_torch(*make_reference_backend(), DType::f64, tolerance_reference);
}

TEST_CASE("fifty steps of each optimizer follow PyTorch on the CPU") {
    follow_torch(*make_cpu_backend(), DType::f32, tolerance_cpu);
}

TEST_CASE("a step whose gradient or loss is not finite changes nothing but the count of attempts") {
    const std::unique_ptr<Backend> backend = make_cpu_backend();
    for (const Case& c : cases) {
        if (c.parts > 1) continue;
        CAPTURE(c.name);
        for (const bool bad_loss : {false, true}) {
            Run run(c, *backend, DType::f32);
            run.step(0);
            const std::map<std::string, Tensor> before = run.store().snapshot();
            set_batch(run.program(), 1, 0);
            if (bad_loss) {
                run.program().set("loss", std::numeric_limits<double>::infinity());
            } else {
                Tensor gradient = filled({4}, 7, 15);
                gradient.values<double>()[2] = std::numeric_limits<double>::quiet_NaN();
                run.program().set("gradient.bias", gradient);
            }
            run.program().run();
            for (const auto& [name, value] : before) {
                const Tensor after = run.store().read(name);
                if (name == optimizer_attempts) {
                    CHECK(after.values<std::int32_t>()[0] == 2);
                } else {
                    CAPTURE(name);
                    CHECK(test::compare(after, value, test::exact("a skipped step is no step")));
                }
            }
        }
    }
}

TEST_CASE("a micro-batch that is not finite costs one step and leaves clean accumulators") {
    const std::unique_ptr<Backend> backend = make_cpu_backend();
    const Case& c = cases[4];
    REQUIRE(c.parts > 1);
    Graph graph;
    accumulate(graph, given_gradients(graph), given_loss(graph));
    Graph apply;
    std::vector<EntrySpec> specs;
    for (const Parameter& p : parameters) specs.push_back(spec_of(p));
    const Accumulated sums = accumulated(apply, specs);
    append_optimizer(apply, c, sums.gradients, sums.loss);
    Store store(backend->memory());
    declare_entries(graph, store);
    declare_entries(apply, store);
    Program add = compile(graph, store, *backend), finish = compile(apply, store, *backend);
    finish.set(learning_rate_input, rate);
    for (const int bad : {0, 1, 2}) {
        for (int part = 0; part < 3; ++part) {
            set_batch(add, bad, part);
            if (part == bad) add.set("loss", std::numeric_limits<double>::quiet_NaN());
            add.run();
        }
        finish.run();
        CHECK(store.read(optimizer_steps).values<std::int32_t>()[0] == 0);
        CHECK(store.read("accumulator.loss").values<float>()[0] == 0);
        CHECK(store.read("accumulator.denominator").values<float>()[0] == 0);
    }
    for (int part = 0; part < 3; ++part) {
        set_batch(add, 4, part);
        add.run();
    }
    finish.run();
    CHECK(store.read(optimizer_steps).values<std::int32_t>()[0] == 1);
    CHECK(store.read(optimizer_attempts).values<std::int32_t>()[0] == 4);
}

TEST_CASE("an optimizer without a trainable parameter is refused") {
    Graph graph;
    CHECK_THROWS_WITH_AS(sgd(graph, {}, given_loss(graph), {}), doctest::Contains("no parameter is trainable"), Error);
}

TEST_CASE("schedules follow PyTorch's") {
    using Kind = Schedule::Kind;
    const WeightsFile golden = WeightsFile::open("tests/golden/optim/schedules.safetensors");
    const auto check = [&](const char* name, Schedule schedule) {
        CAPTURE(name);
        schedule.rate = 0.3;
        schedule.total_steps = steps;
        std::vector<double> rates;
        for (int step = 0; step < steps; ++step) rates.push_back(learning_rate(schedule, step));
        const Tensor expected = golden.read(name);
        CHECK(test::compare(std::span<const double>(rates), expected.values<double>(),
                            test::relative_to_largest(1e-10, "PyTorch multiplies the rate anew in each step")));
    };
    check("constant", {});
    check("constant_warm", {.warmup_steps = 8, .warmup_factor = 0.05});
    check("step", {.kind = Kind::step, .interval = 15, .decay = 0.3});
    check("step_warm", {.kind = Kind::step, .warmup_steps = 8, .warmup_factor = 0.05, .interval = 15, .decay = 0.3});
    check("cosine", {.kind = Kind::cosine, .final_rate = 0.01});
    check("cosine_warm", {.kind = Kind::cosine, .warmup_steps = 8, .warmup_factor = 0.05, .final_rate = 0.01});
    check("one_cycle", {.kind = Kind::one_cycle, .rise = 0.25, .divisor = 20, .final_divisor = 1000});
}

TEST_CASE("a schedule holds its last rate past its end, and short ones stay finite") {
    for (const auto kind :
         {Schedule::Kind::constant, Schedule::Kind::step, Schedule::Kind::cosine, Schedule::Kind::one_cycle}) {
        for (const std::int64_t total : {1, 2, 3, 4}) {
            const Schedule schedule{.kind = kind, .rate = 1, .total_steps = total};
            for (std::int64_t step = 0; step < total; ++step) {
                CHECK(std::isfinite(learning_rate(schedule, step)));
                CHECK(learning_rate(schedule, step) >= 0);
            }
            CHECK(learning_rate(schedule, total + 5) == learning_rate(schedule, total - 1));
        }
        CHECK(schedule_kind(name_of(kind)) == kind);
    }
    CHECK_THROWS_AS(schedule_kind("linear"), UsageError);
}

}  // namespace
}  // namespace cambium
