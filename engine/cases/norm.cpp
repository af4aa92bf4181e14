// Batch norm in training mode, what frozen and folded norms are made of, and layer norm.
#include "engine/cases/case.h"

namespace cambium::cases {
namespace {

using namespace ops;

Operand channel(std::int64_t channels, Fill fill = Fill::uniform, bool differentiable = false) {
    return {.shape = {channels}, .fill = fill, .storage = Storage::full, .differentiable = differentiable};
}

double epsilon(RandomStream& random) { return one_of(random, {1e-5, 1e-3, 0.1}); }

// At least four values per channel, which a variance of two would leave without a gradient to speak of.
Shape batch(RandomStream& random) {
    if (flip(random)) return {between(random, 4, 9), between(random, 1, 9)};
    return {between(random, 1, 3), between(random, 2, 5), between(random, 2, 5), between(random, 1, 20)};
}

Instance batch_norm(RandomStream& random) {
    const Shape x = batch(random);
    return {BatchNorm{epsilon(random)},
            {{.shape = x, .fill = Fill::separated, .differentiable = true},
             channel(x[-1], Fill::uniform, true),
             channel(x[-1], Fill::uniform, true)}};
}

Instance batch_norm_apply(RandomStream& random) {
    const Shape x = batch(random);
    return {BatchNormApply{epsilon(random)},
            {{.shape = x}, channel(x[-1]), channel(x[-1]), channel(x[-1]), channel(x[-1], Fill::positive)},
            {}};
}

Instance batch_norm_gradient(RandomStream& random) {
    const Shape x = batch(random);
    return {BatchNormGradient{epsilon(random)},
            {{.shape = x}, {.shape = x}, channel(x[-1]), channel(x[-1]), channel(x[-1], Fill::positive)},
            {}};
}

Instance batch_norm_relu_gradient(RandomStream& random) {
    const Shape x = batch(random);
    return {BatchNormReluGradient{epsilon(random)},
            {{.shape = x},
             {.shape = x, .fill = Fill::separated},
             {.shape = x},
             channel(x[-1]),
             channel(x[-1]),
             channel(x[-1], Fill::positive)},
            {}};
}

Instance batch_norm_scale(RandomStream& random) {
    const std::int64_t C = between(random, 1, 20);
    return {BatchNormScale{epsilon(random)}, {channel(C, Fill::uniform, true), channel(C, Fill::positive)}};
}

Instance batch_norm_shift(RandomStream& random) {
    const std::int64_t C = between(random, 1, 20);
    return {BatchNormShift{}, {channel(C, Fill::uniform, true), channel(C), channel(C, Fill::uniform, true)}};
}

Instance scale_filter(RandomStream& random) {
    const Shape w = any_shape(random);
    return {ScaleFilter{}, {{.shape = w, .storage = Storage::full, .differentiable = true}, channel(w[0])}};
}

// Enough values in a row that their variance is never tiny; positive, so that no mean is a rounding error.
Shape rows(RandomStream& random) {
    const Shape leading = any_shape(random, 3);
    return leading.with(-1, between(random, 8, 40));
}
Shape without_last(const Shape& shape) {
    return Shape(shape.extents().first(static_cast<std::size_t>(shape.rank() - 1)));
}

Instance layer_norm(RandomStream& random) {
    const Shape x = rows(random);
    return {LayerNorm{epsilon(random)},
            {{.shape = x, .fill = Fill::positive, .differentiable = true},
             channel(x[-1], Fill::uniform, true),
             channel(x[-1], Fill::uniform, true)}};
}

Instance layer_norm_gradient(RandomStream& random) {
    const Shape x = rows(random), row = without_last(x);
    return {LayerNormGradient{},
            {{.shape = x},
             {.shape = x},
             channel(x[-1]),
             {.shape = row, .storage = Storage::full},
             {.shape = row, .fill = Fill::positive, .storage = Storage::full}},
            {}};
}

}  // namespace

std::vector<OpCase> norm_cases() {
    return {{"batch_norm", batch_norm},
            {"batch_norm_apply", batch_norm_apply},
            {"batch_norm_gradient", batch_norm_gradient},
            {"batch_norm_relu_gradient", batch_norm_relu_gradient},
            {"batch_norm_scale", batch_norm_scale},
            {"batch_norm_shift", batch_norm_shift, OpCase::Integers::exact},
            {"scale_filter", scale_filter, OpCase::Integers::exact},
            {"layer_norm", layer_norm},
            {"layer_norm_gradient", layer_norm_gradient}};
}

}  // namespace cambium::cases
