// The CPU backend against the reference over random attributes and shapes of every operator: f32 and bf16 within
// rounding, and integers exactly.
#include <doctest/doctest.h>

#include <set>

#include "engine/backends/backend.h"
#include "engine/cases/case.h"
#include "tests/compare.h"
#include "tests/engine/cpu_harness.h"

using namespace cambium;
using namespace cambium::cases;
using namespace cambium::test;

namespace {

constexpr std::uint64_t draws = 25;

std::vector<Tensor> widened(const std::vector<Tensor>& inputs) {
    std::vector<Tensor> wide;
    for (const Tensor& input : inputs)
        wide.push_back(is_real(input.dtype()) ? input.converted(DType::f64) : input.clone());
    return wide;
}

// The node with the dtypes that infer() gives.
NodeSpec node_for(const Op& op, const std::vector<Tensor>& inputs) { return node_of(op, inputs, {}, {}); }

NodeSpec reference_node(const Op& op, const std::vector<Tensor>& inputs) {
    NodeSpec node = node_for(op, inputs);
    for (OperandSpec& output : node.outputs) {
        if (is_real(output.tensor.dtype)) output.tensor.dtype = DType::f64;
    }
    return node;
}

// Runs every case; returns the operators that the backend ran.
std::set<std::string_view> hold_against_reference(Values values, DType real, const Tolerance& tolerance) {
    const std::unique_ptr<Backend> reference = make_reference_backend(), cpu = make_cpu_backend();
    std::set<std::string_view> ran;
    for (const OpCase& op_case : op_cases()) {
        if (values == Values::integers && op_case.integers != OpCase::Integers::exact) continue;
        for (std::uint64_t index = 0; index < draws; ++index) {
            RandomStream random = stream_of(op_case, index);
            const Instance instance = op_case.draw(random);
            const std::vector<Tensor> inputs = draw_inputs(instance, random, values, real);
            const NodeSpec node = node_for(instance.op, inputs);
            CAPTURE(describe(node));
            if (real == DType::bf16 && cpu->unsupported(node)) continue;
            const std::vector<Tensor> wide = widened(inputs);
            const NodeRun found = run_node(*cpu, node, inputs);
            const NodeRun expected = run_node(*reference, reference_node(instance.op, wide), wide);
            for (std::size_t i = 0; i < found.outputs.size(); ++i)
                CHECK_MESSAGE(compare(found.outputs[i], expected.outputs[i], tolerance), found.provider);
            ran.insert(name_of(instance.op));
        }
    }
    return ran;
}

}  // namespace

TEST_CASE("f32 agrees with the reference") {
    hold_against_reference(Values::reals, DType::f32,
                           relative_to_largest(1e-5, "f32 rounding of sums of some hundred terms"));
}

TEST_CASE("f32 is exact on integers") {
    hold_against_reference(Values::integers, DType::f32, exact("sums of small integers do not round in f32"));
}

TEST_CASE("bf16 agrees with the reference") {
    const std::set<std::string_view> ran =
        hold_against_reference(Values::reals, DType::bf16,
                               relative_to_largest(0x1p-8, "operands are bf16 already; one rounding of the result"));
    for (const std::string_view name : {ops::Conv2d::name, ops::MatMul::name, ops::Relu::name, ops::BatchNorm::name,
                                        ops::MaxPool2d::name, ops::AdaptiveAvgPool2d::name, ops::Add::name})
        CHECK_MESSAGE(ran.contains(name), std::string(name), " does not run in bf16");
}
