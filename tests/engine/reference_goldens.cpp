#include "tests/engine/reference_goldens.h"

#include "engine/ops/functions.h"

namespace cambium::test {
namespace {

using namespace ops;
using Values = std::vector<Value>;
using Build = std::function<Values(const Values&)>;
using Kind = GoldenOperand::Fill;

GoldenOperand real(Shape shape) { return {.shape = shape, .differentiable = true}; }
GoldenOperand constant(Shape shape) { return {.shape = shape}; }
GoldenOperand positive(Shape shape) { return {.fill = Kind::positive, .shape = shape}; }
GoldenOperand labels(Shape shape, std::uint32_t classes) {
    return {.fill = Kind::labels, .shape = shape, .classes = classes};
}

// An operator applied to all operands, giving all its outputs.
Build apply(const Op& op) {
    return [op](const Values& x) { return x[0].graph->append(op, x); };
}
// Without outputs that PyTorch does not give (the index of max pooling).
Build first_of(const Op& op) {
    return [op](const Values& x) { return Values{x[0].graph->append(op, x)[0]}; };
}

void add_products(std::vector<GoldenCase>& cases) {
    const Transpose no = Transpose::no, yes = Transpose::yes;
    const auto conv = [&](const char* name, Shape x, Shape w, const Conv2d& op) {
        cases.push_back({name, {real(x), real(w)}, apply(op)});
    };
    conv("conv 3x3", {2, 7, 9, 5}, {6, 3, 3, 5}, {.padding = {1, 1}});
    conv("conv 7x7 stride 2", {2, 15, 16, 3}, {8, 7, 7, 3}, {.stride = {2, 2}, .padding = {3, 3}});
    conv("conv 1x1 stride 2", {3, 7, 6, 10}, {12, 1, 1, 10}, {.stride = {2, 2}});
    conv("conv dilated", {1, 11, 10, 4}, {5, 3, 3, 4}, {.padding = {2, 2}, .dilation = {2, 2}});
    conv("conv grouped", {2, 6, 7, 6}, {9, 3, 3, 2}, {.padding = {1, 1}, .groups = 3});
    conv("conv depthwise", {2, 8, 7, 5}, {10, 3, 3, 1}, {.stride = {2, 2}, .padding = {1, 1}, .groups = 5});
    conv("conv uneven", {1, 13, 11, 4}, {6, 4, 2, 2},
         {.stride = {2, 3}, .padding = {1, 2}, .dilation = {2, 1}, .groups = 2});
    cases.push_back({"matmul nn", {real({5, 7}), real({7, 9})}, apply(MatMul{no, no})});
    cases.push_back({"matmul nt", {real({5, 7}), real({9, 7})}, apply(MatMul{no, yes})});
    cases.push_back({"matmul tn", {real({7, 5}), real({7, 9})}, apply(MatMul{yes, no})});
    cases.push_back({"matmul tt", {real({7, 5}), real({9, 7})}, apply(MatMul{yes, yes})});
    cases.push_back({"linear", {real({4, 30}), real({11, 30}), real({11})}, [](const Values& x) {
                         return Values{linear(x[0], x[1], x[2])};
                     }});
}

void add_elementwise(std::vector<GoldenCase>& cases) {
    const Shape cube{3, 4, 5}, image{2, 3, 4, 5}, channels{5};
    const Normalize bgr{{0.015625f, 0.0078125f, 0.03125f}, {-2.0f, 0.5f, -1.25f}, ChannelOrder::bgr};
    cases.push_back({"normalize bgr", {{.fill = Kind::bytes, .shape = {2, 5, 4, 3}}}, apply(bgr)});
    cases.push_back({"add", {real(cube), real(cube)}, apply(Add{})});
    cases.push_back({"multiply", {real(cube), real(cube)}, apply(Multiply{})});
    cases.push_back({"scale", {real(cube)}, apply(Scale{-0.375})});
    cases.push_back({"lerp", {constant(cube), constant(cube), constant({})}, apply(Lerp{})});
    cases.push_back({"add bias", {real(image), real(channels)}, apply(AddBias{})});
    cases.push_back({"scale shift", {real(image), real(channels), real(channels)}, apply(ScaleShift{})});
    cases.push_back({"channel dot", {real(image), real(image)}, apply(ChannelDot{})});
    cases.push_back({"relu", {real({4, 5, 6})}, apply(Relu{})});
    cases.push_back({"gelu", {real({4, 5, 6})}, apply(Gelu{})});
}

void add_norms(std::vector<GoldenCase>& cases) {
    cases.push_back({"batch norm 4d", {real({3, 4, 5, 6}), real({6}), real({6})}, apply(BatchNorm{1e-5})});
    cases.push_back({"batch norm 2d", {real({7, 6}), real({6}), real({6})}, apply(BatchNorm{1e-3})});
    cases.push_back({"batch norm inference",
                     {real({3, 4, 5, 6}), real({6}), real({6}), constant({6}), positive({6})},
                     [](const Values& x) { return Values{batch_norm_inference(x[0], x[1], x[2], x[3], x[4], 1e-3)}; }});
}

void add_tokens(std::vector<GoldenCase>& cases) {
    const auto heads = [&](const char* name, Shape qkv, AttentionMask mask, bool padded) {
        std::vector<GoldenOperand> operands{real(qkv)};
        if (padded) operands.push_back(labels({qkv[0]}, 9));
        cases.push_back({name, std::move(operands), apply(Attention{mask})});
    };
    cases.push_back({"layer norm", {real({3, 5, 12}), real({12}), real({12})}, apply(LayerNorm{1e-6})});
    cases.push_back({"layer norm row", {real({40}), real({40}), real({40})}, apply(LayerNorm{1e-3})});
    heads("attention", {2, 9, 3, 2, 8}, AttentionMask::none, false);
    heads("attention causal", {2, 9, 3, 2, 8}, AttentionMask::causal, false);
    heads("attention padded", {4, 9, 3, 2, 5}, AttentionMask::none, true);
    heads("attention causal padded", {4, 9, 3, 2, 5}, AttentionMask::causal, true);
    cases.push_back({"embedding", {real({7, 6}), labels({3, 8}, 7)}, apply(Embedding{})});
}

void add_pools(std::vector<GoldenCase>& cases) {
    const Window usual{{3, 3}, {2, 2}, {1, 1}}, tiled{{3, 3}, {3, 3}, {1, 1}, Rounding::ceil};
    const Window uneven{{2, 4}, {3, 2}, {1, 2}, Rounding::ceil};
    const auto pool = [&](const char* name, Shape x, const Op& op) {
        cases.push_back({name, {real(x)}, first_of(op)});
    };
    pool("max pool", {2, 9, 8, 5}, MaxPool2d{usual});
    pool("max pool ceil", {2, 8, 10, 5}, MaxPool2d{{{3, 3}, {2, 2}, {0, 0}, Rounding::ceil}});
    pool("max pool uneven", {1, 9, 11, 4}, MaxPool2d{uneven});
    pool("avg pool counted", {2, 9, 8, 5}, AvgPool2d{usual, Padding::counted});
    pool("avg pool counted ceil", {2, 8, 9, 5}, AvgPool2d{tiled, Padding::counted});
    pool("avg pool ignored", {2, 9, 8, 5}, AvgPool2d{usual, Padding::ignored});
    pool("avg pool ignored ceil", {1, 8, 11, 4}, AvgPool2d{uneven, Padding::ignored});
    pool("adaptive pool global", {2, 7, 5, 6}, AdaptiveAvgPool2d{{1, 1}});
    pool("adaptive pool uneven", {2, 7, 5, 6}, AdaptiveAvgPool2d{{3, 2}});
    pool("adaptive pool larger", {2, 3, 5, 4}, AdaptiveAvgPool2d{{6, 6}});
}

void add_layouts_and_sums(std::vector<GoldenCase>& cases) {
    cases.push_back({"concat", {real({2, 3, 4}), real({2, 5, 4}), real({2, 1, 4})}, apply(Concat{1})});
    cases.push_back({"slice", {real({5, 7, 6})}, apply(Slice{{1, 0, 2}, {5, 7, 6}, {2, 3, 1}})});
    cases.push_back({"pad", {real({2, 3, 4})}, apply(Pad{{1, 0, 2}, {1, 3, 0}, {1, 1, 1}})});
    cases.push_back({"transpose", {real({2, 3, 4, 5})}, apply(Transposition{{3, 0, 2, 1}})});
    cases.push_back({"reshape", {real({2, 3, 4})}, apply(Reshape{{4, 6}})});
    cases.push_back({"reduce sum", {real({3, 4, 5, 2})}, apply(ReduceSum{{0, 2}})});
    cases.push_back({"broadcast", {real({3, 5})}, apply(Broadcast{{3, 4, 5, 2}, {1, 3}})});
    cases.push_back({"global norm", {constant({3, 4}), constant({7}), constant({})}, apply(GlobalNorm{})});
}

void add_losses(std::vector<GoldenCase>& cases) {
    const auto loss = [&](const char* name, std::vector<GoldenOperand> operands, double smoothing) {
        cases.push_back({name, std::move(operands), apply(SoftmaxCrossEntropy{smoothing})});
    };
    cases.push_back({"softmax", {real({4, 3, 7})}, apply(Softmax{})});
    loss("cross entropy", {real({9, 7}), labels({9}, 7)}, 0);
    loss("cross entropy smoothed", {real({9, 7}), labels({9}, 7)}, 0.1);
    loss("cross entropy weighted", {real({9, 7}), labels({9}, 7), positive({7})}, 0);
    loss("cross entropy weighted smoothed", {real({9, 7}), labels({9}, 7), positive({7})}, 0.2);
    loss("cross entropy soft", {real({6, 5}), positive({6, 5})}, 0);
    loss("cross entropy soft weighted smoothed", {real({6, 5}), positive({6, 5}), positive({5})}, 0.2);
    cases.push_back({"top 1", {constant({40, 6}), labels({40}, 6)}, apply(TopKCount{1})});
    cases.push_back({"top 3", {constant({40, 6}), labels({40}, 6)}, apply(TopKCount{3})});
}

}  // namespace

std::vector<GoldenCase> golden_cases() {
    std::vector<GoldenCase> cases;
    add_products(cases);
    add_elementwise(cases);
    add_norms(cases);
    add_tokens(cases);
    add_pools(cases);
    add_layouts_and_sums(cases);
    add_losses(cases);
    return cases;
}

}  // namespace cambium::test
