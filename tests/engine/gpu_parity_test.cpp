// The CUDA kernels, on the CPU or on a GPU, against the reference, over random attributes and shapes of every operator:
// integers exactly, f32 and bf16 within rounding. The same program runs with the checked kernels, where a race, a stray
// access or a read of what nobody wrote fails it.
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <functional>

#include "engine/cases/case.h"
#include "tests/compare.h"
#include "tests/engine/cpu_harness.h"
#include "tests/engine/gpu_device.h"

using namespace cambium;
using namespace cambium::cases;
using namespace cambium::test;

namespace {

// Plain kernels are slow on a CPU, and there for comparison.
std::uint64_t draws(const gpu::Options& options) {
    if (wanted_device() == gpu::Device::simt_check) return options.variant == gpu::Variant::plain ? 1 : 4;
    return options.variant == gpu::Variant::plain ? 12 : 50;
}

// CAMBIUM_OPERATOR=conv2d: the cases of one operator only.
bool is_wanted(const Op& op) {
    const char* wanted = std::getenv("CAMBIUM_OPERATOR");
    return wanted == nullptr || name_of(op) == wanted;
}

std::vector<Tensor> widened(const std::vector<Tensor>& inputs) {
    std::vector<Tensor> wide;
    for (const Tensor& input : inputs)
        wide.push_back(is_real(input.dtype()) ? input.converted(DType::f64) : input.clone());
    return wide;
}

NodeSpec node_for(const Op& op, const std::vector<Tensor>& inputs) { return node_of(op, inputs, {}, {}); }

NodeSpec reference_node(const Op& op, const std::vector<Tensor>& inputs) {
    NodeSpec node = node_for(op, inputs);
    for (OperandSpec& output : node.outputs) {
        if (is_real(output.tensor.dtype)) output.tensor.dtype = DType::f64;
    }
    return node;
}

// Attention's weights are operands of a second product, hence bf16 themselves. What that costs is relative to the terms
// of a sum that may cancel; tests/kernels/attention holds it to twice the error of a plain attention in bf16.
Tolerance bf16_tolerance(const Op& op) {
    if (std::holds_alternative<ops::Attention>(op) || std::holds_alternative<ops::AttentionGradient>(op))
        return relative_to_largest(0x1p-6, "operands and the weights are bf16; so is the result");
    return relative_to_largest(0x1p-8, "operands are bf16 already; one rounding of the result");
}

Tolerance f32_tolerance(const Op& op) {
    if (std::holds_alternative<ops::BatchNorm>(op))
        return absolute(1e-5, "f32 rounding; values are about 1, and the mean of a channel may be 0 exactly");
    return relative_to_largest(1e-5, "f32 rounding of sums of some hundred terms");
}

Tolerance tf32_tolerance(const Op& op) {
    if (std::holds_alternative<ops::Attention>(op) || std::holds_alternative<ops::AttentionGradient>(op))
        return relative_to_largest(0x1p-9, "the weights are tf32, three bits more than bf16");
    return f32_tolerance(op);
}

using ToleranceOf = std::function<Tolerance(const Op&)>;

// f32 tensors whose values tf32 has: products of such operands do not round.
std::vector<Tensor> as_tf32(const std::vector<Tensor>& low) {
    std::vector<Tensor> inputs;
    for (const Tensor& input : low)
        inputs.push_back(input.dtype() == DType::bf16 ? input.converted(DType::f32) : input.clone());
    return inputs;
}

void hold_against_reference(Values values, DType real, const ToleranceOf& tolerance, const gpu::Options& options = {}) {
    const bool tf32 = options.math == gpu::Math::tf32;
    const std::unique_ptr<Backend> reference = make_reference_backend();
    for (const OpCase& op_case : op_cases()) {
        if (values == Values::integers && op_case.integers != OpCase::Integers::exact) continue;
        for (std::uint64_t index = 0; index < draws(options); ++index) {
            RandomStream random = stream_of(op_case, index);
            const Instance instance = op_case.draw(random);
            if (!is_wanted(instance.op)) break;
            std::vector<Tensor> inputs = draw_inputs(instance, random, values, tf32 ? DType::bf16 : real);
            if (tf32) inputs = as_tf32(inputs);
            const NodeSpec node = node_for(instance.op, inputs);
            CAPTURE(describe(node));
            const std::vector<Tensor> wide = widened(inputs);
            const NodeRun found = run_node(wanted_backend(options), node, inputs);
            const NodeRun expected = run_node(*reference, reference_node(instance.op, wide), wide);
            for (std::size_t i = 0; i < found.outputs.size(); ++i)
                CHECK(compare(found.outputs[i], expected.outputs[i], tolerance(instance.op)));
        }
    }
}

}  // namespace

