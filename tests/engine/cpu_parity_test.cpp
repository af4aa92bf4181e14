// Every operator of the CPU backend against the reference backend, in every way it can run: f32 and bf16, NHWC and
// blocked, with oneDNN and without. Run once per instruction set (CAMBIUM_ISA).
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/base/error.h"
#include "engine/base/isa.h"
#include "engine/ops/op.h"
#include "tests/compare.h"
#include "tests/engine/cpu_harness.h"
#include "tests/hash_fill.h"

using namespace cambium;
using cambium::cpu::Options;
using test::node_of;
using test::NodeRun;
using test::Offer;
using test::run_node;
using Kind = EpilogueStep::Kind;

namespace {

// How an input is filled. Reals are multiples of 2^-7 below 2 in magnitude, exact in bf16 where noted.
enum class Fill : std::uint8_t { real, positive, integer, labels, bytes, probability, step };

struct InputSpec {
    Shape shape;
    Fill fill = Fill::real;
};

struct Case {
    std::string name;
    Op op;
    std::vector<InputSpec> inputs;
    std::size_t activations = 1;  // so many leading inputs are stored in bf16 where that is tried
    std::vector<EpilogueStep> epilogue{};
    std::vector<std::size_t> summands{};  // epilogue operands stored as activations
    enum class Result : std::uint8_t { follows, f32 } result = Result::follows;
};

Tensor filled(const InputSpec& input, std::uint32_t seed) {
    const auto count = static_cast<std::size_t>(input.shape.count());
    if (input.fill == Fill::labels || input.fill == Fill::step) {
        Tensor labels(input.shape, DType::i32);
        for (std::size_t i = 0; i < count; ++i) {
            const auto drawn = static_cast<std::int32_t>(test::hash_below(seed, i, 6));
            labels.values<std::int32_t>()[i] = input.fill == Fill::step ? 3 : drawn - 1;
        }
        return labels;
    }
    if (input.fill == Fill::bytes) {
        Tensor bytes(input.shape, DType::u8);
        for (std::size_t i = 0; i < count; ++i) {
            bytes.values<std::uint8_t>()[i] = static_cast<std::uint8_t>(test::hash_below(seed, i, 256));
        }
        return bytes;
    }
    Tensor reals(input.shape, DType::f64);
    for (std::size_t i = 0; i < count; ++i) {
        const double x = test::hash_value(seed, i, 15);
        double& to = reals.values<double>()[i];
        to = x;
        if (input.fill == Fill::positive) to = std::abs(x) + 0.25;
        if (input.fill == Fill::integer) to = std::round(x * 4);
        if (input.fill == Fill::probability) to = 0.2;
    }
    return reals;
}

ops::Conv2d conv(ops::Pair stride, ops::Pair padding, ops::Pair dilation = {1, 1}, std::int64_t groups = 1) {
    return {.stride = stride, .padding = padding, .dilation = dilation, .groups = groups};
}

// The forward convolution and its two gradients.
void add_convolution(std::vector<Case>& cases, const std::string& name, const ops::Conv2d& op, const Shape& x,
                     const Shape& w) {
    const TensorSpec specs[] = {{x, DType::f64}, {w, DType::f64}};
    const Shape y = infer(op, specs)[0].shape;
    cases.push_back({name + " fprop", op, {{x}, {w}}, 2});
    cases.push_back({name + " dgrad", ops::Conv2dInputGradient{op, x}, {{y}, {w}}, 2});
    cases.push_back({name + " wgrad", ops::Conv2dFilterGradient{op, w}, {{x}, {y}}, 2, {}, {}, Case::Result::f32});
    const Shape k{w[0]};
    cases.push_back({name + " +bias +relu", op, {{x}, {w}, {k}}, 2, {{Kind::add_bias, 2}, {Kind::relu}}});
    cases.push_back({name + " +scale_shift +add +relu",
                     op,
                     {{x}, {w}, {k}, {k}, {y}},
                     2,
                     {{Kind::scale_shift, 2, 3}, {Kind::add, 4}, {Kind::relu}},
                     {4}});
}

std::vector<Case> convolution_cases() {
    std::vector<Case> cases;
    add_convolution(cases, "3x3", conv({1, 1}, {1, 1}), {2, 9, 7, 32}, {48, 3, 3, 32});
    add_convolution(cases, "3x3 stride 2", conv({2, 2}, {1, 1}), {2, 14, 13, 16}, {32, 3, 3, 16});
    add_convolution(cases, "1x1", conv({1, 1}, {0, 0}), {2, 5, 6, 64}, {32, 1, 1, 64});
    add_convolution(cases, "1x1 stride 2", conv({2, 2}, {0, 0}), {1, 8, 8, 32}, {64, 1, 1, 32});
    add_convolution(cases, "7x7 stem", conv({2, 2}, {3, 3}), {2, 24, 24, 3}, {64, 7, 7, 3});
    add_convolution(cases, "11x11 stem", conv({4, 4}, {2, 2}), {1, 39, 35, 3}, {16, 11, 11, 3});
    add_convolution(cases, "odd channels", conv({1, 2}, {1, 0}), {1, 6, 7, 5}, {7, 3, 2, 5});
    add_convolution(cases, "groups", conv({1, 1}, {1, 1}, {1, 1}, 2), {2, 6, 6, 32}, {32, 3, 3, 16});
    add_convolution(cases, "odd groups", conv({2, 1}, {1, 1}, {1, 1}, 3), {1, 7, 6, 6}, {9, 3, 3, 2});
    add_convolution(cases, "depthwise", conv({1, 1}, {1, 1}, {1, 1}, 32), {1, 6, 5, 32}, {32, 3, 3, 1});
    add_convolution(cases, "dilated", conv({1, 1}, {2, 2}, {2, 2}), {1, 9, 9, 16}, {16, 3, 3, 16});
    add_convolution(cases, "rectangular", conv({1, 1}, {0, 2}), {1, 5, 9, 16}, {32, 1, 5, 16});
    return cases;
}

std::vector<Case> product_cases() {
    using enum ops::Transpose;
    return {
        {"matmul", ops::MatMul{no, no}, {{{5, 7}}, {{7, 6}}}, 2},
        {"matmul tb", ops::MatMul{no, yes}, {{{33, 300}}, {{70, 300}}}, 2},
        {"matmul ta", ops::MatMul{yes, no}, {{{31, 40}}, {{31, 50}}}, 2},
        {"matmul ta tb", ops::MatMul{yes, yes}, {{{9, 20}}, {{13, 9}}}, 2},
        {"matmul one row", ops::MatMul{no, yes}, {{{1, 512}}, {{1000, 512}}}, 2, {}, {}, Case::Result::f32},
        {"matmul large", ops::MatMul{no, no}, {{{200, 600}}, {{600, 300}}}, 2},
        {"matmul +bias +relu",
         ops::MatMul{no, yes},
         {{{4, 20}}, {{30, 20}}, {{30}}},
         2,
         {{Kind::add_bias, 2}, {Kind::relu}}},
        {"matmul +bias +gelu",
         ops::MatMul{no, yes},
         {{{40, 20}}, {{30, 20}}, {{30}}},
         2,
         {{Kind::add_bias, 2}, {Kind::gelu}}},
        {"matmul +bias +add",
         ops::MatMul{no, yes},
         {{{4, 20}}, {{30, 20}}, {{30}}, {{4, 30}}},
         2,
         {{Kind::add_bias, 2}, {Kind::add, 3}},
         {3}},
    };
}

std::vector<Case> elementwise_cases() {
    const Shape x{2, 5, 3, 32}, odd{3, 2, 5, 7}, c{32}, scalar{};
    return {
        {"convert", ops::Convert{DType::f32}, {{x}}},
        {"convert labels", ops::Convert{DType::f32}, {{{17}, Fill::labels}}, 0},
        {"normalize rgb", ops::Normalize{{0.5f, 0.25f, 2}, {1, -1, 0}}, {{{2, 4, 5, 3}, Fill::bytes}}, 0},
        {"normalize bgr",
         ops::Normalize{{0.5f, 0.25f, 2}, {1, -1, 0}, ops::ChannelOrder::bgr},
         {{{2, 4, 5, 3}, Fill::bytes}},
         0},
        {"add", ops::Add{}, {{x}, {x}}, 2},
        {"add odd", ops::Add{}, {{odd}, {odd}}, 2},
        {"add +relu", ops::Add{}, {{x}, {x}}, 2, {{Kind::relu}}},
        {"multiply", ops::Multiply{}, {{x}, {x}}, 2},
        {"scale", ops::Scale{-0.375}, {{x}}},
        {"lerp", ops::Lerp{}, {{{70000}}, {{70000}}, {scalar}}, 0},
        {"add_bias", ops::AddBias{}, {{x}, {c}}},
        {"add_bias odd", ops::AddBias{}, {{odd}, {{7}}}},
        {"scale_shift", ops::ScaleShift{}, {{x}, {c}, {c}}},
        {"scale_shift without shift", ops::ScaleShift{}, {{odd}, {{7}}}},
        {"scale_shift +add +relu", ops::ScaleShift{}, {{x}, {c}, {c}, {x}}, 1, {{Kind::add, 3}, {Kind::relu}}, {3}},
        {"scale_shift +scale_shift +bias",
         ops::ScaleShift{},
         {{x}, {c}, {c}, {c}, {c}},
         1,
         {{Kind::scale_shift, 2, 3}, {Kind::add_bias, 4}}},
        {"channel_dot", ops::ChannelDot{}, {{x}, {x}}, 2, {}, {}, Case::Result::f32},
        {"channel_dot odd", ops::ChannelDot{}, {{odd}, {odd}}, 2, {}, {}, Case::Result::f32},
        {"relu", ops::Relu{}, {{x}}},
        {"relu long", ops::Relu{}, {{{3, 100003}}}},
        {"relu_gradient", ops::ReluGradient{}, {{x}, {x}}, 2},
        {"dropout", ops::Dropout{0.375, 7, "classifier.0"}, {{{3, 1001}}, {scalar, Fill::step}}},
        {"guard", ops::Guard{}, {{x}, {x}, {scalar}}, 2},
        {"increment", ops::Increment{}, {{scalar, Fill::step}}, 0},
    };
}

std::vector<Case> norm_cases() {
    const Shape x{4, 6, 5, 32}, odd{3, 4, 5, 13}, c{32};
    const auto p = Fill::positive;
    return {
        {"batch_norm", ops::BatchNorm{}, {{x}, {c}, {c}}},
        {"batch_norm odd", ops::BatchNorm{1e-3}, {{odd}, {{13}}, {{13}}}},
        {"batch_norm large", ops::BatchNorm{}, {{{4, 40, 40, 48}}, {{48}}, {{48}}}},
        {"batch_norm +add +relu", ops::BatchNorm{}, {{x}, {c}, {c}, {x}}, 1, {{Kind::add, 3}, {Kind::relu}}, {3}},
        {"batch_norm_apply +add +relu",
         ops::BatchNormApply{},
         {{x}, {c}, {c}, {c}, {c, p}, {x}},
         1,
         {{Kind::add, 5}, {Kind::relu}},
         {5}},
        {"batch_norm_gradient", ops::BatchNormGradient{}, {{x}, {x}, {c}, {c}, {c, p}}, 2},
        {"batch_norm_gradient odd", ops::BatchNormGradient{}, {{odd}, {odd}, {{13}}, {{13}}, {{13}, p}}, 2},
        {"batch_norm_scale", ops::BatchNormScale{}, {{c}, {c, p}}, 0},
        {"batch_norm_shift", ops::BatchNormShift{}, {{c}, {c}, {c}}, 0},
        {"scale_filter", ops::ScaleFilter{}, {{{6, 3, 3, 5}}, {{6}}}, 0},
    };
}

std::vector<Case> pool_cases() {
    const ops::Window resnet{{3, 3}, {2, 2}, {1, 1}}, squeeze{{3, 3}, {2, 2}, {0, 0}, ops::Rounding::ceil};
    const ops::Window uneven{{2, 3}, {1, 2}, {0, 1}, ops::Rounding::ceil};
    const Shape x{2, 9, 8, 32}, odd{1, 7, 6, 5};
    std::vector<Case> cases;
    for (const auto& [name, window] : {std::pair{"resnet", resnet}, {"squeeze", squeeze}, {"uneven", uneven}}) {
        for (const Shape& shape : {x, odd}) {
            const TensorSpec spec[] = {{shape, DType::f64}};
            const Shape y = infer(ops::AvgPool2d{window}, spec)[0].shape;
            cases.push_back({fmt::format("max_pool2d {}", name), ops::MaxPool2d{window}, {{shape}}});
            for (const ops::Padding padding : {ops::Padding::counted, ops::Padding::ignored}) {
                cases.push_back({fmt::format("avg_pool2d {}", name), ops::AvgPool2d{window, padding}, {{shape}}});
                cases.push_back({fmt::format("avg_pool2d_gradient {}", name),
                                 ops::AvgPool2dGradient{window, padding, shape},
                                 {{y}}});
            }
        }
    }
    for (const ops::Pair output : {ops::Pair{1, 1}, ops::Pair{6, 6}, ops::Pair{3, 5}}) {
        cases.push_back({"adaptive_avg_pool2d", ops::AdaptiveAvgPool2d{output}, {{x}}});
        const Shape y{x[0], output[0], output[1], x[3]};
        cases.push_back({"adaptive_avg_pool2d_gradient", ops::AdaptiveAvgPool2dGradient{x}, {{y}}});
    }
    return cases;
}

std::vector<Case> move_cases() {
    const Shape x{2, 3, 4, 16};
    return {
        {"concat channels", ops::Concat{-1}, {{x}, {{2, 3, 4, 32}}}, 2},
        {"concat odd channels", ops::Concat{-1}, {{x}, {{2, 3, 4, 5}}, {x}}, 3},
        {"concat images", ops::Concat{0}, {{x}, {{1, 3, 4, 16}}}, 2},
        {"concat rows", ops::Concat{1}, {{x}, {{2, 5, 4, 16}}}, 2},
        {"slice", ops::Slice{{0, 1, 0, 3}, {2, 3, 4, 16}, {1, 1, 2, 5}}, {{x}}},
        {"slice nothing", ops::Slice{{0, 1, 0, 3}, {2, 1, 4, 16}, {1, 1, 2, 5}}, {{x}}},
        {"pad", ops::Pad{{1, 0, 2, 0}, {0, 0, 1, 3}, {1, 2, 1, 3}}, {{x}}},
        {"reshape", ops::Reshape{{2, 192}}, {{x}}},
        {"transpose", ops::Transposition{{3, 0, 2, 1}}, {{x}}},
        {"transpose 5", ops::Transposition{{1, 0, 4, 2, 3}}, {{{2, 3, 4, 5, 2}}}},
        {"broadcast", ops::Broadcast{{2, 3, 4, 16}, {0, 2}}, {{{3, 16}}}},
        {"broadcast scalar", ops::Broadcast{{2, 3}, {0, 1}}, {{Shape{}}}},
    };
}

std::vector<Case> reduce_cases() {
    const Shape x{2, 3, 4, 32};
    const auto f32 = Case::Result::f32;
    return {
        {"reduce_sum channels", ops::ReduceSum{{0, 1, 2}}, {{x}}, 1, {}, {}, f32},
        {"reduce_sum large", ops::ReduceSum{{0}}, {{{5000, 33}}}, 1, {}, {}, f32},
        {"reduce_sum rows", ops::ReduceSum{{3}}, {{x}}, 1, {}, {}, f32},
        {"reduce_sum all", ops::ReduceSum{{0, 1, 2, 3}}, {{x}}, 1, {}, {}, f32},
        {"reduce_sum images", ops::ReduceSum{{1, 2}}, {{x}}, 1, {}, {}, f32},
        {"reduce_sum outer", ops::ReduceSum{{0, 2}}, {{x}}, 1, {}, {}, f32},
        {"global_norm", ops::GlobalNorm{}, {{{100000}}, {{7}}, {Shape{}}}, 3, {}, {}, f32},
    };
}

std::vector<Case> loss_cases() {
    const Shape logits{6, 5}, scalar{}, classes{5};
    const auto labels = Fill::labels;
    const auto p = Fill::positive;
    return {
        {"softmax", ops::Softmax{}, {{{3, 2, 9}}}},
        {"softmax_gradient", ops::SoftmaxGradient{}, {{{3, 9}}, {{3, 9}}}, 2},
        {"cross entropy", ops::SoftmaxCrossEntropy{}, {{logits}, {{6}, labels}}, 0},
        {"cross entropy smooth", ops::SoftmaxCrossEntropy{0.1}, {{logits}, {{6}, labels}, {classes, p}}, 0},
        {"cross entropy soft", ops::SoftmaxCrossEntropy{0.1}, {{logits}, {logits, Fill::probability}}, 0},
        {"cross entropy soft weighted", ops::SoftmaxCrossEntropy{}, {{logits}, {logits, p}, {classes, p}}, 0},
        {"cross entropy gradient", ops::SoftmaxCrossEntropyGradient{}, {{scalar}, {logits}, {{6}, labels}}, 0},
        {"cross entropy gradient smooth",
         ops::SoftmaxCrossEntropyGradient{0.1},
         {{scalar}, {logits}, {{6}, labels}, {classes, p}},
         0},
        {"cross entropy gradient soft",
         ops::SoftmaxCrossEntropyGradient{0.2},
         {{scalar}, {logits}, {logits, p}, {classes, p}},
         0},
        {"top 1", ops::TopKCount{1}, {{logits}, {{6}, labels}}, 0},
        {"top 3 of ties", ops::TopKCount{3}, {{{6, 5}, Fill::integer}, {{6}, labels}}, 0},
    };
}

std::vector<Case> optimizer_cases() {
    const Shape w{50001}, scalar{};
    const auto p = Fill::positive;
    using Sgd = ops::SgdUpdate;
    using Decay = ops::AdamUpdate::Decay;
    return {
        {"clip_scale", ops::ClipScale{0.5}, {{scalar, p}, {scalar, p}, {scalar}}, 0},
        {"clip_scale off", ops::ClipScale{}, {{scalar, p}, {scalar, p}, {scalar}}, 0},
        {"sgd", Sgd{}, {{w}, {w}, {scalar}, {scalar}}, 0},
        {"sgd decay", Sgd{.weight_decay = 0.1, .rate_factor = 0.5}, {{w}, {w}, {scalar}, {scalar}}, 0},
        {"sgd momentum", Sgd{.momentum = 0.9}, {{w}, {w}, {w}, {scalar}, {scalar}}, 0},
        {"sgd nesterov",
         Sgd{.momentum = 0.9, .weight_decay = 0.01, .kind = Sgd::Momentum::nesterov},
         {{w}, {w}, {w}, {scalar}, {scalar}},
         0},
        {"adam", ops::AdamUpdate{}, {{w}, {w}, {w}, {w, p}, {scalar}, {scalar}, {scalar, Fill::step}}, 0},
        {"adamw",
         ops::AdamUpdate{.weight_decay = 0.1, .decay = Decay::decoupled},
         {{w}, {w}, {w}, {w, p}, {scalar}, {scalar}, {scalar, Fill::step}},
         0},
        {"adam coupled",
         ops::AdamUpdate{.weight_decay = 0.1, .rate_factor = 2},
         {{w}, {w}, {w}, {w, p}, {scalar}, {scalar}, {scalar, Fill::step}},
         0},
    };
}

// What one way of running a case stores activations in.
Tensor stored(const Tensor& x, DType dtype) { return is_real(x.dtype()) ? x.converted(dtype) : x.clone(); }

bool is_activation(const Case& c, std::size_t input) {
    return input < c.activations || std::ranges::find(c.summands, input) != c.summands.end();
}

// The unfused steps, in double.
void apply_epilogue(const Case& c, const std::vector<Tensor>& inputs, Tensor& y) {
    const std::span<double> to = y.values<double>();
    const auto channels = static_cast<std::size_t>(y.shape()[-1]);
    const auto operand = [&](int index) { return inputs[static_cast<std::size_t>(index)].values<double>(); };
    for (const EpilogueStep& step : c.epilogue) {
        for (std::size_t i = 0; i < to.size(); ++i) {
            const std::size_t k = i % channels;
            if (step.kind == Kind::relu) to[i] = std::max(to[i], 0.0);
            if (step.kind == Kind::gelu) to[i] *= 0.5 * (1 + std::erf(to[i] / std::sqrt(2)));
            if (step.kind == Kind::add) to[i] += operand(step.operand)[i];
            if (step.kind == Kind::add_bias) to[i] += operand(step.operand)[k];
            if (step.kind == Kind::scale_shift) to[i] *= operand(step.operand)[k];
            if (step.kind == Kind::scale_shift && step.second_operand >= 0) to[i] += operand(step.second_operand)[k];
        }
    }
}

std::vector<Tensor> expected(const Case& c, const std::vector<Tensor>& inputs) {
    static const std::unique_ptr<Backend> reference = make_reference_backend();
    std::vector<Tensor> wide;
    for (const Tensor& input : inputs) wide.push_back(stored(input, DType::f64));
    std::vector<Tensor> own;
    const std::size_t extra = [&] {
        std::size_t n = 0;
        for (const EpilogueStep& step : c.epilogue) {
            n += static_cast<std::size_t>((step.operand >= 0) + (step.second_operand >= 0));
        }
        return n;
    }();
    for (std::size_t i = 0; i + extra < wide.size(); ++i) own.push_back(wide[i].clone());
    NodeSpec node = node_of(c.op, own, {}, {DType::f64, DType::f64, DType::f64});
    NodeRun run = run_node(*reference, node, own);
    if (!c.epilogue.empty()) apply_epilogue(c, wide, run.outputs[0]);
    return std::move(run.outputs);
}

struct Way {
    std::string name;
    Options options;
    DType dtype;
    int offered_block;  // activations arrive in this layout, where they can
};

void run_case(const Case& c, const Way& way) {
    std::vector<Tensor> inputs;
    Offer offer{{fmt::format("nChw{}c", way.offered_block)}, {}, {}};
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
        const Tensor drawn = filled(c.inputs[i], static_cast<std::uint32_t>(i + 1));
        inputs.push_back(stored(drawn, is_activation(c, i) ? way.dtype : DType::f32));
        const Shape& shape = c.inputs[i].shape;
        const bool fits = way.offered_block != 0 && shape.rank() == 4 && is_activation(c, i) &&
                          shape[3] % way.offered_block == 0 && shape[3] > way.offered_block && shape[1] * shape[2] > 1;
        const bool filter =
            c.op.index() >= Op(ops::Conv2d{}).index() && c.op.index() <= Op(ops::MatMul{}).index() && i == 1;
        if (fits && !filter) offer.inputs.push_back(i);
    }
    const DType result = c.result == Case::Result::f32 || c.activations == 0 ? DType::f32 : way.dtype;
    const std::unique_ptr<Backend> backend = cpu::make_backend(way.options);
    const NodeSpec node = node_of(c.op, inputs, c.epilogue, {result, DType::f32, DType::f32});
    if (const auto reason = backend->unsupported(node); reason && !c.epilogue.empty()) return;  // not fused, then
    const NodeRun run = run_node(*backend, node, inputs, offer);
    const std::vector<Tensor> wanted = expected(c, inputs);
    CAPTURE(c.name);
    CAPTURE(way.name);
    CAPTURE(run.provider);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        CAPTURE(i);
        const DType dtype = run.outputs[i].dtype();
        if (!is_real(dtype)) {
            CHECK(test::compare(run.outputs[i], wanted[i], test::exact("integers")));
        } else if (dtype == DType::f32) {
            CHECK(test::compare(run.outputs[i], wanted[i], test::relative_to_largest(1e-5, "f32 arithmetic")));
        } else {
            const auto rounding = test::relative_to_largest(0x1p-8, "the result is rounded to 8 bits");
            CHECK(test::compare(run.outputs[i], wanted[i], rounding));
        }
    }
}

