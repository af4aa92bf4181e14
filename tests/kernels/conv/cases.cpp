#include "tests/kernels/conv/cases.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "engine/base/philox.h"
#include "kernels/norm/norm.h"

namespace cambium::test {
namespace {

using conv::Direction, conv::Math, conv::Output, conv::Sizes;

std::size_t size(std::int64_t value) { return static_cast<std::size_t>(value); }

std::int64_t elements_of_x(const Sizes& z) { return z.n * z.h * z.w * z.c; }
std::int64_t elements_of_w(const Sizes& z) { return z.k * z.r * z.s * z.group_c(); }
std::int64_t elements_of_y(const Sizes& z) { return z.n * z.p() * z.q() * z.k; }

std::int64_t first_elements(const ConvCase& c) {
    return c.conv.direction == Direction::dgrad ? elements_of_y(c.conv.sizes) : elements_of_x(c.conv.sizes);
}
std::int64_t second_elements(const ConvCase& c) {
    return c.conv.direction == Direction::wgrad ? elements_of_y(c.conv.sizes) : elements_of_w(c.conv.sizes);
}
std::int64_t result_elements(const ConvCase& c) {
    const Sizes& z = c.conv.sizes;
    return c.conv.direction == Direction::fprop   ? elements_of_y(z)
           : c.conv.direction == Direction::dgrad ? elements_of_x(z)
                                                  : elements_of_w(z);
}
std::int64_t result_channels(const ConvCase& c) {
    return c.conv.direction == Direction::fprop ? c.conv.sizes.k : c.conv.sizes.c;
}

// The convolution's definition, once for its three directions: calls term(i, j, l) for every product that x[i] and w[j]
// contribute to y[l].
template <class Term>
void for_each_term(const Sizes& z, Term&& term) {
    for (std::int64_t n = 0; n < z.n; ++n)
        for (std::int64_t p = 0; p < z.p(); ++p)
            for (std::int64_t q = 0; q < z.q(); ++q)
                for (std::int64_t r = 0; r < z.r; ++r)
                    for (std::int64_t s = 0; s < z.s; ++s) {
                        const std::int64_t h = p * z.stride[0] - z.padding[0] + r * z.dilation[0];
                        const std::int64_t w = q * z.stride[1] - z.padding[1] + s * z.dilation[1];
                        if (h < 0 || h >= z.h || w < 0 || w >= z.w) continue;
                        const std::int64_t pixel = ((n * z.h + h) * z.w + w) * z.c;
                        const std::int64_t output = ((n * z.p() + p) * z.q() + q) * z.k;
                        for (std::int64_t k = 0; k < z.k; ++k)
                            for (std::int64_t c = 0; c < z.group_c(); ++c)
                                term(size(pixel + k / z.group_k() * z.group_c() + c),
                                     size(((k * z.r + r) * z.s + s) * z.group_c() + c), size(output + k));
                    }
}

float round_to(bool low, float x) { return low ? static_cast<float>(bf16(x)) : x; }
float round_to_tf32(float x) { return bits::to_float((bits::of(x) + 0x1000u) & ~0x1fffu); }

template <class Real>
Real activated(Real x, gemm::Activation activation) {
    return activation == gemm::Activation::relu && x < 0 ? Real(0) : x;
}

// In the given arithmetic; `operand` rounds the operands' elements.
template <class Real, class Operand>
std::vector<Real> result(const ConvCase& c, const ConvData& data, Operand&& operand) {
    const conv::Conv& v = c.conv;
    std::vector<Real> first, second, sums(size(result_elements(c)), 0);
    for (const float x : data.first) first.push_back(static_cast<Real>(operand(x)));
    for (const float x : data.second) second.push_back(static_cast<Real>(operand(x)));
    for_each_term(v.sizes, [&](std::size_t x, std::size_t w, std::size_t y) {
        if (v.direction == Direction::fprop) sums[y] += first[x] * second[w];
        if (v.direction == Direction::dgrad) sums[x] += first[y] * second[w];
        if (v.direction == Direction::wgrad) sums[w] += first[x] * second[y];
    });
    const std::size_t channels = size(std::max<std::int64_t>(result_channels(c), 1));
    for (std::size_t i = 0; i < sums.size(); ++i) {
        if (c.scale) sums[i] *= static_cast<Real>(data.scale[i % channels]);
        if (c.bias) sums[i] += static_cast<Real>(data.bias[i % channels]);
        sums[i] = activated(sums[i], v.epilogue.activation);
        if (c.residual) sums[i] += static_cast<Real>(data.residual[i]);
        sums[i] = activated(sums[i], v.epilogue.last_activation);
    }
    return sums;
}

std::vector<float> filled(std::int64_t count, Fill fill, bool low, RandomStream& random) {
    std::vector<float> values(size(count));
    for (float& x : values) {
        x = fill == Fill::integers ? static_cast<float>(random.below(9)) - 4.0f
                                   : round_to(low, 2.0f * uniform01(random.bits()) - 1.0f);
    }
    return values;
}

template <class T>
std::vector<T> converted(const std::vector<float>& values, int skew) {
    std::vector<T> result(size(skew), T(0.0f));
    for (const float x : values) result.push_back(T(x));
    return result;
}

template <class In, class Out>
std::vector<float> run_typed(const ConvCase& c, const ConvData& data, float* cells = nullptr) {
    constexpr float kGuard = -12345.0f;
    constexpr std::size_t kGuards = 16;
    dev::Stream stream;
    const dev::Buffer<In> first(converted<In>(data.first, c.skew), stream, "first"),
        second(converted<In>(data.second, c.skew), stream, "second");
    const dev::Buffer<float> scale(data.scale, stream, "scale"), bias(data.bias, stream, "bias");
    const dev::Buffer<Out> residual(converted<Out>(data.residual, 0), stream, "residual");
    std::vector<Out> host(size(result_elements(c)) + kGuards, Out(kGuard));
    dev::Buffer<Out> device(host, stream, "result");
    conv::Conv v = c.conv;
    v.epilogue.moments = cells;
    if (c.scale) v.epilogue.scale = scale.data();
    if (c.bias) v.epilogue.bias = bias.data();
    if (c.residual) v.epilogue.residual = residual.data();
    dev::Buffer<std::byte> workspace(conv::workspace_bytes(v), "workspace");
    conv::run(v, first.data() + c.skew, second.data() + c.skew, device.data(), {workspace.data(), workspace.size()},
              stream);
    device.download(host, stream);
    std::vector<float> found;
    for (const Out x : host) found.push_back(static_cast<float>(x));
    for (std::size_t i = 0; i < kGuards; ++i) {
        if (found.back() != static_cast<float>(Out(kGuard))) throw std::runtime_error("written behind: " + c.text());
        found.pop_back();
    }
    return found;
}

std::int64_t between(RandomStream& random, std::int64_t low, std::int64_t high) {
    return low + random.below(static_cast<std::uint32_t>(high - low + 1));
}
template <class T>
T one_of(RandomStream& random, std::initializer_list<T> choices) {
    return choices.begin()[random.below(static_cast<std::uint32_t>(choices.size()))];
}

// An image just as large as the filter's reach, or up to `more` positions larger.
void choose_image(Sizes& z, RandomStream& random, std::int64_t more) {
    const auto extent = [&](int axis, std::int64_t filter) {
        const std::int64_t reach = z.dilation[axis] * (filter - 1) + 1 - 2 * z.padding[axis];
        return std::max<std::int64_t>(1, reach + between(random, 0, more));
    };
    z.h = extent(0, z.r), z.w = extent(1, z.s);
    z.n = between(random, 1, 3);
}

void choose_pairs(std::int64_t (&pair)[2], RandomStream& random, std::int64_t low, std::int64_t high) {
    for (std::int64_t& value : pair) value = between(random, low, high);
}

Sizes random_sizes(int kind, std::int64_t largest, RandomStream& random) {
    Sizes z;
    const auto channels = [&] {
        return std::min(largest, one_of<std::int64_t>(random, {1, 3, 7, 8, 12, 16, 20, 33, 40, 64, 65, 72}));
    };
    if (kind == 0) {  // a stem
        z.c = between(random, 1, 4), z.k = between(random, 1, 20);
        z.r = z.s = one_of<std::int64_t>(random, {3, 5, 7});
        z.stride[0] = z.stride[1] = between(random, 1, 4);
        z.padding[0] = z.padding[1] = z.r / 2;
        choose_image(z, random, 12);
    } else if (kind == 1) {  // pointwise, mostly strided
        z.c = channels(), z.k = channels(), z.r = z.s = 1;
        z.stride[0] = z.stride[1] = between(random, 1, 3);
        choose_image(z, random, 6);
    } else if (kind == 2) {  // depthwise, and groups of few channels
        z.groups = between(random, 2, 9);
        z.c = z.groups * between(random, 1, 3), z.k = z.groups * between(random, 1, 3), z.r = z.s = 3;
        choose_pairs(z.padding, random, 0, 2);
        choose_pairs(z.stride, random, 1, 2);
        choose_image(z, random, 6);
    } else if (kind <= 5) {  // a body
        z.c = channels(), z.k = channels(), z.r = z.s = 3;
        z.stride[0] = z.stride[1] = between(random, 1, 2);
        z.padding[0] = z.padding[1] = 1;
        choose_image(z, random, 7);
    } else {
        z.groups = one_of<std::int64_t>(random, {1, 1, 1, 2, 3, 4});
        z.c = z.groups * between(random, 1, 24), z.k = z.groups * between(random, 1, 24);
        z.r = between(random, 1, 4), z.s = between(random, 1, 4);
        choose_pairs(z.stride, random, 1, 3);
        choose_pairs(z.padding, random, 0, 3);
        choose_pairs(z.dilation, random, 1, 3);
        choose_image(z, random, 7);
    }
    if (random.below(40) == 0) z.n = 0;
    if (z.groups == 1 && random.below(40) == 0) z.c = 0;
    if (z.groups == 1 && random.below(40) == 0) z.k = 0;
    return z;
}

}  // namespace

std::string ConvCase::text() const {
    const Sizes& z = conv.sizes;
    const auto number = [](std::int64_t value) { return std::to_string(value); };
    const auto pair = [&](const std::int64_t(&values)[2]) { return number(values[0]) + "," + number(values[1]); };
    const char* maths[] = {"bf16", "tf32", "f32"};
    const char* directions[] = {"fprop", "dgrad", "wgrad"};
    std::string s = std::string(directions[static_cast<int>(conv.direction)]) + " " +
                    maths[static_cast<int>(conv.math)] + " x " + number(z.n) + "," + number(z.h) + "," + number(z.w) +
                    "," + number(z.c) + " filter " + number(z.k) + "," + number(z.r) + "," + number(z.s) + " stride " +
                    pair(z.stride) + " padding " + pair(z.padding) + " dilation " + pair(z.dilation) + " groups " +
                    number(z.groups) + " skew " + number(skew);
    s += conv.output == Output::bf16 ? " to bf16" : "";
    s += std::string(scale ? " scale" : "") + (bias ? " bias" : "");
    s += conv.epilogue.activation == gemm::Activation::relu ? " relu" : "";
    s += residual ? " residual" : "";
    s += conv.epilogue.last_activation == gemm::Activation::relu ? " relu" : "";
    if (conv.plan) {
        const char* tiles[] = {" small", " oblong", " large"};
        s += conv.plan->variant == conv::Variant::plain ? " plain" : tiles[static_cast<int>(conv.plan->tile)];
        s += "/" + number(conv.plan->splits);
    }
    return s + " seed " + number(seed);
}

ConvData make_data(const ConvCase& c, Fill fill) {
    RandomStream random(c.seed, hash_name("conv data", 9));
    const bool low = c.conv.math == Math::bf16;
    ConvData data;
    data.first = filled(first_elements(c), fill, low, random);
    data.second = filled(second_elements(c), fill, low, random);
    if (c.scale) data.scale = filled(result_channels(c), fill, false, random);
    if (c.bias) data.bias = filled(result_channels(c), fill, false, random);
    if (c.residual) data.residual = filled(result_elements(c), fill, c.conv.output == Output::bf16, random);
    return data;
}

Exact exact_result(const ConvCase& c, const ConvData& data) {
    Exact exact{result<double>(c, data, [](float x) { return x; })};
    ConvCase magnitudes = c;
    magnitudes.conv.epilogue.activation = magnitudes.conv.epilogue.last_activation = gemm::Activation::none;
    ConvData absolute = data;
    for (auto* values : {&absolute.first, &absolute.second, &absolute.scale, &absolute.bias, &absolute.residual}) {
        for (float& x : *values) x = std::fabs(x);
    }
    for (const float x : result<float>(magnitudes, absolute, [](float y) { return y; })) {
        exact.magnitude = std::max(exact.magnitude, static_cast<double>(x));
    }
    return exact;
}

std::vector<float> low_precision_result(const ConvCase& c, const ConvData& data) {
    const bool tf32 = c.conv.math == Math::tf32;
    std::vector<float> sums = result<float>(c, data, [&](float x) { return tf32 ? round_to_tf32(x) : x; });
    for (float& x : sums) x = round_to(c.conv.output == Output::bf16, x);
    return sums;
}

namespace {

std::vector<float> run(const ConvCase& c, const ConvData& data, float* cells) {
    if (c.conv.math != Math::bf16) return run_typed<float, float>(c, data, cells);
    return c.conv.output == Output::f32 ? run_typed<bf16, float>(c, data, cells)
                                        : run_typed<bf16, bf16>(c, data, cells);
}

}  // namespace

std::vector<float> run_on_device(const ConvCase& c, const ConvData& data) { return run(c, data, nullptr); }

WithMoments run_with_moments(const ConvCase& c, const ConvData& data) {
    const Sizes& z = c.conv.sizes;
    norm::CellMoments moments{.rows = z.n * z.p() * z.q(), .channels = z.k, .cell_rows = conv::moment_rows(c.conv)};
    const std::int64_t count = (moments.rows + moments.cell_rows - 1) / moments.cell_rows;
    dev::Stream stream;
    dev::Buffer<float> cells(size(count * 3 * z.k), "cells"), mean(size(z.k), "mean"), variance(size(z.k), "variance");
    WithMoments found;
    found.y = run(c, data, cells.data());
    moments.cells = cells.data(), moments.mean = mean.data(), moments.variance = variance.data();
    dev::Buffer<std::byte> workspace(norm::workspace_bytes(moments), "workspace");
    norm::merge_moments(moments, {workspace.data(), workspace.size()}, stream);
    found.mean.resize(size(z.k)), found.variance.resize(size(z.k));
    mean.download(found.mean, stream);
    variance.download(found.variance, stream);
    return found;
}

ConvCase random_case(int number, std::int64_t largest) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("conv case", 9));
    ConvCase c;
    conv::Conv& v = c.conv;
    v.direction = static_cast<Direction>(number % 3);
    v.math = static_cast<Math>(number / 3 % 3);
    v.sizes = random_sizes(number / 9 % 9, largest, random);
    c.skew = random.below(4) == 0 ? static_cast<int>(between(random, 1, 8)) : 0;
    if (v.direction != Direction::wgrad) {
        v.output = v.math == Math::bf16 && random.below(2) == 0 ? Output::bf16 : Output::f32;
        c.scale = random.below(3) == 0;
        c.bias = random.below(3) == 0;
        c.residual = random.below(3) == 0;
        v.epilogue.activation = static_cast<gemm::Activation>(random.below(2));
        v.epilogue.last_activation = static_cast<gemm::Activation>(random.below(2));
    }
    if (random.below(3) != 0) {
        v.plan = conv::Plan{
            .tile = one_of(random, {conv::Tile::small, conv::Tile::small, conv::Tile::oblong, conv::Tile::large})};
        if (random.below(2) == 0) v.plan->splits = static_cast<int>(between(random, 2, 6));
    }
    c.seed = static_cast<std::uint32_t>(number);
    return c;
}

