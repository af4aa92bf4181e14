// Element by element, or channel by channel along the last axis.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/backends/reference/reference.h"
#include "engine/base/fail.h"
#include "engine/base/philox.h"

namespace cambium::reference {
namespace {

// y[i] = f(i) for every element of the output.
template <class F>
void map(const Operands& operands, F f) {
    double* y = operands.out();
    for (std::int64_t i = 0; i < operands.outputs[0].shape.count(); ++i) y[i] = f(i);
}

// y = f(x, channel) along the last axis.
template <class F>
void map_channels(const Operands& operands, F f) {
    const Rows rows(operands.shape(0));
    const double* x = operands.in(0);
    double* y = operands.out();
    for (std::int64_t row = 0; row < rows.count; ++row)
        for (std::int64_t c = 0; c < rows.columns; ++c) y[row * rows.columns + c] = f(x[row * rows.columns + c], c);
}

template <class From, class To>
void convert(const Operands& operands) {
    const From* x = operands.in<From>(0);
    To* y = operands.out<To>();
    for (std::int64_t i = 0; i < operands.count(); ++i) y[i] = static_cast<To>(x[i]);
}

template <class From>
void convert_to(DType dtype, const Operands& operands) {
    switch (dtype) {
        case DType::f64:
            return convert<From, double>(operands);
        case DType::i32:
            return convert<From, std::int32_t>(operands);
        case DType::u8:
            return convert<From, std::uint8_t>(operands);
        default:
            fail("the reference backend cannot convert to {}", name_of(dtype));
    }
}

double normal_distribution(double x) { return 0.5 * (1 + std::erf(x / std::numbers::sqrt2)); }

}  // namespace

void run(const ops::Convert&, const Operands& operands) {
    const DType from = operands.inputs[0].dtype, to = operands.outputs[0].dtype;
    if (from == DType::f64) return convert_to<double>(to, operands);
    if (from == DType::i32) return convert_to<std::int32_t>(to, operands);
    convert_to<std::uint8_t>(to, operands);
}

void run(const ops::Normalize& op, const Operands& operands) {
    const std::uint8_t* x = operands.in<std::uint8_t>(0);
    map(operands, [&](std::int64_t i) {
        const std::int64_t c = i % 3, pixel = i - c;
        const std::int64_t source = op.order == ops::ChannelOrder::rgb ? c : 2 - c;
        const auto channel = static_cast<std::size_t>(c);
        return double{op.scale[channel]} * x[pixel + source] + double{op.shift[channel]};
    });
}

void run(const ops::Add&, const Operands& operands) {
    const double *a = operands.in(0), *b = operands.in(1);
    map(operands, [&](std::int64_t i) { return a[i] + b[i]; });
}

void run(const ops::Multiply&, const Operands& operands) {
    const double *a = operands.in(0), *b = operands.in(1);
    map(operands, [&](std::int64_t i) { return a[i] * b[i]; });
}

void run(const ops::Scale& op, const Operands& operands) {
    const double* x = operands.in(0);
    map(operands, [&](std::int64_t i) { return op.factor * x[i]; });
}

void run(const ops::Lerp&, const Operands& operands) {
    const double *a = operands.in(0), *b = operands.in(1);
    const double t = operands.scalar(2);
    map(operands, [&](std::int64_t i) { return a[i] + t * (b[i] - a[i]); });
}

void run(const ops::AddBias&, const Operands& operands) {
    const double* bias = operands.in(1);
    map_channels(operands, [&](double x, std::int64_t c) { return x + bias[c]; });
}

void run(const ops::ScaleShift&, const Operands& operands) {
    const double* scale = operands.in(1);
    const double* shift = operands.inputs.size() == 3 ? operands.in(2) : nullptr;
    map_channels(operands, [&](double x, std::int64_t c) { return scale[c] * x + (shift != nullptr ? shift[c] : 0); });
}

void run(const ops::ChannelDot&, const Operands& operands) {
    const Rows rows(operands.shape(0));
    const double *a = operands.in(0), *b = operands.in(1);
    double* sums = operands.out();
    std::fill_n(sums, rows.columns, 0.0);
    for (std::int64_t row = 0; row < rows.count; ++row)
        for (std::int64_t c = 0; c < rows.columns; ++c) {
            const std::int64_t i = row * rows.columns + c;
            sums[c] += a[i] * b[i];
        }
}

void run(const ops::Relu&, const Operands& operands) {
    const double* x = operands.in(0);
    map(operands, [&](std::int64_t i) { return x[i] < 0 ? 0 : x[i]; });  // NaN stays NaN
}

void run(const ops::ReluGradient&, const Operands& operands) {
    const double *dy = operands.in(0), *y = operands.in(1);
    map(operands, [&](std::int64_t i) { return y[i] > 0 ? dy[i] : 0; });
}

void run(const ops::Gelu&, const Operands& operands) {
    const double* x = operands.in(0);
    map(operands, [&](std::int64_t i) { return x[i] * normal_distribution(x[i]); });
}

void run(const ops::GeluGradient&, const Operands& operands) {
    const double *dy = operands.in(0), *x = operands.in(1);
    const double peak = 1 / std::sqrt(2 * std::numbers::pi);
    map(operands,
        [&](std::int64_t i) { return dy[i] * (normal_distribution(x[i]) + x[i] * peak * std::exp(-x[i] * x[i] / 2)); });
}

void run(const ops::Dropout& op, const Operands& operands) {
    const double* x = operands.in(0);
    const auto step = static_cast<std::uint64_t>(*operands.in<std::int32_t>(1));
    const Philox philox(op.seed, hash_name(op.layer.data(), op.layer.size()));
    map(operands, [&](std::int64_t i) {
        const Philox::Block block = philox(static_cast<std::uint64_t>(i / 4), step);
        return uniform01(block.word[i % 4]) >= op.rate ? x[i] / (1 - op.rate) : 0;
    });
}

void run(const ops::Guard&, const Operands& operands) {
    const std::size_t chosen = std::isfinite(operands.scalar(2)) ? 1 : 0;
    const auto* source = operands.in<std::byte>(chosen);
    std::copy_n(source, operands.inputs[0].bytes(), operands.out<std::byte>());
}

void run(const ops::Increment&, const Operands& operands) {
    *operands.out<std::int32_t>() = *operands.in<std::int32_t>(0) + 1;
}

}  // namespace cambium::reference
