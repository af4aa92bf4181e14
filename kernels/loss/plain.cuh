// The losses to be right at a glance: a thread per row, one class after the other, and one thread for the totals.
#pragma once

#include "kernels/loss/targets.cuh"

namespace cambium::loss {

inline constexpr int kPlainThreads = 64;

CAMBIUM_DEVICE std::int64_t plain_row() { return static_cast<std::int64_t>(blockIdx.x) * kPlainThreads + threadIdx.x; }

// -log p[c] = (largest - x[c]) + log_sum.
struct Normalizer {
    float largest, log_sum;
};
CAMBIUM_DEVICE Normalizer plain_normalizer(const float* x, int classes) {
    float largest = x[0], sum = 0.0f;
    for (int c = 1; c < classes; ++c) largest = fmaxf(largest, x[c]);
    for (int c = 0; c < classes; ++c) sum += expf(x[c] - largest);
    return {largest, logf(sum)};
}

__global__ void __launch_bounds__(kPlainThreads)
    softmax_plain(const float* x, float* y, std::int64_t rows, int classes) {
    const std::int64_t row = plain_row(), first = row * classes;
    if (row >= rows) return;
    const Normalizer n = plain_normalizer(x + first, classes);
    for (int c = 0; c < classes; ++c) y[first + c] = expf(x[first + c] - n.largest - n.log_sum);
}

__global__ void __launch_bounds__(kPlainThreads)
    softmax_gradient_plain(const float* dy, const float* y, float* dx, std::int64_t rows, int classes) {
    const std::int64_t row = plain_row(), first = row * classes;
    if (row >= rows) return;
    float dot = 0.0f;
    for (int c = 0; c < classes; ++c) dot += dy[first + c] * y[first + c];
    for (int c = 0; c < classes; ++c) dx[first + c] = y[first + c] * (dy[first + c] - dot);
}

// terms: [2, rows], losses and denominators.
__global__ void __launch_bounds__(kPlainThreads)
    cross_entropy_plain(const float* logits, const std::int32_t* labels, const float* probabilities, float* terms,
                        std::int64_t rows, Goal goal) {
    const std::int64_t row = plain_row();
    if (row >= rows) return;
    const RowTargets target = targets_of_row(labels, probabilities, goal, row);
    const float* x = logits + row * goal.classes;
    float loss = target.standing == Standing::unknown ? NAN : 0.0f, denominator = loss;
    if (target.standing == Standing::counts) {
        const Normalizer n = plain_normalizer(x, goal.classes);
        for (int c = 0; c < goal.classes; ++c) {
            const float t = target(c);
            if (t != 0.0f) loss += t * (n.log_sum + (n.largest - x[c]));
        }
        denominator = target.denominator();
    }
    terms[row] = loss;
    terms[rows + row] = denominator;
}

__global__ void __launch_bounds__(kPlainThreads)
    cross_entropy_gradient_plain(const float* dsum, const float* logits, const std::int32_t* labels,
                                 const float* probabilities, float* dlogits, std::int64_t rows, Goal goal) {
    const std::int64_t row = plain_row(), first = row * goal.classes;
    if (row >= rows) return;
    const RowTargets target = targets_of_row(labels, probabilities, goal, row);
    const bool counts = target.standing != Standing::left_out;
    float total = target.standing == Standing::unknown ? NAN : 0.0f;
    for (int c = 0; c < goal.classes && counts; ++c) total += target(c);
    const Normalizer n = plain_normalizer(logits + first, goal.classes);
    for (int c = 0; c < goal.classes; ++c) {
        const float p = expf(logits[first + c] - n.largest - n.log_sum);
        dlogits[first + c] = counts ? *dsum * ((total == 0.0f ? 0.0f : p * total) - target(c)) : 0.0f;
    }
}

// terms: [rows], 1 where the label is among the first k.
__global__ void __launch_bounds__(kPlainThreads)
    top_k_plain(const float* logits, const std::int32_t* labels, float* terms, std::int64_t rows, int classes,
                std::int64_t k) {
    const std::int64_t row = plain_row();
    if (row >= rows) return;
    const float* x = logits + row * classes;
    const int label = labels[row];
    int before = 0;
    const bool is_class = label >= 0 && label < classes;
    for (int c = 0; c < classes && is_class; ++c) before += comes_before(x[c], c, x[label], label) ? 1 : 0;
    terms[row] = is_class && before < k ? 1.0f : 0.0f;
}

__global__ void __launch_bounds__(1) total_plain(const float* terms, float* total, std::int64_t rows) {
    float sum = 0.0f;
    for (std::int64_t row = 0; row < rows; ++row) sum += terms[row];
    *total = sum;
}

}  // namespace cambium::loss
