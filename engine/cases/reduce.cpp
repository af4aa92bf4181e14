// Sums over any set of axes, none and all included, and norms of several tensors.
#include "engine/cases/case.h"

namespace cambium::cases {
namespace {

using namespace ops;

std::vector<int> any_axes(RandomStream& random, const Shape& shape) {
    std::vector<int> axes;
    for (int axis = 0; axis < shape.rank(); ++axis) {
        if (flip(random)) axes.push_back(axis);
    }
    return axes;
}

Instance reduce_sum(RandomStream& random) {
    const Shape shape = any_shape(random);
    return {ReduceSum{any_axes(random, shape)}, {{.shape = shape, .differentiable = true}}};
}

// What a bias's gradient is: the sum over all axes but the last.
Instance channel_sum(RandomStream& random) {
    const Shape shape{between(random, 1, 3), between(random, 1, 9), between(random, 1, 9), between(random, 1, 40)};
    return {ReduceSum{{0, 1, 2}}, {{.shape = shape, .differentiable = true}}};
}

Instance broadcast(RandomStream& random) {
    const Shape shape = any_shape(random);
    const std::vector<int> axes = any_axes(random, shape);
    const TensorSpec spec{shape};
    const Shape rest = infer(ReduceSum{axes}, std::span(&spec, 1))[0].shape;
    return {Broadcast{shape, axes}, {{.shape = rest, .differentiable = true}}};
}

Instance global_norm(RandomStream& random) {
    Instance instance{GlobalNorm{}, {}, {}};
    for (std::int64_t tensors = between(random, 1, 5); tensors > 0; --tensors)
        instance.inputs.push_back({.shape = any_shape(random), .storage = Storage::full});
    return instance;
}

}  // namespace

std::vector<OpCase> reduce_cases() {
    using enum OpCase::Integers;
    return {{"reduce_sum", reduce_sum, exact},
            {"reduce_sum channels", channel_sum, exact},
            {"broadcast", broadcast, exact},
            {"global_norm", global_norm}};
}

}  // namespace cambium::cases
