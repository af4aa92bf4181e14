// Pooling: overlapping and gapped windows, padding, partial windows of ceil mode, cells of uneven size.
#include <algorithm>

#include "engine/cases/case.h"

namespace cambium::cases {
namespace {

using namespace ops;

Window any_window(RandomStream& random) {
    Window window;
    for (const std::size_t axis : {0u, 1u}) {
        window.kernel[axis] = between(random, 1, 4);
        window.stride[axis] = between(random, 1, 4);
        window.padding[axis] = between(random, 0, window.kernel[axis] / 2);
    }
    window.rounding = flip(random) ? Rounding::ceil : Rounding::floor;
    return window;
}

Shape image_for(RandomStream& random, const Window& window) {
    Pair extent{};
    for (const std::size_t axis : {0u, 1u}) {
        const std::int64_t least = window.kernel[axis] - 2 * window.padding[axis];
        extent[axis] = std::max<std::int64_t>(1, least) + between(random, 0, 6);
    }
    return {between(random, 1, 3), extent[0], extent[1], between(random, 1, 20)};
}

Shape pooled(const Op& op, const Shape& image) {
    const TensorSpec spec{image};
    return infer(op, std::span(&spec, 1))[0].shape;
}

Padding any_padding(RandomStream& random) { return flip(random) ? Padding::counted : Padding::ignored; }

Instance max_pool(RandomStream& random) {
    const Window window = any_window(random);
    return {MaxPool2d{window}, {{.shape = image_for(random, window), .fill = Fill::separated, .differentiable = true}}};
}

// Of window number p along an axis, a random position inside the image.
std::int64_t position(RandomStream& random, const Window& window, std::size_t axis, std::int64_t p,
                      std::int64_t extent) {
    const std::int64_t origin = p * window.stride[axis] - window.padding[axis];
    return between(random, std::max<std::int64_t>(0, -origin), std::min(window.kernel[axis], extent - origin) - 1);
}

Instance max_pool_gradient(RandomStream& random) {
    const Window window = any_window(random);
    const Shape image = image_for(random, window), y = pooled(MaxPool2d{window}, image);
    std::vector<float> index;
    for (std::int64_t i = 0; i < y.count(); ++i) {
        const std::int64_t q = i / y[3] % y[2], p = i / y[3] / y[2] % y[1];
        const std::int64_t r = position(random, window, 0, p, image[1]), s = position(random, window, 1, q, image[2]);
        index.push_back(static_cast<float>(r * window.kernel[1] + s));
    }
    return {MaxPool2dGradient{window, image},
            {{.shape = y}, {.shape = y, .fill = Fill::bytes, .given = std::move(index)}},
            {}};
}

Instance avg_pool(RandomStream& random) {
    const Window window = any_window(random);
    return {AvgPool2d{window, any_padding(random)}, {{.shape = image_for(random, window), .differentiable = true}}};
}

Instance avg_pool_gradient(RandomStream& random) {
    const Window window = any_window(random);
    const Shape image = image_for(random, window);
    return {AvgPool2dGradient{window, any_padding(random), image},
            {{.shape = pooled(AvgPool2d{window}, image), .differentiable = true}}};
}

Shape any_image(RandomStream& random) {
    return {between(random, 1, 3), between(random, 1, 9), between(random, 1, 9), between(random, 1, 20)};
}
Pair any_cells(RandomStream& random) {
    if (flip(random)) return {1, 1};
    return {between(random, 1, 7), between(random, 1, 7)};
}

Instance adaptive_avg_pool(RandomStream& random) {
    return {AdaptiveAvgPool2d{any_cells(random)}, {{.shape = any_image(random), .differentiable = true}}};
}

Instance adaptive_avg_pool_gradient(RandomStream& random) {
    const Shape image = any_image(random);
    return {AdaptiveAvgPool2dGradient{image},
            {{.shape = pooled(AdaptiveAvgPool2d{any_cells(random)}, image), .differentiable = true}}};
}

}  // namespace

std::vector<OpCase> pool_cases() {
    using enum OpCase::Integers;
    return {{"max_pool2d", max_pool, exact},
            {"max_pool2d_gradient", max_pool_gradient, exact},
            {"avg_pool2d", avg_pool},
            {"avg_pool2d_gradient", avg_pool_gradient},
            {"adaptive_avg_pool2d", adaptive_avg_pool},
            {"adaptive_avg_pool2d_gradient", adaptive_avg_pool_gradient}};
}

}  // namespace cambium::cases
