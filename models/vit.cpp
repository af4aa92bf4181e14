#include "models/vit.h"

#include <fmt/format.h>

#include <array>

#include "engine/base/fail.h"

namespace cambium {
namespace {

constexpr std::int64_t patch = 16, width = 768, heads = 12, mlp_width = 3072;
constexpr int blocks = 12;
constexpr double epsilon = 1e-6;

// Patches to tokens behind a class token, and to all of them what says where they lie: [N, L, width].
Value embed(Builder& b, Value x) {
    const std::int64_t N = x.shape()[0], H = x.shape()[1], W = x.shape()[2];
    if (H % patch != 0 || W % patch != 0) {
        fail_usage(
            "a vit_b_16 cuts its images into patches of {0}x{0} pixels, and {1}x{2} does not divide so; choose a "
            "multiple of {0}",
            patch, H, W);
    }
    x = b.convolution("conv_proj", x,
                      {.channels = width,
                       .kernel = {patch, patch},
                       .stride = {patch, patch},
                       .bias = Bias::zero,
                       .init = Init::lecun_normal});
    const std::int64_t patches = (H / patch) * (W / patch), L = 1 + patches;
    const Value token = b.learned("class_token", {1, 1, width}, Initializer::constant(0));
    const std::array parts{broadcast(reshape(token, {1, width}), {N, 1, width}, {0}), reshape(x, {N, patches, width})};
    const Value tokens = reshape(concat(parts, 1), {N, L * width});
    const Value positions = b.learned("encoder.pos_embedding", {1, L, width}, Initializer::normal(0.02));
    return reshape(add_bias(tokens, reshape(positions, {L * width})), {N, L, width});
}

// x [N L, width]: normalised first, added last, twice.
Value encoder_block(Builder& b, const std::string& name, Value x, std::int64_t sequences) {
    Value y = b.layer_norm(name + ".ln_1", x, epsilon);
    x = add(x, b.self_attention(name + ".self_attention", y, {.sequences = sequences, .heads = heads}));
    y = b.layer_norm(name + ".ln_2", x, epsilon);
    y = b.gelu(
        b.dense(name + ".mlp.0", y, {.outputs = mlp_width, .init = Init::xavier_uniform, .bias = Bias::near_zero}));
    y = b.dense(name + ".mlp.3", y, {.outputs = width, .init = Init::xavier_uniform, .bias = Bias::near_zero});
    return add(x, y);
}

}  // namespace

void vit_b_16(Builder& b, Value x) {
    Value tokens = embed(b, x);
    b.tap("stem", tokens);
    const Shape shape = tokens.shape();
    const std::int64_t N = shape[0], L = shape[1];
    x = reshape(tokens, {N * L, width});
    for (int i = 0; i < blocks; ++i) {
        x = encoder_block(b, fmt::format("encoder.layers.encoder_layer_{}", i), x, N);
        if (i % 3 == 2) b.tap(fmt::format("block{}", i + 1), tokens = reshape(x, shape));
    }
    // The last norm treats each token by itself, so the class token is enough.
    b.graph().label("encoder.ln");
    x = slice(tokens, {.begin = {0, 0, 0}, .end = {N, 1, width}, .step = {1, 1, 1}});
    b.tap("features", b.layer_norm("encoder.ln", reshape(x, {N, width}), epsilon));
}

Value vit_head(Builder& b, Value features) {
    return b.dense("heads.head", features, {.outputs = b.classes(), .init = Init::zero, .bias = Bias::zero});
}

}  // namespace cambium