TEST_CASE("what the kernels lack is an error that names it") {
    std::vector<Tensor> large, mixed;
    large.emplace_back(Shape{1, 2, 3, 1, 129}, DType::f32);
    mixed.emplace_back(Shape{2}, DType::f32);
    mixed.emplace_back(Shape{2}, DType::bf16);
    Backend& kernels = wanted_backend();
    CHECK(kernels.unsupported(node_for(ops::Attention{}, large)) ==
          "no attention with heads of 129 values (128 at most)");
    CHECK_THROWS_WITH(kernels.prepare(node_for(ops::Attention{}, large)), doctest::Contains("heads of 129 values"));
    CHECK_THROWS_WITH(kernels.prepare(node_for(ops::Add{}, mixed)), doctest::Contains("no add on f32, bf16"));
}

TEST_CASE("f32 agrees with the reference") { hold_against_reference(Values::reals, DType::f32, f32_tolerance); }

TEST_CASE("tf32 agrees with the reference") {
    hold_against_reference(Values::reals, DType::f32, tf32_tolerance, {.math = gpu::Math::tf32});
}

TEST_CASE("the plain kernels agree with the reference") {
    constexpr auto plain = gpu::Variant::plain;
    hold_against_reference(Values::reals, DType::f32, f32_tolerance, {.variant = plain});
    hold_against_reference(Values::reals, DType::bf16, bf16_tolerance, {.variant = plain});
    hold_against_reference(Values::reals, DType::f32, tf32_tolerance, {.math = gpu::Math::tf32, .variant = plain});
}

TEST_CASE("f32 is exact on integers") {
    hold_against_reference(Values::integers, DType::f32,
                           [](const Op&) { return exact("sums of small integers do not round in f32"); });
}

TEST_CASE("bf16 agrees with the reference") { hold_against_reference(Values::reals, DType::bf16, bf16_tolerance); }

TEST_CASE("photos that their table leaves alone become the bits of normalize") {
    RandomStream random(1, 2);
    const ops::Normalize to{{0.0171f, 0.0175f, 0.0174f}, {-2.118f, -2.036f, -1.804f}, ops::ChannelOrder::bgr};
    Tensor images({2, 13, 24, 3}, DType::u8), table({2, AugmentParameters::columns}, DType::f32);
    for (std::uint8_t& value : images.values<std::uint8_t>()) value = static_cast<std::uint8_t>(random.below(256));
    const AugmentParameters nothing[2];
    std::memcpy(table.bytes().data(), nothing, sizeof nothing);
    std::vector<Tensor> photos, inputs;
    photos.push_back(images.clone());
    inputs.push_back(std::move(images));
    inputs.push_back(std::move(table));
    for (const DType dtype : {DType::f32, DType::bf16}) {
        const NodeRun expected = run_node(wanted_backend(), node_of(to, photos, {}, {dtype}), photos);
        const NodeRun found =
            run_node(wanted_backend(), node_of(ops::Augment{.normalization = to}, inputs, {}, {dtype}), inputs);
        CHECK(compare(found.outputs[0], expected.outputs[0], exact("the same product and sum of every pixel")));
    }
}
