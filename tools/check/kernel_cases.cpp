#include "tools/check/kernel_cases.h"

namespace cambium {
namespace {

using namespace ops;
using namespace cases;
using cases::Fill;  // not the operator

template <Transpose a, Transpose b>
Instance product(RandomStream& random) {
    const std::int64_t M = between(random, 1, 70), N = between(random, 1, 70), K = between(random, 1, 70);
    return {MatMul{a, b},
            {{.shape = a == Transpose::yes ? Shape{K, M} : Shape{M, K}},
             {.shape = b == Transpose::yes ? Shape{N, K} : Shape{K, N}}},
            {}};
}

// Three channels, which run on a padded copy. The filter's lines there are as long as the last window's place is even
// or odd, which the stride decides.
template <int stride>
Instance stem(RandomStream& random) {
    const Conv2d op{.stride = {stride, stride}, .padding = {1, 1}};
    return {op, {{.shape = {1, between(random, 5, 9), 12, 3}}, {.shape = {between(random, 1, 9), 3, 3, 3}}}, {}};
}

Shape wide_heads(RandomStream& random) { return {1, between(random, 1, 70), 3, 1, between(random, 65, 128)}; }
Instance wide_attention(RandomStream& random) {
    return {Attention{AttentionMask::causal}, {{.shape = wide_heads(random)}}, {}};
}
Instance attention_gradient(const Shape& qkv) {
    const Shape y{1, qkv[1], 1, qkv[4]};
    return {AttentionGradient{AttentionMask::causal},
            {{.shape = y},
             {.shape = qkv},
             {.shape = y},
             {.shape = {1, 1, qkv[1]}, .fill = Fill::positive, .storage = Storage::full}},
            {}};
}

Instance wide_attention_gradient(RandomStream& random) { return attention_gradient(wide_heads(random)); }
// More tokens than one block's memory holds.
Instance long_attention_gradient(RandomStream& random) {
    return attention_gradient({1, between(random, 257, 270), 3, 1, 8 * between(random, 1, 2)});
}
Instance long_wide_attention_gradient(RandomStream& random) {
    return attention_gradient({1, between(random, 129, 140), 3, 1, 65 + 2 * between(random, 0, 2)});
}

// Rows for a block each rather than a warp each: whole in 16 bytes of any type, or odd.
enum class Width : std::uint8_t { aligned, odd };
template <Width width>
Shape long_rows(RandomStream& random) {
    const std::int64_t rows = between(random, 2, 3);
    if (width == Width::odd) return {rows, 2049 + 2 * between(random, 0, 50)};
    return {rows, 2056 + 8 * between(random, 0, 12)};
}

Shape short_rows(RandomStream& random) { return {between(random, 2, 20), 8 * between(random, 1, 9)}; }

template <Shape (*rows)(RandomStream&)>
Instance layer_norm(RandomStream& random) {
    const Shape x = rows(random);
    const Operand channel{.shape = {x[-1]}, .storage = Storage::full};
    return {LayerNorm{1e-5}, {{.shape = x, .fill = Fill::positive}, channel, channel}, {}};
}
template <Shape (*rows)(RandomStream&)>
Instance layer_norm_gradient(RandomStream& random) {
    const Shape x = rows(random);
    return {LayerNormGradient{},
            {{.shape = x},
             {.shape = x},
             {.shape = {x[-1]}, .storage = Storage::full},
             {.shape = {x[0]}, .storage = Storage::full},
             {.shape = {x[0]}, .fill = Fill::positive, .storage = Storage::full}},
            {}};
}
template <Shape (*rows)(RandomStream&)>
Instance row_sums(RandomStream& random) {
    return {ReduceSum{{1}}, {{.shape = rows(random)}}, {}};
}

Instance many_classes(RandomStream& random) {
    return {Softmax{}, {{.shape = long_rows<Width::odd>(random), .storage = Storage::full}}, {}};
}
Instance many_classes_gradient(RandomStream& random) {
    const Operand x{.shape = long_rows<Width::odd>(random), .storage = Storage::full};
    return {SoftmaxGradient{}, {x, x}, {}};
}
std::vector<Operand> logits_and_labels(RandomStream& random) {
    const Shape x = long_rows<Width::odd>(random);
    return {{.shape = x, .storage = Storage::full}, {.shape = {x[0]}, .fill = Fill::labels, .bound = x[1]}};
}
Instance many_classes_loss(RandomStream& random) { return {SoftmaxCrossEntropy{0.1}, logits_and_labels(random), {}}; }
Instance many_classes_loss_gradient(RandomStream& random) {
    std::vector<Operand> operands = logits_and_labels(random);
    operands.insert(operands.begin(), Operand{.shape = {}, .storage = Storage::full});
    return {SoftmaxCrossEntropyGradient{0.1}, std::move(operands), {}};
}
Instance many_classes_top_k(RandomStream& random) { return {TopKCount{5}, logits_and_labels(random), {}}; }

// Channels of whole 16 bytes, as those of networks.
Shape aligned_image(RandomStream& random) {
    return {between(random, 1, 2), between(random, 2, 4), between(random, 2, 4), 8 * between(random, 1, 3)};
}
std::vector<Operand> images(std::size_t count, const Shape& shape) { return {count, Operand{.shape = shape}}; }
Instance aligned_batch_norm(RandomStream& random) {
    std::vector<Operand> operands = images(1, aligned_image(random));
    operands.resize(3, {.shape = {operands[0].shape[-1]}, .storage = Storage::full});
    return {BatchNorm{1e-5}, std::move(operands), {}};
}
Instance aligned_batch_norm_gradient(RandomStream& random) {
    std::vector<Operand> operands = images(2, aligned_image(random));
    operands.resize(5, {.shape = {operands[0].shape[-1]}, .fill = Fill::positive, .storage = Storage::full});
    return {BatchNormGradient{1e-5}, std::move(operands), {}};
}
Instance aligned_batch_norm_apply(RandomStream& random) {
    std::vector<Operand> operands = images(1, aligned_image(random));
    operands.resize(5, {.shape = {operands[0].shape[-1]}, .fill = Fill::positive, .storage = Storage::full});
    return {BatchNormApply{1e-5}, std::move(operands), {}};
}
// With nobody to read the summand's gradient: then the second pass finds it anew.
Instance batch_norm_relu_gradient(Shape x) {
    std::vector<Operand> operands = images(3, x);
    operands.resize(6, {.shape = {x[-1]}, .fill = Fill::positive, .storage = Storage::full});
    return {BatchNormReluGradient{1e-5}, std::move(operands), {}, Instance::Moments::none, {3}};
}
Instance aligned_batch_norm_relu_gradient(RandomStream& random) {
    return batch_norm_relu_gradient(aligned_image(random));
}
Instance odd_batch_norm_relu_gradient(RandomStream& random) {
    return batch_norm_relu_gradient(aligned_image(random).with(-1, 2 * between(random, 1, 6) + 1));
}
// More positions than a warp has rows.
template <Width width>
Instance moments(RandomStream& random) {
    const std::int64_t filters = width == Width::aligned ? 4 * between(random, 1, 4) : 2 * between(random, 1, 4) + 1;
    const Shape x{2, between(random, 5, 8), between(random, 5, 8), between(random, 1, 20)};
    return {Conv2d{.padding = {1, 1}}, {{.shape = x}, {.shape = {filters, 3, 3, x[3]}}}, {}, Instance::Moments::taken};
}
Instance aligned_channel_sum(RandomStream& random) {
    return {ReduceSum{{0, 1, 2}}, images(1, aligned_image(random)), {}};
}
Instance aligned_channel_dot(RandomStream& random) { return {ChannelDot{}, images(2, aligned_image(random)), {}}; }
Instance aligned_pad(RandomStream& random) {
    return {Pad{{0, 1, 1, 0}, {0, 1, 0, 4}, {1, 1, 2, 1}}, images(1, aligned_image(random)), {}};
}
Window overlapping() { return {.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 1}}; }
Instance aligned_max_pool(RandomStream& random) {
    return {MaxPool2d{overlapping()}, images(1, aligned_image(random)), {}};
}
Instance aligned_average_pool(RandomStream& random) {
    return {AvgPool2d{overlapping()}, images(1, aligned_image(random)), {}};
}
Instance aligned_average_pool_gradient(RandomStream& random) {
    const TensorSpec image{aligned_image(random)};
    const AvgPool2d op{overlapping()};
    return {
        AvgPool2dGradient{op.window, op.padding, image.shape}, images(1, infer(op, std::span(&image, 1))[0].shape), {}};
}
Operand aligned_index(RandomStream& random) {
    return {.shape = {between(random, 1, 9)}, .fill = Fill::labels, .bound = 13};
}
Instance aligned_embedding(RandomStream& random) {
    return {
        Embedding{}, {{.shape = {12, 8 * between(random, 1, 5)}, .storage = Storage::full}, aligned_index(random)}, {}};
}
Instance aligned_embedding_gradient(RandomStream& random) {
    const Operand at = aligned_index(random);
    return {EmbeddingGradient{12}, {{.shape = {at.shape[0], 8 * between(random, 1, 5)}}, at}, {}};
}

// Bytes: images before they are normalised.
Operand bytes(RandomStream& random) {
    return {.shape = {2, between(random, 2, 9), between(random, 2, 9), 3}, .fill = Fill::bytes};
}
Instance byte_slice(RandomStream& random) {
    return {Slice{{0, 1, 0, 0}, {2, 2, 2, 3}, {1, 1, 1, 2}}, {bytes(random)}, {}};
}
Instance byte_pad(RandomStream& random) { return {Pad{{0, 1, 1, 0}, {0, 1, 0, 0}, {1, 1, 2, 1}}, {bytes(random)}, {}}; }
// Matrices large enough for tiles, with an even number of columns and rows.
Shape even_matrices(RandomStream& random) { return {2, 2 * between(random, 16, 40), 2 * between(random, 16, 40)}; }
Instance byte_transposition(RandomStream& random) {
    return {Transposition{{0, 2, 1}}, {{.shape = even_matrices(random), .fill = Fill::bytes}}, {}};
}
Instance even_transposition(RandomStream& random) {
    return {Transposition{{0, 2, 1}}, {{.shape = even_matrices(random)}}, {}};
}

Instance narrowing(RandomStream& random) {
    return {Convert{DType::bf16}, {{.shape = any_shape(random), .storage = Storage::full}}, {}};
}

}  // namespace

