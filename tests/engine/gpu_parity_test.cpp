// The CUDA kernels, on the CPU or on a GPU, against the reference, over random attributes and shapes of every operator:
// integers exactly; random data by the error rule, which lets a kernel err by no more than twice what its plain version
// does in the same precision; and the plain versions within rounding. The same program runs with the checked kernels,
// where a race, a stray access or a read of what nobody wrote fails it.
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <functional>

#include "engine/cases/case.h"
#include "engine/ops/any.h"
#include "tests/compare.h"
#include "tests/engine/cpu_harness.h"
#include "tests/engine/gpu_device.h"

using namespace cambium;
using namespace cambium::cases;
using namespace cambium::test;

namespace {

std::uint64_t draws() { return wanted_device() == gpu::Device::simt_check ? 3 : 50; }

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

bool is_attention(const Op& op) { return is_any<ops::Attention, ops::AttentionGradient>(op); }

// Attention's weights are operands of a second product, hence bf16 themselves. What that costs is relative to the terms
// of a sum that may cancel; tests/kernels/attention holds it to twice the error of a plain attention in bf16.
Tolerance bf16_tolerance(const Op& op) {
    if (is_attention(op)) return relative_to_largest(0x1p-6, "operands and the weights are bf16; so is the result");
    return relative_to_largest(0x1p-8, "operands are bf16 already; one rounding of the result");
}

Tolerance f32_tolerance(const Op& op) {
    if (std::holds_alternative<ops::BatchNorm>(op))
        return absolute(1e-5, "f32 rounding; values are about 1, and the mean of a channel may be 0 exactly");
    return relative_to_largest(1e-5, "f32 rounding of sums of some hundred terms");
}

Tolerance tf32_tolerance(const Op&) {
    return relative_to_largest(0x1p-8, "operands are rounded to tf32; a sum of two may cancel");
}

Tolerance unrounded_tf32_tolerance(const Op& op) {
    if (is_attention(op)) return relative_to_largest(0x1p-9, "the weights are tf32, three bits more than bf16");
    return f32_tolerance(op);
}

std::vector<Tensor> bf16_as_f32(const std::vector<Tensor>& inputs) {
    std::vector<Tensor> result;
    for (const Tensor& input : inputs)
        result.push_back(input.dtype() == DType::bf16 ? input.converted(DType::f32) : input.clone());
    return result;
}

using ToleranceOf = std::function<Tolerance(const Op&)>;

// What the operands of a run are, and what multiplies them.
struct Precision {
    DType drawn;  // bf16 with tf32's kernels: f32 tensors of such values, which tf32 has, so that no product rounds
    gpu::Math math = gpu::Math::f32;
};
constexpr Precision in_f32{DType::f32}, in_bf16{DType::bf16}, in_tf32{DType::f32, gpu::Math::tf32},
    in_tf32_of_bf16{DType::bf16, gpu::Math::tf32};

struct Drawn {
    Op op;
    std::vector<Tensor> inputs;
    NodeSpec node;
    std::vector<Tensor> expected;  // f64
};

// Calls `body` with instances of every operator.
void for_each_instance(Values values, const Precision& precision, const std::function<void(const Drawn&)>& body) {
    const std::unique_ptr<Backend> reference = make_reference_backend();
    for (const OpCase& op_case : op_cases()) {
        if (values == Values::integers && op_case.integers != OpCase::Integers::exact) continue;
        for (std::uint64_t index = 0; index < draws(); ++index) {
            RandomStream random = stream_of(op_case, index);
            const Instance instance = op_case.draw(random);
            if (!is_wanted(instance.op) || (precision.math == gpu::Math::tf32 && !multiplies(instance.op))) break;
            std::vector<Tensor> inputs = draw_inputs(instance, random, values, precision.drawn);
            if (precision.math == gpu::Math::tf32) inputs = bf16_as_f32(inputs);
            const std::vector<Tensor> wide = widened(inputs);
            const NodeSpec node = node_for(instance.op, inputs);
            CAPTURE(describe(node));
            body({instance.op, std::move(inputs), node,
                  run_node(*reference, reference_node(instance.op, wide), wide).outputs});
        }
    }
}

std::vector<Tensor> outputs_of(const Drawn& drawn, const Precision& precision, gpu::Variant variant) {
    Backend& backend = wanted_backend({.math = precision.math, .variant = variant});
    return run_node(backend, drawn.node, drawn.inputs).outputs;
}

// Plain kernels within rounding, tuned ones by FlashAttention's error rule. `least` stands in where the plain version
// happens to be exact, as it may on few elements; it is relative to the terms of sums, which are about 1.
void agrees_with_reference(const Precision& precision, const ToleranceOf& plain_tolerance, double least) {
    for_each_instance(Values::reals, precision, [&](const Drawn& drawn) {
        const std::vector<Tensor> plain = outputs_of(drawn, precision, gpu::Variant::plain);
        const std::vector<Tensor> tuned = outputs_of(drawn, precision, gpu::Variant::tuned);
        for (std::size_t i = 0; i < tuned.size(); ++i) {
            CAPTURE(i);
            CHECK(compare(plain[i], drawn.expected[i], plain_tolerance(drawn.op)));
            CHECK(compare(tuned[i], drawn.expected[i], twice_the_error_of(plain[i], drawn.expected[i], least)));
        }
    });
}

void integers_are_exact(const Precision& precision) {
    for_each_instance(Values::integers, precision, [&](const Drawn& drawn) {
        for (const gpu::Variant variant : {gpu::Variant::plain, gpu::Variant::tuned}) {
            const std::vector<Tensor> found = outputs_of(drawn, precision, variant);
            for (std::size_t i = 0; i < found.size(); ++i) {
                const Tensor expected = drawn.expected[i].converted(found[i].dtype());
                CHECK(compare(found[i], expected, exact("f32 sums of small integers, rounded once at most")));
            }
        }
    });
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

TEST_CASE("f32 agrees with the reference") { agrees_with_reference(in_f32, f32_tolerance, 0x1p-21); }
TEST_CASE("tf32 agrees with the reference") { agrees_with_reference(in_tf32, tf32_tolerance, 0x1p-12); }
TEST_CASE("tf32 agrees with the reference where no operand rounds") {
    agrees_with_reference(in_tf32_of_bf16, unrounded_tf32_tolerance, 0x1p-21);
}
TEST_CASE("bf16 agrees with the reference") { agrees_with_reference(in_bf16, bf16_tolerance, 0x1p-9); }

TEST_CASE("f32 is exact on integers") { integers_are_exact(in_f32); }
TEST_CASE("tf32 is exact on integers") { integers_are_exact(in_tf32); }
TEST_CASE("bf16 is exact on integers") { integers_are_exact(in_bf16); }

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
