// Every gradient rule against central differences in double. The loss is a random linear functional of the operator's
// outputs; its gradient comes from gradients(), as in training, and both run on the reference backend.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/backends/backend.h"
#include "engine/base/error.h"
#include "engine/cases/case.h"
#include "engine/graph/gradients.h"
#include "engine/graph/program.h"
#include "engine/ops/functions.h"
#include "tests/compare.h"

using namespace cambium;
using namespace cambium::cases;
using namespace cambium::test;

namespace {

constexpr std::uint64_t draws = 8;
constexpr std::size_t entries_per_input = 16;

std::string input_name(std::size_t i) { return fmt::format("input{}", i); }
std::string weights_name(std::size_t i) { return fmt::format("weights{}", i); }

// Reals are traced as f32, and compiled as f64.
DType traced(const Operand& operand) {
    if (operand.fill == Fill::bytes) return DType::u8;
    return operand.fill == Fill::labels || operand.fill == Fill::counter ? DType::i32 : DType::f32;
}

struct Traced {
    std::vector<Value> inputs, outputs;
};

Traced trace(Graph& graph, const Instance& instance) {
    Traced traced_op;
    for (std::size_t i = 0; i < instance.inputs.size(); ++i)
        traced_op.inputs.push_back(graph.input(input_name(i), instance.inputs[i].shape, traced(instance.inputs[i])));
    traced_op.outputs = graph.append(instance.op, traced_op.inputs);
    return traced_op;
}

Value weighted_sum(Value output, Value weights) {
    std::vector<int> axes;
    for (int axis = 0; axis < output.shape().rank(); ++axis) axes.push_back(axis);
    return reduce_sum(multiply(output, weights), axes);
}

// The graph of the loss; output "loss".
Value trace_loss(Graph& graph, const Traced& op, const std::vector<std::size_t>& outputs) {
    std::optional<Value> loss;
    for (const std::size_t i : outputs) {
        const Value weights = graph.input(weights_name(i), op.outputs[i].shape(), DType::f32);
        const Value term = weighted_sum(op.outputs[i], weights);
        loss = loss ? add(*loss, term) : term;
    }
    graph.output("loss", *loss);
    return *loss;
}

// One drawn instance, compiled twice: the loss alone, and its gradients.
class Check {
  public:
    Check(const Instance& instance, RandomStream& random)
        : instance_(instance),
          inputs_(draw_inputs(instance, random, Values::reals, DType::f64)),
          backend_(make_reference_backend()),
          store_(backend_->memory(), DType::f64) {
        Graph forward;
        const Traced op = trace(forward, instance);
        trace_loss(forward, op, instance.differentiable_outputs);
        Graph backward;
        const Traced same = trace(backward, instance);
        const Value loss = trace_loss(backward, same, instance.differentiable_outputs);
        std::vector<Value> targets;
        for (std::size_t i = 0; i < instance.inputs.size(); ++i) {
            if (instance.inputs[i].differentiable) targets.push_back(same.inputs[i]);
        }
        const std::vector<Value> results = gradients(loss, targets);
        std::size_t next = 0;
        for (std::size_t i = 0; i < instance.inputs.size(); ++i) {
            if (instance.inputs[i].differentiable) backward.output(fmt::format("gradient{}", i), results[next++]);
        }
        forward_.emplace(compile(forward, store_, *backend_, {.precision = Precision::f64}));
        backward_.emplace(compile(backward, store_, *backend_, {.precision = Precision::f64}));
        for (const std::size_t i : instance.differentiable_outputs) {
            Tensor weights(op.outputs[i].shape(), DType::f64);
            for (double& value : weights.values<double>()) value = random.uniform(-1, 1);
            set(weights_name(i), weights);
        }
        for (std::size_t i = 0; i < inputs_.size(); ++i) set(input_name(i), inputs_[i]);
        backward_->run();
        for (std::size_t i = 0; i < inputs_.size(); ++i) {  // read now: the other program's runs reuse the memory
            gradients_.push_back(instance.inputs[i].differentiable ? backward_->get(fmt::format("gradient{}", i))
                                                                   : Tensor());
        }
    }