void run_cases(const std::vector<Case>& cases) {
    using Activations = Options::Activations;
    using Library = Options::Library;
    const int block = isa() == Isa::v4 ? 16 : 8;  // a backend knows one block size only
    const Way ways[] = {
        {"f32 nhwc", {Activations::nhwc}, DType::f32, 0},
        {"f32 blocked", {Activations::blocked}, DType::f32, 0},
        {"f32 offered nChw8c", {Activations::nhwc}, DType::f32, 8},
        {"f32 blocked, offered so", {Activations::blocked}, DType::f32, block},
        {"f32 own", {Activations::nhwc, Library::ignored}, DType::f32, 0},
        {"bf16 nhwc", {Activations::nhwc}, DType::bf16, 0},
        {"bf16 blocked, offered so", {Activations::blocked}, DType::bf16, block},
        {"bf16 own", {Activations::nhwc, Library::ignored}, DType::bf16, 0},
    };
    for (const Case& c : cases) {
        for (const Way& way : ways) {
            if (way.dtype == DType::bf16 && c.activations == 0) continue;
            run_case(c, way);
        }
    }
}

}  // namespace

TEST_CASE("convolutions") { run_cases(convolution_cases()); }
TEST_CASE("matrix products") { run_cases(product_cases()); }
TEST_CASE("elementwise") { run_cases(elementwise_cases()); }
TEST_CASE("norms") { run_cases(norm_cases()); }
TEST_CASE("pools") { run_cases(pool_cases()); }
TEST_CASE("moves") { run_cases(move_cases()); }
TEST_CASE("reductions") { run_cases(reduce_cases()); }
TEST_CASE("losses") { run_cases(loss_cases()); }
TEST_CASE("optimizers") { run_cases(optimizer_cases()); }