ConvCase random_stem(int number) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("conv stem", 9));
    ConvCase c;
    c.conv.direction = number % 2 == 0 ? Direction::fprop : Direction::wgrad;
    c.conv.math = static_cast<Math>(number / 2 % 3);
    Sizes& z = c.conv.sizes;
    z.c = 3, z.k = between(random, 1, 20);
    z.r = between(random, 1, 4), z.s = one_of<std::int64_t>(random, {2, 3, 4, 5, 7, 8, 11});
    choose_pairs(z.stride, random, 1, 4);
    if (random.below(5) == 0) z.stride[1] = 8;
    choose_pairs(z.padding, random, 0, 5);
    z.dilation[0] = between(random, 1, 2);
    choose_image(z, random, 12);
    if (random.below(12) == 0) z.w += 520;  // more pixels than a block pads at a time
    c.skew = random.below(4) == 0 ? static_cast<int>(between(random, 1, 8)) : 0;
    c.bias = c.conv.direction == Direction::fprop && random.below(2) == 0;
    if (random.below(2) == 0)
        c.conv.plan = conv::Plan{.tile = conv::Tile::small, .splits = static_cast<int>(between(random, 1, 4))};
    c.seed = static_cast<std::uint32_t>(number);
    return c;
}

}  // namespace cambium::test
