#include "engine/ops/functions.h"

#include <numeric>

namespace cambium {
namespace {

using ops::Transpose;

Value apply(const Op& op, std::initializer_list<Value> inputs) { return inputs.begin()->graph->append1(op, inputs); }

std::vector<Value> apply_all(const Op& op, std::initializer_list<Value> inputs) {
    return inputs.begin()->graph->append(op, std::span(inputs.begin(), inputs.size()));
}

}  // namespace

Value conv2d(Value x, Value filter, const ops::Conv2d& attributes) { return apply(attributes, {x, filter}); }

Value linear(Value x, Value weight) { return matmul(x, weight, {Transpose::no, Transpose::yes}); }
Value linear(Value x, Value weight, Value bias) { return add_bias(linear(x, weight), bias); }
Value matmul(Value a, Value b, const ops::MatMul& attributes) { return apply(attributes, {a, b}); }

Value convert(Value x, DType dtype) { return x.dtype() == dtype ? x : apply(ops::Convert{dtype}, {x}); }
Value normalize(Value images, const ops::Normalize& attributes) { return apply(attributes, {images}); }
Value augment(Value images, Value table, const ops::Augment& attributes) { return apply(attributes, {images, table}); }
Value add(Value a, Value b) { return apply(ops::Add{}, {a, b}); }
Value multiply(Value a, Value b) { return apply(ops::Multiply{}, {a, b}); }
Value scale(Value x, double factor) { return apply(ops::Scale{factor}, {x}); }
Value lerp(Value a, Value b, Value t) { return apply(ops::Lerp{}, {a, b, t}); }
Value add_bias(Value x, Value bias) { return apply(ops::AddBias{}, {x, bias}); }
Value scale_shift(Value x, Value scale) { return apply(ops::ScaleShift{}, {x, scale}); }
Value scale_shift(Value x, Value scale, Value shift) { return apply(ops::ScaleShift{}, {x, scale, shift}); }
Value channel_dot(Value a, Value b) { return apply(ops::ChannelDot{}, {a, b}); }

Value channel_sum(Value x) {
    std::vector<int> axes(static_cast<std::size_t>(x.shape().rank() - 1));
    std::iota(axes.begin(), axes.end(), 0);
    return reduce_sum(x, axes);
}

Value relu(Value x) { return apply(ops::Relu{}, {x}); }
Value gelu(Value x) { return apply(ops::Gelu{}, {x}); }

Value dropout(Value x, Value step, const ops::Dropout& attributes) {
    return attributes.rate == 0 ? x : apply(attributes, {x, step});
}

BatchNormResult batch_norm(Value x, Value gamma, Value beta, double epsilon) {
    const std::vector<Value> results = apply_all(ops::BatchNorm{epsilon}, {x, gamma, beta});
    return {results[0], results[1], results[2]};
}

Value batch_norm_inference(Value x, Value gamma, Value beta, Value mean, Value variance, double epsilon) {
    const Value factor = apply(ops::BatchNormScale{epsilon}, {gamma, variance});
    return scale_shift(x, factor, apply(ops::BatchNormShift{}, {beta, mean, factor}));
}

Value layer_norm(Value x, Value gamma, Value beta, double epsilon) {
    return apply_all(ops::LayerNorm{epsilon}, {x, gamma, beta})[0];
}

Value attention(Value qkv, ops::AttentionMask mask) { return apply_all(ops::Attention{mask}, {qkv})[0]; }
Value attention(Value qkv, Value count, ops::AttentionMask mask) {
    return apply_all(ops::Attention{mask}, {qkv, count})[0];
}
Value embedding(Value table, Value index) { return apply(ops::Embedding{}, {table, index}); }

Value max_pool2d(Value x, const ops::Window& window) { return apply_all(ops::MaxPool2d{window}, {x})[0]; }
Value avg_pool2d(Value x, const ops::Window& window, ops::Padding padding) {
    return apply(ops::AvgPool2d{window, padding}, {x});
}
Value adaptive_avg_pool2d(Value x, ops::Pair output) { return apply(ops::AdaptiveAvgPool2d{output}, {x}); }
Value global_avg_pool2d(Value x) { return flatten(adaptive_avg_pool2d(x, {1, 1})); }

Value concat(std::span<const Value> parts, int axis) { return parts[0].graph->append(ops::Concat{axis}, parts)[0]; }
Value slice(Value x, const ops::Slice& attributes) { return apply(attributes, {x}); }
Value pad(Value x, const ops::Pad& attributes) { return apply(attributes, {x}); }
Value reshape(Value x, Shape shape) { return x.shape() == shape ? x : apply(ops::Reshape{shape}, {x}); }

Value flatten(Value x) {
    std::int64_t columns = 1;
    for (int axis = 1; axis < x.shape().rank(); ++axis) columns *= x.shape()[axis];
    return reshape(x, {x.shape()[0], columns});
}

Value transpose(Value x, std::vector<int> permutation) {
    return apply(ops::Transposition{std::move(permutation)}, {x});
}
Value reduce_sum(Value x, std::vector<int> axes) { return apply(ops::ReduceSum{std::move(axes)}, {x}); }
Value broadcast(Value x, Shape shape, std::vector<int> axes) {
    return apply(ops::Broadcast{shape, std::move(axes)}, {x});
}
Value global_norm(std::span<const Value> tensors) { return tensors[0].graph->append(ops::GlobalNorm{}, tensors)[0]; }

Value softmax(Value x) { return apply(ops::Softmax{}, {x}); }

Loss softmax_cross_entropy(Value logits, Value labels, const ops::SoftmaxCrossEntropy& attributes) {
    const std::vector<Value> results = apply_all(attributes, {logits, labels});
    return {results[0], results[1]};
}

Loss softmax_cross_entropy(Value logits, Value labels, Value class_weights,
                           const ops::SoftmaxCrossEntropy& attributes) {
    const std::vector<Value> results = apply_all(attributes, {logits, labels, class_weights});
    return {results[0], results[1]};
}

Value top_k_count(Value logits, Value labels, std::int64_t k) { return apply(ops::TopKCount{k}, {logits, labels}); }

}  // namespace cambium
