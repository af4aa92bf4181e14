// Element by element and channel by channel: any rank, odd sizes.
#include "engine/cases/case.h"

namespace cambium::cases {
namespace {

using namespace ops;

Operand variable(Shape shape, Fill fill = Fill::uniform) {
    return {.shape = shape, .fill = fill, .differentiable = true};
}
Operand channel_variable(const Shape& x) {
    return {.shape = {x[-1]}, .storage = Storage::full, .differentiable = true};
}

Instance convert(RandomStream& random) { return {Convert{DType::f32}, {variable(any_shape(random))}}; }

Instance convert_bytes(RandomStream& random) {
    return {Convert{DType::f32}, {{.shape = any_shape(random), .fill = Fill::bytes}}, {}};
}

Instance convert_counter(RandomStream&) {
    return {Convert{DType::f32}, {{.shape = {}, .fill = Fill::counter, .bound = 100000}}, {}};
}

Instance normalize(RandomStream& random) {
    Normalize op;
    for (float& scale : op.scale) scale = static_cast<float>(random.uniform(0.01, 0.02));
    for (float& shift : op.shift) shift = static_cast<float>(random.uniform(-2, 2));
    op.order = flip(random) ? ChannelOrder::rgb : ChannelOrder::bgr;
    const Shape shape{between(random, 1, 3), between(random, 1, 9), between(random, 1, 9), 3};
    return {op, {{.shape = shape, .fill = Fill::bytes}}, {}};
}

template <class Binary>
Instance binary(RandomStream& random) {
    const Shape shape = any_shape(random);
    return {Binary{}, {variable(shape), variable(shape)}};
}

Instance scale(RandomStream& random) { return {Scale{random.uniform(-2, 2)}, {variable(any_shape(random))}}; }

Instance lerp(RandomStream& random) {
    const Shape shape = any_shape(random);
    return {Lerp{},
            {{.shape = shape, .storage = Storage::full},
             {.shape = shape, .storage = Storage::full},
             {.shape = {}, .storage = Storage::full}},
            {}};
}

Instance add_bias(RandomStream& random) {
    const Shape shape = any_shape(random);
    return {AddBias{}, {variable(shape), channel_variable(shape)}};
}

Instance scale_shift(RandomStream& random) {
    const Shape shape = any_shape(random);
    Instance instance{ScaleShift{}, {variable(shape), channel_variable(shape)}};
    if (flip(random)) instance.inputs.push_back(channel_variable(shape));
    return instance;
}

Instance relu(RandomStream& random) { return {Relu{}, {variable(any_shape(random), Fill::separated)}}; }

Instance relu_gradient(RandomStream& random) {
    const Shape shape = any_shape(random);
    return {ReluGradient{}, {variable(shape), {.shape = shape, .fill = Fill::separated}}};
}

Instance gelu(RandomStream& random) { return {Gelu{}, {variable(any_shape(random))}}; }

Instance gelu_gradient(RandomStream& random) {
    const Shape shape = any_shape(random);
    return {GeluGradient{}, {variable(shape), {.shape = shape}}};
}

Instance dropout(RandomStream& random) {
    const Dropout op{one_of(random, {0.1, 0.5, 0.75}), random.bits(), "classifier.0"};
    return {op, {variable(any_shape(random)), {.shape = {}, .fill = Fill::counter, .bound = 1000}}};
}

Instance guard(RandomStream& random) {
    const Shape shape = any_shape(random);
    return {Guard{}, {{.shape = shape}, {.shape = shape}, {.shape = {}, .storage = Storage::full}}, {}};
}

Instance increment(RandomStream&) { return {Increment{}, {{.shape = {}, .fill = Fill::counter, .bound = 1000}}, {}}; }

}  // namespace

std::vector<OpCase> elementwise_cases() {
    using enum OpCase::Integers;
    return {{"convert", convert, exact},
            {"convert bytes", convert_bytes, exact},
            {"convert counter", convert_counter, exact},
            {"normalize", normalize},
            {"add", binary<Add>, exact},
            {"multiply", binary<Multiply>, exact},
            {"scale", scale},
            {"lerp", lerp, exact},
            {"add_bias", add_bias, exact},
            {"scale_shift", scale_shift, exact},
            {"channel_dot", binary<ChannelDot>, exact},
            {"relu", relu, exact},
            {"relu_gradient", relu_gradient, exact},
            {"gelu", gelu},
            {"gelu_gradient", gelu_gradient},
            {"dropout", dropout},
            {"guard", guard, exact},
            {"increment", increment, exact}};
}

}  // namespace cambium::cases