std::vector<OpCase> kernel_cases() {
    using enum Transpose;
    using enum Width;
    return {{"matmul nn", product<no, no>},
            {"matmul nt", product<no, yes>},
            {"matmul tn", product<yes, no>},
            {"matmul tt", product<yes, yes>},
            {"attention wide heads", wide_attention},
            {"attention_gradient wide heads", wide_attention_gradient},
            {"attention_gradient long", long_attention_gradient},
            {"attention_gradient long wide", long_wide_attention_gradient},
            {"conv2d stem padded", stem<1>},
            {"conv2d stem padded strided", stem<2>},
            {"layer_norm aligned", layer_norm<short_rows>},
            {"layer_norm long", layer_norm<long_rows<aligned>>},
            {"layer_norm long odd", layer_norm<long_rows<odd>>},
            {"layer_norm_gradient aligned", layer_norm_gradient<short_rows>},
            {"layer_norm_gradient long", layer_norm_gradient<long_rows<aligned>>},
            {"layer_norm_gradient long odd", layer_norm_gradient<long_rows<odd>>},
            {"reduce_sum aligned", row_sums<short_rows>},
            {"reduce_sum long", row_sums<long_rows<aligned>>},
            {"reduce_sum long odd", row_sums<long_rows<odd>>},
            {"reduce_sum aligned channels", aligned_channel_sum},
            {"softmax long", many_classes},
            {"softmax_gradient long", many_classes_gradient},
            {"softmax_cross_entropy long", many_classes_loss},
            {"softmax_cross_entropy_gradient long", many_classes_loss_gradient},
            {"top_k_count long", many_classes_top_k},
            {"batch_norm aligned", aligned_batch_norm},
            {"batch_norm_gradient aligned", aligned_batch_norm_gradient},
            {"batch_norm_apply aligned", aligned_batch_norm_apply},
            {"batch_norm_relu_gradient aligned", aligned_batch_norm_relu_gradient},
            {"batch_norm_relu_gradient odd", odd_batch_norm_relu_gradient},
            {"conv2d moments", moments<odd>},
            {"conv2d moments aligned", moments<aligned>},
            {"channel_dot aligned", aligned_channel_dot},
            {"max_pool2d aligned", aligned_max_pool},
            {"avg_pool2d aligned", aligned_average_pool},
            {"avg_pool2d_gradient aligned", aligned_average_pool_gradient},
            {"pad aligned", aligned_pad},
            {"pad bytes", byte_pad},
            {"slice bytes", byte_slice},
            {"transpose bytes", byte_transposition},
            {"transpose even", even_transposition},
            {"embedding aligned", aligned_embedding},
            {"embedding_gradient aligned", aligned_embedding_gradient},
            {"convert to bf16", narrowing}};
}

}  // namespace cambium