TEST_CASE("max pooling routes gradients to the first maximum") {
    const ops::Window window{{3, 3}, {2, 2}, {1, 1}, ops::Rounding::ceil};
    for (const std::int64_t channels : {5, 32}) {
        const Shape shape{2, 8, 7, channels};
        const std::vector<Tensor> x = [&] {
            std::vector<Tensor> inputs;
            inputs.push_back(filled({shape, Fill::integer}, 1));  // many ties
            return inputs;
        }();
        const std::vector<Tensor> pooled = expected({"", ops::MaxPool2d{window}, {}}, x);
        for (const int block : {0, 16}) {
            std::vector<Tensor> inputs;
            inputs.push_back(filled({pooled[0].shape(), Fill::real}, 2).converted(DType::f32));
            inputs.push_back(pooled[1].clone());
            const Op op = ops::MaxPool2dGradient{window, shape};
            const std::unique_ptr<Backend> backend = cpu::make_backend({});
            Offer offer{{fmt::format("nChw{}c", block)}, {}, {}};
            if (block != 0 && channels % block == 0) offer.inputs = {0, 1};
            const NodeRun run = run_node(*backend, node_of(op, inputs, {}, {DType::f32}), inputs, offer);
            const std::vector<Tensor> wanted = expected({"", op, {}}, inputs);
            CHECK(test::compare(run.outputs[0], wanted[0], test::relative_to_largest(1e-6, "sums of at most 4")));
        }
    }
}

