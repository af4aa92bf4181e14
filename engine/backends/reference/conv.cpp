// Convolution and its gradients, each element of the result as the sum that defines it. The innermost loops run over
// contiguous channels, which is all the speed an oracle for whole networks needs.
#include <algorithm>

#include "engine/backends/reference/reference.h"
#include "engine/base/parallel.h"

namespace cambium::reference {
namespace {

// The extents of one convolution: image [N, H, W, C], filter [K, R, S, C / groups], result [N, P, Q, K].
struct Extents {
    Extents(const ops::Conv2d& op, const Shape& image, const Shape& filter, const Shape& result)
        : conv(op),
          H(image[1]),
          W(image[2]),
          C(image[3]),
          K(filter[0]),
          R(filter[1]),
          S(filter[2]),
          group_C(filter[3]),
          group_K(filter[0] / op.groups),
          N(result[0]),
          P(result[1]),
          Q(result[2]) {}

    std::int64_t row(std::int64_t p, std::int64_t r) const {
        return p * conv.stride[0] - conv.padding[0] + r * conv.dilation[0];
    }
    std::int64_t column(std::int64_t q, std::int64_t s) const {
        return q * conv.stride[1] - conv.padding[1] + s * conv.dilation[1];
    }
    std::int64_t image(std::int64_t n, std::int64_t h, std::int64_t w) const { return ((n * H + h) * W + w) * C; }
    std::int64_t result(std::int64_t n, std::int64_t p, std::int64_t q) const { return ((n * P + p) * Q + q) * K; }
    std::int64_t filter(std::int64_t k, std::int64_t r, std::int64_t s) const {
        return ((k * R + r) * S + s) * group_C;
    }

    const ops::Conv2d& conv;
    std::int64_t H, W, C, K, R, S, group_C, group_K, N, P, Q;
};

// The p with row(p, r) == h, or -1 if there is none in the result.
std::int64_t source(std::int64_t h, std::int64_t r, std::int64_t stride, std::int64_t padding, std::int64_t dilation,
                    std::int64_t extent) {
    const std::int64_t distance = h + padding - r * dilation;
    if (distance < 0 || distance % stride != 0 || distance / stride >= extent) return -1;
    return distance / stride;
}

// w as [R, S, C / groups, K], so that output channels are contiguous.
std::vector<double> channels_last(const double* w, const Extents& e) {
    std::vector<double> result(static_cast<std::size_t>(e.K * e.R * e.S * e.group_C));
    const std::int64_t positions = e.R * e.S * e.group_C;
    for (std::int64_t k = 0; k < e.K; ++k)
        for (std::int64_t i = 0; i < positions; ++i)
            result[static_cast<std::size_t>(i * e.K + k)] = w[k * positions + i];
    return result;
}

// y += factor * x, element by element.
void add_scaled(double* y, double factor, const double* x, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) y[i] += factor * x[i];
}

// How many rows or filters, of so many multiply-adds each, are worth a thread.
std::int64_t grain(std::int64_t multiply_adds) { return 1 + 65536 / std::max<std::int64_t>(1, multiply_adds); }

void convolve_row(const Extents& e, const double* x, const double* w, double* y, std::int64_t n, std::int64_t p) {
    for (std::int64_t q = 0; q < e.Q; ++q) {
        double* sums = y + e.result(n, p, q);
        std::fill_n(sums, e.K, 0.0);
        for (std::int64_t r = 0; r < e.R; ++r) {
            for (std::int64_t s = 0; s < e.S; ++s) {
                const std::int64_t h = e.row(p, r), column = e.column(q, s);
                if (h < 0 || h >= e.H || column < 0 || column >= e.W) continue;
                const double* pixel = x + e.image(n, h, column);
                for (std::int64_t group = 0; group < e.conv.groups; ++group) {
                    for (std::int64_t c = 0; c < e.group_C; ++c) {
                        add_scaled(sums + group * e.group_K, pixel[group * e.group_C + c],
                                   w + ((r * e.S + s) * e.group_C + c) * e.K + group * e.group_K, e.group_K);
                    }
                }
            }
        }
    }
}

void input_gradient_row(const Extents& e, const double* dy, const double* w, double* dx, std::int64_t n,
                        std::int64_t h) {
    for (std::int64_t column = 0; column < e.W; ++column) {
        double* sums = dx + e.image(n, h, column);
        std::fill_n(sums, e.C, 0.0);
        for (std::int64_t r = 0; r < e.R; ++r) {
            for (std::int64_t s = 0; s < e.S; ++s) {
                const std::int64_t p = source(h, r, e.conv.stride[0], e.conv.padding[0], e.conv.dilation[0], e.P);
                const std::int64_t q = source(column, s, e.conv.stride[1], e.conv.padding[1], e.conv.dilation[1], e.Q);
                if (p < 0 || q < 0) continue;
                const double* gradient = dy + e.result(n, p, q);
                for (std::int64_t k = 0; k < e.K; ++k) {
                    const std::int64_t group = k / e.group_K;
                    add_scaled(sums + group * e.group_C, gradient[k], w + e.filter(k, r, s), e.group_C);
                }
            }
        }
    }
}

void filter_gradient_of(const Extents& e, const double* x, const double* dy, double* dw, std::int64_t k) {
    const std::int64_t first_channel = k / e.group_K * e.group_C;
    std::fill_n(dw + e.filter(k, 0, 0), e.R * e.S * e.group_C, 0.0);
    for (std::int64_t n = 0; n < e.N; ++n) {
        for (std::int64_t p = 0; p < e.P; ++p) {
            for (std::int64_t q = 0; q < e.Q; ++q) {
                const double gradient = dy[e.result(n, p, q) + k];
                for (std::int64_t r = 0; r < e.R; ++r) {
                    for (std::int64_t s = 0; s < e.S; ++s) {
                        const std::int64_t h = e.row(p, r), column = e.column(q, s);
                        if (h < 0 || h >= e.H || column < 0 || column >= e.W) continue;
                        add_scaled(dw + e.filter(k, r, s), gradient, x + e.image(n, h, column) + first_channel,
                                   e.group_C);
                    }
                }
            }
        }
    }
}

}  // namespace

void run(const ops::Conv2d& op, const Operands& operands) {
    const Extents e(op, operands.shape(0), operands.shape(1), operands.outputs[0].shape);
    const std::vector<double> w = channels_last(operands.in(1), e);
    parallel_for(e.N * e.P, grain(e.Q * e.K * e.R * e.S * e.group_C), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
            convolve_row(e, operands.in(0), w.data(), operands.out(), i / e.P, i % e.P);
    });
}

void run(const ops::Conv2dInputGradient& op, const Operands& operands) {
    const Extents e(op.conv, op.input, operands.shape(1), operands.shape(0));
    parallel_for(e.N * e.H, grain(e.W * e.K * e.R * e.S * e.group_C), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
            input_gradient_row(e, operands.in(0), operands.in(1), operands.out(), i / e.H, i % e.H);
    });
}

void run(const ops::Conv2dFilterGradient& op, const Operands& operands) {
    const Extents e(op.conv, operands.shape(0), op.filter, operands.shape(1));
    parallel_for(e.K, grain(e.N * e.P * e.Q * e.R * e.S * e.group_C), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t k = begin; k < end; ++k)
            filter_gradient_of(e, operands.in(0), operands.in(1), operands.out(), k);
    });
}

}  // namespace cambium::reference
