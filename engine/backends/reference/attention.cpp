// Attention one query at a time: its scores, their softmax, the weighted sum of the values.
#include <algorithm>
#include <cmath>

#include "engine/backends/reference/reference.h"

namespace cambium::reference {
namespace {

using ops::AttentionMask;

// The extents of qkv [N, L, 3, H, D], and where the vectors of one token and head lie.
struct Tokens {
    explicit Tokens(const Shape& qkv) : N(qkv[0]), L(qkv[1]), H(qkv[3]), D(qkv[4]) {}
    std::int64_t N, L, H, D;

    enum Part : std::uint8_t { query, key, value };
    std::int64_t qkv(Part part, std::int64_t n, std::int64_t i, std::int64_t h) const {
        return (((n * L + i) * 3 + part) * H + h) * D;
    }
    std::int64_t y(std::int64_t n, std::int64_t i, std::int64_t h) const { return ((n * L + i) * H + h) * D; }
    std::int64_t lse(std::int64_t n, std::int64_t i, std::int64_t h) const { return (n * H + h) * L + i; }
};

double dot(const double* a, const double* b, std::int64_t n) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

void add_scaled(double factor, const double* x, std::int64_t n, double* sum) {
    for (std::int64_t i = 0; i < n; ++i) sum[i] += factor * x[i];
}

// How many leading tokens query i attends to; none if it is padding itself.
std::int64_t attended(AttentionMask mask, std::int64_t i, std::int64_t count) {
    if (i >= count) return 0;
    return mask == AttentionMask::causal ? i + 1 : count;
}

// visit(n, h, i, keys) for every query: it attends to the tokens 0 .. keys - 1. `count` is null without padding.
template <class Visit>
void for_each_query(const Tokens& t, AttentionMask mask, const std::int32_t* count, Visit visit) {
    for (std::int64_t n = 0; n < t.N; ++n) {
        const std::int64_t present = count == nullptr ? t.L : std::clamp<std::int64_t>(count[n], 0, t.L);
        for (std::int64_t h = 0; h < t.H; ++h)
            for (std::int64_t i = 0; i < t.L; ++i) visit(n, h, i, attended(mask, i, present));
    }
}

}  // namespace

void run(const ops::Attention& op, const Operands& operands) {
    const Tokens t(operands.shape(0));
    const double* qkv = operands.in(0);
    const std::int32_t* count = operands.inputs.size() == 2 ? operands.in<std::int32_t>(1) : nullptr;
    const double scale = 1 / std::sqrt(static_cast<double>(t.D));
    double *y = operands.out(0), *lse = operands.out(1);
    std::vector<double> scores(static_cast<std::size_t>(t.L));
    for_each_query(t, op.mask, count, [&](std::int64_t n, std::int64_t h, std::int64_t i, std::int64_t keys) {
        const double* q = qkv + t.qkv(Tokens::query, n, i, h);
        for (std::int64_t j = 0; j < keys; ++j)
            scores[static_cast<std::size_t>(j)] = scale * dot(q, qkv + t.qkv(Tokens::key, n, j, h), t.D);
        const std::span<const double> row(scores.data(), static_cast<std::size_t>(keys));
        double log_sum = 0;
        if (keys > 0) {
            const double largest = *std::ranges::max_element(row);
            double sum = 0;
            for (const double score : row) sum += std::exp(score - largest);
            log_sum = largest + std::log(sum);
        }
        if (lse != nullptr) lse[t.lse(n, i, h)] = log_sum;
        if (y == nullptr) return;
        double* result = y + t.y(n, i, h);
        std::fill_n(result, t.D, 0.0);
        for (std::int64_t j = 0; j < keys; ++j)
            add_scaled(std::exp(row[static_cast<std::size_t>(j)] - log_sum), qkv + t.qkv(Tokens::value, n, j, h), t.D,
                       result);
    });
}

void run(const ops::AttentionGradient& op, const Operands& operands) {
    const Tokens t(operands.shape(1));
    const double *dy = operands.in(0), *qkv = operands.in(1), *y = operands.in(2), *lse = operands.in(3);
    const std::int32_t* count = operands.inputs.size() == 5 ? operands.in<std::int32_t>(4) : nullptr;
    const double scale = 1 / std::sqrt(static_cast<double>(t.D));
    double* dqkv = operands.out();
    std::fill_n(dqkv, operands.count(1), 0.0);
    for_each_query(t, op.mask, count, [&](std::int64_t n, std::int64_t h, std::int64_t i, std::int64_t keys) {
        const double *q = qkv + t.qkv(Tokens::query, n, i, h), *dy_i = dy + t.y(n, i, h);
        const double mean = dot(dy_i, y + t.y(n, i, h), t.D);  // of dy_i . v_j, weighted by p_ij
        for (std::int64_t j = 0; j < keys; ++j) {
            const std::int64_t key = t.qkv(Tokens::key, n, j, h), value = t.qkv(Tokens::value, n, j, h);
            const double p = std::exp(scale * dot(q, qkv + key, t.D) - lse[t.lse(n, i, h)]);
            const double ds = scale * p * (dot(dy_i, qkv + value, t.D) - mean);
            add_scaled(p, dy_i, t.D, dqkv + value);
            add_scaled(ds, qkv + key, t.D, dqkv + t.qkv(Tokens::query, n, i, h));
            add_scaled(ds, q, t.D, dqkv + key);
        }
    });
}

}  // namespace cambium::reference
