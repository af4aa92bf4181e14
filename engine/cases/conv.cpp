// Convolutions: odd sizes, strides, padding, dilation, groups, and the shapes that backends treat apart.
#include <algorithm>

#include "engine/cases/case.h"

namespace cambium::cases {
namespace {

using namespace ops;

struct Problem {
    Conv2d conv;
    Shape image, filter, result;
};

// An image just as large as the filter's reach, or up to six positions larger.
Shape image_for(RandomStream& random, const Conv2d& conv, std::int64_t batch, std::int64_t channels, Pair kernel) {
    Pair extent{};
    for (const std::size_t axis : {0u, 1u}) {
        const std::int64_t reach = conv.dilation[axis] * (kernel[axis] - 1) + 1;
        extent[axis] = std::max<std::int64_t>(1, reach - 2 * conv.padding[axis] + between(random, 0, 6));
    }
    return {batch, extent[0], extent[1], channels};
}

Problem finish(Problem problem) {
    const TensorSpec specs[] = {{problem.image}, {problem.filter}};
    problem.result = infer(problem.conv, specs)[0].shape;
    return problem;
}

Problem any(RandomStream& random) {
    Problem p;
    p.conv = {.stride = {between(random, 1, 3), between(random, 1, 3)},
              .padding = {between(random, 0, 2), between(random, 0, 2)},
              .dilation = {between(random, 1, 2), between(random, 1, 2)},
              .groups = one_of<std::int64_t>(random, {1, 1, 2, 3})};
    const Pair kernel{between(random, 1, 4), between(random, 1, 4)};
    const std::int64_t channels = between(random, 1, 4);
    p.filter = {p.conv.groups * between(random, 1, 4), kernel[0], kernel[1], channels};
    p.image = image_for(random, p.conv, between(random, 1, 3), channels * p.conv.groups, kernel);
    return finish(p);
}

Problem pointwise(RandomStream& random) {
    Problem p;
    const std::int64_t stride = between(random, 1, 2), channels = between(random, 1, 40);
    p.conv.stride = {stride, stride};
    p.filter = {between(random, 1, 40), 1, 1, channels};
    p.image = image_for(random, p.conv, between(random, 1, 3), channels, {1, 1});
    return finish(p);
}

Problem depthwise(RandomStream& random) {
    Problem p;
    p.conv = {.padding = {1, 1}, .groups = between(random, 2, 20)};
    p.filter = {p.conv.groups, 3, 3, 1};
    p.image = image_for(random, p.conv, between(random, 1, 3), p.conv.groups, {3, 3});
    return finish(p);
}

// As a network's first layer: three channels, a wide kernel, stride 2.
Problem stem(RandomStream& random) {
    Problem p;
    p.conv = {.stride = {2, 2}, .padding = {3, 3}};
    p.filter = {between(random, 8, 20), 7, 7, 3};
    p.image = image_for(random, p.conv, between(random, 1, 2), 3, {7, 7});
    return finish(p);
}

// As a network's body: 3x3, enough channels for blocked layouts.
Problem body(RandomStream& random) {
    Problem p;
    const std::int64_t stride = between(random, 1, 2), channels = one_of<std::int64_t>(random, {16, 32, 33});
    p.conv = {.stride = {stride, stride}, .padding = {1, 1}};
    p.filter = {one_of<std::int64_t>(random, {16, 24, 32}), 3, 3, channels};
    p.image = image_for(random, p.conv, between(random, 1, 3), channels, {3, 3});
    return finish(p);
}

template <Problem (*problem)(RandomStream&)>
Instance forward(RandomStream& random) {
    const Problem p = problem(random);
    return {p.conv, {{.shape = p.image, .differentiable = true}, {.shape = p.filter, .differentiable = true}}};
}

template <Problem (*problem)(RandomStream&)>
Instance input_gradient(RandomStream& random) {
    const Problem p = problem(random);
    return {Conv2dInputGradient{p.conv, p.image},
            {{.shape = p.result, .differentiable = true}, {.shape = p.filter, .differentiable = true}}};
}

template <Problem (*problem)(RandomStream&)>
Instance filter_gradient(RandomStream& random) {
    const Problem p = problem(random);
    return {Conv2dFilterGradient{p.conv, p.filter},
            {{.shape = p.image, .differentiable = true}, {.shape = p.result, .differentiable = true}}};
}

}  // namespace

std::vector<OpCase> conv_cases() {
    using enum OpCase::Integers;
    return {{"conv2d", forward<any>, exact},
            {"conv2d pointwise", forward<pointwise>, exact},
            {"conv2d depthwise", forward<depthwise>, exact},
            {"conv2d stem", forward<stem>, exact},
            {"conv2d body", forward<body>, exact},
            {"conv2d_input_gradient", input_gradient<any>, exact},
            {"conv2d_input_gradient pointwise", input_gradient<pointwise>, exact},
            {"conv2d_input_gradient depthwise", input_gradient<depthwise>, exact},
            {"conv2d_input_gradient body", input_gradient<body>, exact},
            {"conv2d_filter_gradient", filter_gradient<any>, exact},
            {"conv2d_filter_gradient pointwise", filter_gradient<pointwise>, exact},
            {"conv2d_filter_gradient depthwise", filter_gradient<depthwise>, exact},
            {"conv2d_filter_gradient stem", filter_gradient<stem>, exact},
            {"conv2d_filter_gradient body", filter_gradient<body>, exact}};
}

}  // namespace cambium::cases