TEST_CASE("NaN wins in max pooling and passes through relu") {
    Tensor x(Shape{1, 2, 2, 1}, DType::f32);
    x.values<float>()[0] = 5;
    x.values<float>()[1] = std::nanf("");
    x.values<float>()[2] = 7;
    std::vector<Tensor> inputs;
    inputs.push_back(std::move(x));
    const std::unique_ptr<Backend> backend = cpu::make_backend({});
    const NodeRun pooled = run_node(*backend, node_of(ops::MaxPool2d{}, inputs, {}, {DType::f32}), inputs);
    CHECK(std::isnan(pooled.outputs[0].values<float>()[0]));
    CHECK(pooled.outputs[1].values<std::uint8_t>()[0] == 1);
    const NodeRun passed = run_node(*backend, node_of(ops::Relu{}, inputs, {}, {DType::f32}), inputs);
    CHECK(std::isnan(passed.outputs[0].values<float>()[1]));
}

TEST_CASE("a scale that is not finite leaves weights and state as they were") {
    std::vector<Tensor> inputs;
    for (std::uint32_t i = 0; i < 3; ++i) inputs.push_back(filled({{37}}, i).converted(DType::f32));
    inputs.push_back(filled({Shape{}}, 4).converted(DType::f32));
    inputs.push_back(filled({Shape{}}, 5).converted(DType::f32));
    inputs.back().values<float>()[0] = std::nanf("");
    const std::unique_ptr<Backend> backend = cpu::make_backend({});
    const NodeRun run = run_node(*backend, node_of(ops::SgdUpdate{.momentum = 0.9}, inputs, {}, {}), inputs);
    CHECK(test::compare(run.outputs[0], inputs[0], test::exact("nothing may change")));
    CHECK(test::compare(run.outputs[1], inputs[2], test::exact("nothing may change")));
}

