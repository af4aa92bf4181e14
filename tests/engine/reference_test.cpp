// The reference backend itself: against PyTorch in float64, operator by operator with gradients, and where no other
// implementation exists (dropout, guards, bad batches) against what the headers of engine/ops promise.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "data/formats/weights.h"
#include "engine/backends/backend.h"
#include "engine/base/error.h"
#include "engine/base/philox.h"
#include "engine/graph/gradients.h"
#include "engine/graph/program.h"
#include "engine/ops/functions.h"
#include "tests/compare.h"
#include "tests/engine/cpu_harness.h"
#include "tests/engine/reference_goldens.h"
#include "tests/hash_fill.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

std::uint32_t seed_of(const std::string& name) { return hash_name(name.data(), name.size()); }

// The twin of sample() in ops_make.py: norm, largest magnitude, and the entries or 64 seeded ones.
Tensor sampled(const std::string& name, const Tensor& tensor) {
    constexpr std::size_t entries = 64;
    const auto all = tensor.values<double>();
    double squares = 0, largest = 0;
    for (const double value : all) {
        squares += value * value;
        largest = std::max(largest, std::abs(value));
    }
    std::vector<double> sample{std::sqrt(squares), largest};
    for (std::size_t i = 0; i < std::min(all.size(), entries); ++i) {
        const std::uint64_t hash = hash32(seed_of(name) + static_cast<std::uint32_t>(i));
        sample.push_back(all[all.size() <= entries ? i : static_cast<std::size_t>((hash * all.size()) >> 32)]);
    }
    return {Shape{static_cast<std::int64_t>(sample.size())}, std::span<const double>(sample)};
}

Tensor filled(const std::string& name, const GoldenOperand& operand) {
    const std::uint32_t seed = seed_of(name);
    const auto count = static_cast<std::uint64_t>(operand.shape.count());
    if (operand.fill == GoldenOperand::Fill::labels) {
        Tensor tensor(operand.shape, DType::i32);
        for (std::uint64_t i = 0; i < count; ++i)
            tensor.values<std::int32_t>()[i] = static_cast<std::int32_t>(hash_below(seed, i, operand.classes + 1)) - 1;
        return tensor;
    }
    if (operand.fill == GoldenOperand::Fill::bytes) {
        Tensor tensor(operand.shape, DType::u8);
        for (std::uint64_t i = 0; i < count; ++i)
            tensor.values<std::uint8_t>()[i] = static_cast<std::uint8_t>(hash_below(seed, i, 256));
        return tensor;
    }
    Tensor tensor(operand.shape, DType::f64);
    const bool positive = operand.fill == GoldenOperand::Fill::positive;
    hash_fill(tensor.values<double>(), seed, positive ? 16 : 15);
    if (positive) {
        for (double& value : tensor.values<double>()) value += 1;
    }
    return tensor;
}

DType traced(GoldenOperand::Fill fill) {
    if (fill == GoldenOperand::Fill::labels) return DType::i32;
    return fill == GoldenOperand::Fill::bytes ? DType::u8 : DType::f32;
}

Value weighted_sum(Value output, Value weights) {
    std::vector<int> axes;
    for (int axis = 0; axis < output.shape().rank(); ++axis) axes.push_back(axis);
    return reduce_sum(multiply(output, weights), axes);
}

// Graph outputs "output0", ... and "gradient0", ..., named as in the golden file; weights are inputs "weights0", ...
void trace(Graph& graph, const GoldenCase& golden) {
    std::vector<Value> operands, targets;
    for (std::size_t i = 0; i < golden.operands.size(); ++i) {
        const GoldenOperand& operand = golden.operands[i];
        operands.push_back(graph.input(fmt::format("input{}", i), operand.shape, traced(operand.fill)));
        if (operand.differentiable) targets.push_back(operands.back());
    }
    const std::vector<Value> outputs = golden.build(operands);
    for (std::size_t i = 0; i < outputs.size(); ++i) graph.output(fmt::format("output{}", i), outputs[i]);
    if (targets.empty()) return;
    // Of every operator here the first output alone has a gradient: the others are moments and denominators.
    const Value loss = weighted_sum(outputs[0], graph.input("weights0", outputs[0].shape(), DType::f32));
    const std::vector<Value> results = gradients(loss, targets);
    std::size_t next = 0;
    for (std::size_t i = 0; i < golden.operands.size(); ++i) {
        if (golden.operands[i].differentiable) graph.output(fmt::format("gradient{}", i), results[next++]);
    }
}