    // Some entries of the gradient of input i, as built by the rules and as measured.
    std::array<std::vector<double>, 2> entries(std::size_t i, RandomStream& random) {
        const auto count = static_cast<std::uint32_t>(inputs_[i].count());
        std::array<std::vector<double>, 2> result;
        for (std::size_t entry = 0; entry < std::min<std::size_t>(count, entries_per_input); ++entry) {
            const std::size_t at = count <= entries_per_input ? entry : random.below(count);
            result[0].push_back(gradients_[i].values<double>()[at]);
            result[1].push_back(measured(i, at));
        }
        return result;
    }

  private:
    void set(const std::string& name, const Tensor& value) {
        if (forward_->has_input(name)) forward_->set(name, value);
        if (backward_->has_input(name)) backward_->set(name, value);
    }

    // Fourth-order central difference. Steps stay well within the distance to the next kink.
    double measured(std::size_t i, std::size_t at) {
        const bool kinks = instance_.inputs[i].fill == Fill::separated;
        const double step = kinks ? std::min(1e-3, 0.1 / static_cast<double>(inputs_[i].count())) : 1e-3;
        return (8 * (loss(i, at, step) - loss(i, at, -step)) - (loss(i, at, 2 * step) - loss(i, at, -2 * step))) /
               (12 * step);
    }

    double loss(std::size_t i, std::size_t at, double step) {
        Tensor moved = inputs_[i].clone();
        moved.values<double>()[at] += step;
        forward_->set(input_name(i), moved);
        forward_->run();
        forward_->set(input_name(i), inputs_[i]);
        return forward_->scalar("loss");
    }

    const Instance& instance_;
    std::vector<Tensor> inputs_, gradients_;
    std::unique_ptr<Backend> backend_;
    Store store_;
    std::optional<Program> forward_, backward_;
};

bool is_differentiable(const Instance& instance) {
    return std::ranges::any_of(instance.inputs, [](const Operand& operand) { return operand.differentiable; });
}

}  // namespace

TEST_CASE("gradient rules agree with central differences") {
    const Tolerance tolerance =
        relative_to_largest(1e-7, "fourth-order differences in double: truncation and rounding stay below 1e-8");
    for (const OpCase& op_case : op_cases()) {
        for (std::uint64_t index = 0; index < draws; ++index) {
            RandomStream random = stream_of(op_case, index);
            const Instance instance = op_case.draw(random);
            if (!is_differentiable(instance)) continue;
            CAPTURE(op_case.name);
            CAPTURE(attributes(instance.op));
            Check check(instance, random);
            for (std::size_t i = 0; i < instance.inputs.size(); ++i) {
                if (!instance.inputs[i].differentiable) continue;
                CAPTURE(i);
                CAPTURE(to_string(instance.inputs[i].shape));
                const auto [built, measured] = check.entries(i, random);
                CHECK(compare(std::span<const double>(built), std::span<const double>(measured), tolerance));
            }
        }
    }
}

TEST_CASE("a rule asked for a gradient it does not have says so") {
    for (const OpCase& op_case : op_cases()) {
        RandomStream random = stream_of(op_case, 0);
        const Instance instance = op_case.draw(random);
        for (std::size_t i = 0; i < instance.inputs.size(); ++i) {
            if (instance.inputs[i].differentiable || traced(instance.inputs[i]) != DType::f32) continue;
            CAPTURE(op_case.name);
            CAPTURE(i);
            Graph graph;
            const Traced op = trace(graph, instance);
            const Value loss = trace_loss(graph, op, {0});
            CHECK_THROWS_AS(gradients(loss, {op.inputs[i]}), Error);
        }
    }
}

TEST_CASE("moments and denominators have no gradient") {
    Graph graph;
    const Value x = graph.input("x", {4, 3}, DType::f32), gamma = graph.input("gamma", {3}, DType::f32);
    const BatchNormResult norm = batch_norm(x, gamma, gamma, 1e-5);
    CHECK_THROWS_AS(gradients(reduce_sum(norm.mean, {0}), {x}), Error);
    CHECK_THROWS_AS(gradients(reduce_sum(norm.variance, {0}), {x}), Error);
    const Value labels = graph.input("labels", {4}, DType::i32);
    CHECK_THROWS_AS(gradients(softmax_cross_entropy(x, labels).denominator, {x}), Error);
}
