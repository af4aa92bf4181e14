// The operators as functions on values: what models, losses and gradient rules are written with.
#pragma once

#include "engine/graph/graph.h"

namespace cambium {

Value conv2d(Value x, Value filter, const ops::Conv2d& attributes = {});
// x [N, I] times weight [O, I] transposed: [N, O].
Value linear(Value x, Value weight);
Value linear(Value x, Value weight, Value bias);
Value matmul(Value a, Value b, const ops::MatMul& attributes = {});

Value convert(Value x, DType dtype);
Value normalize(Value images, const ops::Normalize& attributes);
// images u8 [N, H, W, 3], table f32 [N, 20]: f32 [N, H, W, 3].
Value augment(Value images, Value table, const ops::Augment& attributes);
Value add(Value a, Value b);
Value multiply(Value a, Value b);
Value scale(Value x, double factor);
Value lerp(Value a, Value b, Value t);
Value add_bias(Value x, Value bias);
Value scale_shift(Value x, Value scale);
Value scale_shift(Value x, Value scale, Value shift);
Value channel_dot(Value a, Value b);
Value channel_sum(Value x);  // over all axes but the last
Value relu(Value x);
Value gelu(Value x);
Value dropout(Value x, Value step, const ops::Dropout& attributes);

struct BatchNormResult {
    Value y, mean, variance;
};
BatchNormResult batch_norm(Value x, Value gamma, Value beta, double epsilon);
// With constant moments, as in evaluation.
Value batch_norm_inference(Value x, Value gamma, Value beta, Value mean, Value variance, double epsilon);

Value layer_norm(Value x, Value gamma, Value beta, double epsilon);

// qkv [N, L, 3, H, D], count i32 [N]: [N, L, H, D].
Value attention(Value qkv, ops::AttentionMask mask = ops::AttentionMask::none);
Value attention(Value qkv, Value count, ops::AttentionMask mask = ops::AttentionMask::none);
Value embedding(Value table, Value index);

Value max_pool2d(Value x, const ops::Window& window);
Value avg_pool2d(Value x, const ops::Window& window, ops::Padding padding = ops::Padding::counted);
Value adaptive_avg_pool2d(Value x, ops::Pair output);
Value global_avg_pool2d(Value x);  // [N, H, W, C] -> [N, C]

Value concat(std::span<const Value> parts, int axis);
Value slice(Value x, const ops::Slice& attributes);
Value pad(Value x, const ops::Pad& attributes);
Value reshape(Value x, Shape shape);
Value flatten(Value x);  // [N, ...] -> [N, product]
Value transpose(Value x, std::vector<int> permutation);
Value reduce_sum(Value x, std::vector<int> axes);
Value broadcast(Value x, Shape shape, std::vector<int> axes);
Value global_norm(std::span<const Value> tensors);

Value softmax(Value x);
struct Loss {
    Value sum, denominator;
};
Loss softmax_cross_entropy(Value logits, Value labels, const ops::SoftmaxCrossEntropy& attributes = {});
Loss softmax_cross_entropy(Value logits, Value labels, Value class_weights,
                           const ops::SoftmaxCrossEntropy& attributes = {});
Value top_k_count(Value logits, Value labels, std::int64_t k);

}  // namespace cambium