TEST_CASE("outputs that nobody reads are not written") {
    std::vector<Tensor> inputs;
    inputs.push_back(filled({{2, 4, 4, 16}}, 1).converted(DType::f32));
    for (std::uint32_t i = 0; i < 2; ++i) inputs.push_back(filled({{16}}, i).converted(DType::f32));
    const std::unique_ptr<Backend> backend = cpu::make_backend({});
    const NodeSpec norm = node_of(ops::BatchNorm{}, inputs, {}, {});
    const NodeRun all = run_node(*backend, norm, inputs), one = run_node(*backend, norm, inputs, {{}, {}, {1, 2}});
    CHECK(test::compare(one.outputs[0], all.outputs[0], test::exact("the same arithmetic")));
    inputs.resize(1);
    run_node(*backend, node_of(ops::MaxPool2d{}, inputs, {}, {}), inputs, {{}, {}, {1}});
}

TEST_CASE("an operator or dtype it lacks is refused by name") {
    const std::unique_ptr<Backend> backend = cpu::make_backend({});
    std::vector<Tensor> inputs;
    inputs.emplace_back(Shape{3}, DType::f64);
    CHECK_THROWS_WITH_AS(backend->prepare(node_of(ops::Relu{}, inputs, {}, {})), doctest::Contains("relu"), Error);
    CHECK_THROWS_WITH_AS(backend->prepare(node_of(ops::Relu{}, inputs, {}, {})), doctest::Contains("f64"), Error);
}