void set_operands(Program& program, const Graph& graph, const GoldenCase& golden) {
    for (std::size_t i = 0; i < golden.operands.size(); ++i) {
        const std::string name = fmt::format("input{}", i);
        if (program.has_input(name)) program.set(name, filled(golden.name + "/" + name, golden.operands[i]));
    }
    if (!program.has_input("weights0")) return;
    const int output = graph.outputs().front().second;
    program.set("weights0", filled(golden.name + "/weights0", {.shape = graph.info(output).spec.shape}));
}

// One node on the reference backend.
template <class... Tensors>
std::vector<Tensor> run(const Op& op, Tensors... tensors) {
    std::vector<Tensor> inputs;
    (inputs.push_back(std::move(tensors)), ...);
    const std::unique_ptr<Backend> backend = make_reference_backend();
    return run_node(*backend, node_of(op, inputs, {}, {}), inputs).outputs;
}

Tensor vector(std::vector<double> values) {
    return {Shape{static_cast<std::int64_t>(values.size())}, std::span<const double>(values)};
}
Tensor scalar(double value) { return {Shape{}, std::span<const double>(&value, 1)}; }
Tensor integer(std::int32_t value) { return {Shape{}, std::span<const std::int32_t>(&value, 1)}; }

}  // namespace

TEST_CASE("outputs and gradients equal PyTorch's in float64") {
    const WeightsFile file = WeightsFile::open("tests/golden/ops/ops.safetensors");
    std::set<std::string> used;
    for (const GoldenCase& golden : golden_cases()) {
        const std::unique_ptr<Backend> backend = make_reference_backend();
        Store store(backend->memory(), DType::f64);
        Graph graph;
        trace(graph, golden);
        Program program = compile(graph, store, *backend, {.precision = Precision::f64});
        set_operands(program, graph, golden);
        program.run();
        for (const auto& [output, value] : graph.outputs()) {
            const std::string name = golden.name + "/" + output;
            CAPTURE(name);
            const Tensor expected = file.read(name);
            const double largest = std::max(expected.values<double>()[1], 1e-3);
            CHECK(compare(sampled(name, program.get(output)), expected,
                          absolute(1e-12 * largest, "f64 sums in another order, of the largest entry")));
            used.insert(name);
        }
    }
    CHECK(used.size() == file.entries().size());
}

TEST_CASE("dropout keeps what the counter says, scales it, and is its own gradient") {
    const ops::Dropout op{0.25, 7, "classifier.0"};
    Tensor x(Shape{4, 250}, DType::f64);
    hash_fill(x.values<double>(), 1, 15);
    const std::vector<Tensor> y = run(op, x.clone(), integer(3)), again = run(op, x.clone(), integer(3));
    const std::vector<Tensor> next = run(op, x.clone(), integer(4));
    CHECK(compare(y[0], again[0], exact("the same step drops the same elements")));
    CHECK_FALSE(compare(next[0], y[0], exact("another step drops others")));
    const Philox philox(7, seed_of("classifier.0"));
    int kept = 0;
    for (std::size_t i = 0; i < 1000; ++i) {
        const bool keeps = uniform01(philox(i / 4, 3).word[i % 4]) >= 0.25f;
        CHECK(y[0].values<double>()[i] == (keeps ? x.values<double>()[i] / 0.75 : 0));
        kept += keeps ? 1 : 0;
    }
    CHECK(std::abs(kept - 750) < 55);  // four standard deviations
}

TEST_CASE("guard takes the fresh value only under a finite condition") {
    for (const double bad : {nan_value, HUGE_VAL, -HUGE_VAL}) {
        const std::vector<Tensor> y = run(ops::Guard{}, vector({1, 2}), vector({3, 4}), scalar(bad));
        CHECK(compare(y[0], vector({1, 2}), exact("copied")));
    }
    const std::vector<Tensor> y = run(ops::Guard{}, vector({1, 2}), vector({3, 4}), scalar(0));
    CHECK(compare(y[0], vector({3, 4}), exact("copied")));
    const std::int32_t one = 1, two = 2;
    const Tensor kept(Shape{}, std::span(&one, 1)), fresh(Shape{}, std::span(&two, 1));
    CHECK(run(ops::Guard{}, kept.clone(), fresh.clone(), scalar(0))[0].values<std::int32_t>()[0] == 2);
}

