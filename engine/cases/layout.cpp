// Moving elements: every rank and axis, steps, and now and then an empty part.
#include <algorithm>
#include <numeric>

#include "engine/cases/case.h"

namespace cambium::cases {
namespace {

using namespace ops;

Operand variable(Shape shape) { return {.shape = shape, .differentiable = true}; }

Instance concat(RandomStream& random) {
    const Shape shape = any_shape(random);
    const int axis = static_cast<int>(between(random, 0, shape.rank() - 1));
    Instance instance{Concat{flip(random) ? axis : axis - shape.rank()}, {}};
    for (std::int64_t parts = between(random, 1, 4); parts > 0; --parts)
        instance.inputs.push_back(variable(shape.with(axis, between(random, 1, 9))));
    return instance;
}

Instance slice(RandomStream& random) {
    const Shape shape = any_shape(random);
    Slice op;
    for (const std::int64_t extent : shape.extents()) {
        op.begin.push_back(between(random, 0, extent - 1));
        op.end.push_back(between(random, op.begin.back() + (random.below(12) == 0 ? 0 : 1), extent));
        op.step.push_back(between(random, 1, 3));
    }
    return {op, {variable(shape)}};
}

Instance pad(RandomStream& random) {
    Shape shape = any_shape(random);
    if (random.below(12) == 0) shape = shape.with(0, 0);
    Pad op;
    for (int axis = 0; axis < shape.rank(); ++axis) {
        op.before.push_back(between(random, 0, 2));
        op.after.push_back(between(random, 0, 2));
        op.step.push_back(between(random, 1, 3));
    }
    return {op, {variable(shape)}};
}

Instance reshape(RandomStream& random) {
    const Shape shape = any_shape(random);
    const Shape flat{shape.count()}, tail{1, shape[0], shape.count() / shape[0]};
    return {Reshape{flip(random) ? flat : tail}, {variable(shape)}};
}

Instance transposition(RandomStream& random) {
    const Shape shape = any_shape(random, Shape::max_rank);
    std::vector<int> permutation(static_cast<std::size_t>(shape.rank()));
    std::iota(permutation.begin(), permutation.end(), 0);
    for (std::size_t i = permutation.size(); i > 1; --i)
        std::swap(permutation[i - 1], permutation[random.below(static_cast<std::uint32_t>(i))]);
    return {Transposition{permutation}, {variable(shape)}};
}

// Matrices of some tens of rows and columns, turned around: what backends do in tiles.
Instance matrix_transposition(RandomStream& random) {
    const auto side = [&] { return 24 + static_cast<std::int64_t>(random.below(50)); };
    const Shape shape{1 + static_cast<std::int64_t>(random.below(2)), side(), side()};
    return {Transposition{flip(random) ? std::vector<int>{0, 2, 1} : std::vector<int>{2, 0, 1}}, {variable(shape)}};
}

}  // namespace

std::vector<OpCase> layout_cases() {
    using enum OpCase::Integers;
    return {{"concat", concat, exact},
            {"slice", slice, exact},
            {"pad", pad, exact},
            {"reshape", reshape, exact},
            {"transpose", transposition, exact},
            {"transpose matrices", matrix_transposition, exact}};
}

}  // namespace cambium::cases
