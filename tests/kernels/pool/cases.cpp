#include "tests/kernels/pool/cases.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/philox.h"
#include "tests/kernels/rule.h"

namespace cambium::test {
namespace {

using i64 = std::int64_t;

std::size_t size(i64 value) { return static_cast<std::size_t>(value); }
i64 elements(const PoolCase& c, const pool::Pair& extents) {
    return c.images.images * extents[0] * extents[1] * c.images.channels;
}

float stored(const PoolCase& c, double x) {
    const auto value = static_cast<float>(x);
    return c.images.dtype == DType::bf16 ? static_cast<float>(bf16(value)) : value;
}

// Positions [begin, end) of a window along an axis, its first one with the padding, and what a mean divides by.
struct Part {
    i64 begin, end, origin, divisor;
};
Part part_of(const PoolCase& c, std::size_t axis, i64 p) {
    const i64 extent = c.images.input[axis], windows = c.images.output[axis];
    if (c.pooling == Pooling::adaptive) {
        const i64 begin = p * extent / windows, end = ((p + 1) * extent + windows - 1) / windows;
        return {begin, end, begin, end - begin};
    }
    const i64 origin = p * c.window.stride[axis] - c.window.padding[axis];
    const i64 padded_end = std::min(origin + c.window.kernel[axis], extent + c.window.padding[axis]);
    Part part{std::max<i64>(origin, 0), std::min(padded_end, extent), origin, padded_end - origin};
    if (c.pooling != Pooling::average_padded) part.divisor = part.end - part.begin;
    return part;
}

// Calls visit(output index, rows, columns, offset) for each window, where position (h, w) is at offset + (h W + w) C.
template <class Visit>
void for_each_window(const PoolCase& c, Visit&& visit) {
    const pool::Images& i = c.images;
    i64 index = 0;
    for (i64 n = 0; n < i.images; ++n)
        for (i64 p = 0; p < i.output[0]; ++p)
            for (i64 q = 0; q < i.output[1]; ++q)
                for (i64 k = 0; k < i.channels; ++k)
                    visit(size(index++), part_of(c, 0, p), part_of(c, 1, q),
                          n * i.input[0] * i.input[1] * i.channels + k);
}

template <class Visit>
void for_each_position(const PoolCase& c, const Part& rows, const Part& columns, i64 offset, Visit&& visit) {
    for (i64 h = rows.begin; h < rows.end; ++h)
        for (i64 w = columns.begin; w < columns.end; ++w)
            visit(size(offset + (h * c.images.input[1] + w) * c.images.channels),
                  (h - rows.origin) * c.window.kernel[1] + w - columns.origin);
}

template <class Real>
void max_pool(const PoolCase& c, const PoolData& data, PoolResult<Real>& result) {
    result.index.resize(result.y.size());
    for_each_window(c, [&](std::size_t out, const Part& rows, const Part& columns, i64 offset) {
        i64 best = -1;
        Real largest = 0;
        for_each_position(c, rows, columns, offset, [&](std::size_t at, i64 position) {
            const auto x = static_cast<Real>(data.x[at]);
            if (best >= 0 && !(x > largest || (std::isnan(x) && !std::isnan(largest)))) return;
            best = position;
            largest = x;
        });
        result.y[out] = largest;
        result.index[out] = static_cast<std::uint8_t>(best);
        if (data.index.empty()) return;
        for_each_position(c, rows, columns, offset, [&](std::size_t at, i64 position) {
            if (position == data.index[out]) result.dx[at] += static_cast<Real>(data.dy[out]);
        });
    });
}

template <class Real>
void average_pool(const PoolCase& c, const PoolData& data, PoolResult<Real>& result) {
    for_each_window(c, [&](std::size_t out, const Part& rows, const Part& columns, i64 offset) {
        const auto divisor = static_cast<Real>(rows.divisor * columns.divisor);
        Real sum = 0;
        for_each_position(c, rows, columns, offset, [&](std::size_t at, i64) {
            sum += static_cast<Real>(data.x[at]);
            result.dx[at] += static_cast<Real>(data.dy[out]) / divisor;
        });
        result.y[out] = sum / divisor;
    });
}

template <class Real>
PoolResult<Real> computed(const PoolCase& c, const PoolData& data) {
    PoolResult<Real> result;
    result.y.resize(size(elements(c, c.images.output)));
    result.dx.resize(size(elements(c, c.images.input)));
    if (c.pooling == Pooling::max) {
        max_pool(c, data, result);
    } else {
        average_pool(c, data, result);
    }
    return result;
}

template <class T>
PoolResult<float> run_typed(const PoolCase& c, const PoolData& data) {
    dev::Stream stream;
    const pool::Images& i = c.images;
    const dev::Buffer<T> x(converted<T>(data.x), stream, "x"), dy(converted<T>(data.dy), stream, "dy");
    dev::Buffer<T> y(dy.size(), "y"), dx(x.size(), "dx");
    PoolResult<float> result;
    if (c.pooling == Pooling::max) {
        const dev::Buffer<std::uint8_t> given(data.index, stream, "index");
        dev::Buffer<std::uint8_t> index(y.size(), "index");
        pool::max_pool(i, c.window, x.data(), y.data(), index.data(), stream);
        pool::max_pool_gradient(i, c.window, dy.data(), given.data(), dx.data(), stream);
        result.index.resize(index.size());
        index.download(result.index, stream);
    } else if (c.pooling == Pooling::adaptive) {
        pool::adaptive_average_pool(i, x.data(), y.data(), stream);
        pool::adaptive_average_pool_gradient(i, dy.data(), dx.data(), stream);
    } else {
        const pool::Divisor divisor =
            c.pooling == Pooling::average_padded ? pool::Divisor::padded : pool::Divisor::inside;
        pool::average_pool(i, c.window, divisor, x.data(), y.data(), stream);
        pool::average_pool_gradient(i, c.window, divisor, dy.data(), dx.data(), stream);
    }
    std::vector<T> host_y(y.size()), host_dx(dx.size());
    y.download(host_y, stream);
    dx.download(host_dx, stream);
    result.y = widened(host_y);
    result.dx = widened(host_dx);
    return result;
}

i64 one_of(RandomStream& random, std::initializer_list<i64> choices) {
    return choices.begin()[random.below(static_cast<std::uint32_t>(choices.size()))];
}
i64 between(RandomStream& random, i64 low, i64 high) {
    return low + random.below(static_cast<std::uint32_t>(high - low + 1));
}

PoolCase random_images(int number, RandomStream& random) {
    PoolCase c;
    c.images.images = between(random, 1, 3);
    c.images.channels = one_of(random, {1, 2, 3, 4, 8, 16, 20, 24, 33, 40});
    c.images.dtype = number % 2 == 0 ? DType::f32 : DType::bf16;
    c.pooling = static_cast<Pooling>(number / 2 % 4);
    c.seed = static_cast<std::uint32_t>(number);
    return c;
}

// As many windows as fit; a last, partial one where asked for and where it sees anything (as engine/ops/pool.cpp).
i64 window_count(const pool::Window& window, std::size_t axis, i64 extent, bool partial) {
    const i64 stride = window.stride[axis], room = extent + 2 * window.padding[axis] - window.kernel[axis];
    i64 count = (partial ? room + stride - 1 : room) / stride + 1;
    if ((count - 1) * stride >= extent + window.padding[axis]) --count;
    return count;
}

}  // namespace

std::string PoolCase::text() const {
    const auto pair = [](const pool::Pair& p) { return std::to_string(p[0]) + "x" + std::to_string(p[1]); };
    const char* poolings[] = {"max", "average, padded", "average, inside", "adaptive"};
    return std::string(poolings[static_cast<int>(pooling)]) + (images.dtype == DType::bf16 ? " bf16 " : " f32 ") +
           std::to_string(images.images) + " of " + pair(images.input) + "x" + std::to_string(images.channels) +
           " to " + pair(images.output) + " kernel " + pair(window.kernel) + " stride " + pair(window.stride) +
           " padding " + pair(window.padding) + (images.variant == pool::Variant::plain ? " plain" : "") + " seed " +
           std::to_string(seed);
}

PoolData make_data(const PoolCase& c, Fill fill) {
    RandomStream random(c.seed, hash_name("pool data", 9));
    const auto filled = [&](const pool::Pair& extents) {
        std::vector<float> values(size(elements(c, extents)));
        for (float& x : values) {
            x = fill == Fill::integers ? static_cast<float>(random.below(9)) - 4.0f : stored(c, random.uniform(-1, 1));
        }
        return values;
    };
    PoolData data;
    data.x = filled(c.images.input);
    data.dy = filled(c.images.output);
    if (c.pooling == Pooling::max) data.index = computed<double>(c, data).index;
    return data;
}

PoolResult<double> exact_pool(const PoolCase& c, const PoolData& data) { return computed<double>(c, data); }

PoolResult<float> low_precision_pool(const PoolCase& c, const PoolData& data) {
    PoolResult<float> result = computed<float>(c, data);
    for (auto* values : {&result.y, &result.dx}) {
        for (float& x : *values) x = stored(c, static_cast<double>(x));
    }
    return result;
}

PoolResult<float> run_on_device(const PoolCase& c, const PoolData& data) {
    return c.images.dtype == DType::bf16 ? run_typed<bf16>(c, data) : run_typed<float>(c, data);
}

PoolCase random_case(int number) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("pool case", 9));
    PoolCase c = random_images(number, random);
    const bool partial = random.below(2) == 1;
    for (const std::size_t axis : {0u, 1u}) {
        if (c.pooling == Pooling::adaptive) {
            c.images.input[axis] = between(random, 1, 12);
            c.images.output[axis] = random.below(2) == 0 ? 1 : between(random, 1, 7);
            continue;
        }
        c.window.kernel[axis] = between(random, 1, 4);
        c.window.stride[axis] = between(random, 1, 4);
        c.window.padding[axis] = between(random, 0, c.window.kernel[axis] / 2);
        const i64 least = std::max<i64>(1, c.window.kernel[axis] - 2 * c.window.padding[axis]);
        c.images.input[axis] = least + between(random, 0, 14);
        c.images.output[axis] = window_count(c.window, axis, c.images.input[axis], partial);
    }
    return c;
}

PoolCase random_dyadic_case(int number) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("dyadic pool case", 16));
    PoolCase c = random_images(number, random);
    for (const std::size_t axis : {0u, 1u}) {
        const i64 kernel = i64{1} << random.below(3), windows = between(random, 1, 6);
        c.window.kernel[axis] = kernel;
        c.window.stride[axis] = kernel;
        c.images.output[axis] = windows;
        c.images.input[axis] = kernel * windows;
        if (c.pooling == Pooling::adaptive || kernel == 1) continue;
        c.window.stride[axis] = between(random, 1, 3);
        c.window.padding[axis] = c.pooling == Pooling::average_inside ? 0 : kernel / 2;
        c.images.output[axis] = window_count(c.window, axis, c.images.input[axis], false);
    }
    return c;
}

}  // namespace cambium::test