TEST_CASE("a bad batch gives no scale, and without a scale an update changes nothing") {
    CHECK(std::isnan(run(ops::ClipScale{1}, scalar(nan_value), scalar(1), scalar(1))[0].values<double>()[0]));
    CHECK(std::isnan(run(ops::ClipScale{1}, scalar(1), scalar(0), scalar(1))[0].values<double>()[0]));
    CHECK(std::isnan(run(ops::ClipScale{1}, scalar(1), scalar(1), scalar(HUGE_VAL))[0].values<double>()[0]));
    const Tensor old = vector({1, -2, 3}), gradient = vector({nan_value, 1, 1}), state = vector({4, 5, 6});
    const std::vector<Tensor> sgd = run(ops::SgdUpdate{.momentum = 0.9, .weight_decay = 0.1}, old.clone(),
                                        gradient.clone(), state.clone(), scalar(0.1), scalar(nan_value));
    CHECK(compare(sgd[0], old, exact("kept")));
    CHECK(compare(sgd[1], state, exact("kept")));
    const std::vector<Tensor> adam = run(ops::AdamUpdate{.weight_decay = 0.1}, old.clone(), gradient.clone(),
                                         state.clone(), state.clone(), scalar(0.1), scalar(nan_value), integer(1));
    CHECK(compare(adam[0], old, exact("kept")));
    CHECK(compare(adam[1], state, exact("kept")));
    CHECK(compare(adam[2], state, exact("kept")));
}

TEST_CASE("NaN wins in max pooling, passes through relu, and is never the right answer") {
    const double values[] = {1, nan_value, 2, 3};
    const Tensor x(Shape{1, 2, 2, 1}, std::span<const double>(values));
    const std::vector<Tensor> pooled = run(ops::MaxPool2d{}, x.clone());
    CHECK(std::isnan(pooled[0].values<double>()[0]));
    CHECK(pooled[1].values<std::uint8_t>()[0] == 1);
    CHECK(std::isnan(run(ops::Relu{}, x.clone())[0].values<double>()[1]));
    const double logits[] = {nan_value, 1, nan_value, nan_value};
    const std::int32_t classes[] = {1, 0};
    const std::vector<Tensor> right = run(ops::TopKCount{1}, Tensor(Shape{2, 2}, std::span<const double>(logits)),
                                          Tensor(Shape{2}, std::span<const std::int32_t>(classes)));
    CHECK(right[0].values<double>()[0] == 0);
}

TEST_CASE("of equal maxima the first wins, of equal logits the lower class") {
    const double values[] = {5, 5, 5, 5};
    const std::vector<Tensor> pooled =
        run(ops::MaxPool2d{}, Tensor(Shape{1, 2, 2, 1}, std::span<const double>(values)));
    CHECK(pooled[1].values<std::uint8_t>()[0] == 0);
    for (const std::int32_t label : {0, 1, 2, 3}) {
        const std::vector<Tensor> right = run(ops::TopKCount{2}, Tensor(Shape{1, 4}, std::span<const double>(values)),
                                              Tensor(Shape{1}, std::span<const std::int32_t>(&label, 1)));
        CHECK(right[0].values<double>()[0] == (label < 2 ? 1 : 0));
    }
}

TEST_CASE("what the reference backend lacks is named") {
    const std::unique_ptr<Backend> backend = make_reference_backend();
    const Tensor single(Shape{2, 3}, DType::f32);
    std::vector<Tensor> inputs;
    inputs.push_back(single.clone());
    CHECK_THROWS_WITH_AS(backend->prepare(node_of(ops::Relu{}, inputs, {}, {})),
                         doctest::Contains("it computes in f64, not f32"), Error);
    std::vector<Tensor> wide;
    wide.push_back(single.converted(DType::f64));
    const std::vector<EpilogueStep> relu{{.kind = EpilogueStep::Kind::relu}};
    CHECK_THROWS_WITH_AS(backend->prepare(node_of(ops::Relu{}, wide, relu, {})), doctest::Contains("it fuses nothing"),
                         Error);
    const std::int32_t label = 7;
    CHECK_THROWS_WITH_AS(run(ops::SoftmaxCrossEntropy{}, single.converted(DType::f64).reshaped({1, 6}),
                             Tensor(Shape{1}, std::span<const std::int32_t>(&label, 1))),
                         doctest::Contains("label 7"), Error);
}
