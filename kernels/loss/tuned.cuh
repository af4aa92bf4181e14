// The losses with a warp per row, or a block where classes are many.
//   1. the threads of a row take every Threads-th class: the largest logit, then the sum of exponentials (rows.cuh);
//   2. a third walk gives the row's loss, its gradient or its softmax; a row is a few KB and stays in L1;
//   3. losses leave one term per row in the workspace; the block that arrives last adds them, always in the same order.
// Accesses are of 4 bytes, 128 a warp: a batch of logits is at most some MB, and latency, not memory, bounds the
// launch.
#pragma once

#include "kernels/arrival.cuh"
#include "kernels/loss/targets.cuh"
#include "kernels/reduce/rows.cuh"

namespace cambium::loss {

using reduce::kRowBlock;
using reduce::Row;

struct LossMemory {
    reduce::RowMemory<float> row;
    dev::Shared<unsigned, 1> arrived_before;
};

struct Max {
    CAMBIUM_DEVICE float operator()(float a, float b) const { return fmaxf(a, b); }
};

// The sum over the row's classes of value(c), in all its threads.
template <int Threads, class Value>
CAMBIUM_DEVICE float sum_over_classes(LossMemory& shared, int classes, Value&& value) {
    float share = 0.0f;
    for (int c = Row<Threads>::thread(); c < classes; c += Threads) share += value(c);
    return reduce::merge_row<Threads>(shared.row, share, reduce::Add{});
}

// softmax(x)[c] = exp(x[c] - largest) / sum.
struct Exponentials {
    float largest, sum;
};
template <int Threads>
CAMBIUM_DEVICE Exponentials exponentials(LossMemory& shared, const float* x, int classes) {
    float largest = -INFINITY;
    for (int c = Row<Threads>::thread(); c < classes; c += Threads) largest = fmaxf(largest, x[c]);
    largest = reduce::merge_row<Threads>(shared.row, largest, Max{});
    return {largest, sum_over_classes<Threads>(shared, classes, [&](int c) { return expf(x[c] - largest); })};
}

template <int Threads>
__global__ void __launch_bounds__(kRowBlock) softmax_rows(const float* x, float* y, std::int64_t rows, int classes) {
    auto& shared = dev::shared<LossMemory>();
    const std::int64_t row = Row<Threads>::index(), first = row * classes;
    if (row >= rows) return;
    const Exponentials e = exponentials<Threads>(shared, x + first, classes);
    const float factor = 1.0f / e.sum;
    for (int c = Row<Threads>::thread(); c < classes; c += Threads) {
        y[first + c] = expf(x[first + c] - e.largest) * factor;
    }
}

template <int Threads>
__global__ void __launch_bounds__(kRowBlock)
    softmax_gradient_rows(const float* dy, const float* y, float* dx, std::int64_t rows, int classes) {
    auto& shared = dev::shared<LossMemory>();
    const std::int64_t row = Row<Threads>::index(), first = row * classes;
    if (row >= rows) return;
    const float dot = sum_over_classes<Threads>(shared, classes, [&](int c) { return dy[first + c] * y[first + c]; });
    for (int c = Row<Threads>::thread(); c < classes; c += Threads) {
        dx[first + c] = y[first + c] * (dy[first + c] - dot);
    }
}

// The last block to arrive adds the rows' terms, [Terms, rows]: thread i takes rows i, i + 256, ... Totals may be null.
template <int Terms>
CAMBIUM_DEVICE void total_over_rows(LossMemory& shared, const float* terms, std::int64_t rows, unsigned* arrived,
                                    float* const (&totals)[Terms]) {
    if (dev::last_to_arrive(arrived, gridDim.x, shared.arrived_before[0])) {
        for (int t = 0; t < Terms; ++t) {
            float share = 0.0f;
            for (std::int64_t row = threadIdx.x; row < rows; row += kRowBlock) share += terms[t * rows + row];
            const float total = reduce::merge_row<kRowBlock>(shared.row, share, reduce::Add{});
            if (threadIdx.x == 0 && totals[t] != nullptr) *totals[t] = total;
        }
    }
}

template <int Threads>
__global__ void __launch_bounds__(kRowBlock)
    cross_entropy_rows(const float* logits, const std::int32_t* labels, const float* probabilities, float* terms,
                       unsigned* arrived, float* sum, float* denominator, std::int64_t rows, Goal goal) {
    auto& shared = dev::shared<LossMemory>();
    const std::int64_t row = Row<Threads>::index();
    if (row < rows) {
        const RowTargets target = targets_of_row(labels, probabilities, goal, row);
        float loss = target.standing == Standing::unknown ? NAN : 0.0f, of_row = loss;
        if (target.standing == Standing::counts) {
            const float* x = logits + row * goal.classes;
            const Exponentials e = exponentials<Threads>(shared, x, goal.classes);
            const float log_sum = logf(e.sum);
            loss = sum_over_classes<Threads>(shared, goal.classes, [&](int c) {
                const float t = target(c);
                return t == 0.0f ? 0.0f : t * (log_sum + (e.largest - x[c]));
            });
            of_row = target.denominator();
        }
        if (Row<Threads>::thread() == 0) {
            terms[row] = loss;
            terms[rows + row] = of_row;
        }
    }
    total_over_rows(shared, terms, rows, arrived, {sum, denominator});
}

template <int Threads>
__global__ void __launch_bounds__(kRowBlock)
    cross_entropy_gradient_rows(const float* dsum, const float* logits, const std::int32_t* labels,
                                const float* probabilities, float* dlogits, std::int64_t rows, Goal goal) {
    auto& shared = dev::shared<LossMemory>();
    const std::int64_t row = Row<Threads>::index(), first = row * goal.classes;
    if (row >= rows) return;
    const RowTargets target = targets_of_row(labels, probabilities, goal, row);
    const float* x = logits + first;
    const Exponentials e = exponentials<Threads>(shared, x, goal.classes);
    float total = sum_over_classes<Threads>(shared, goal.classes, [&](int c) { return target(c); });
    if (target.standing == Standing::unknown) total = NAN;
    const float slope = total / e.sum, factor = *dsum;
    for (int c = Row<Threads>::thread(); c < goal.classes; c += Threads) {
        const float pull = total == 0.0f ? 0.0f : expf(x[c] - e.largest) * slope;
        // A row left out gives zeros even where its logits are not finite.
        dlogits[first + c] = target.standing == Standing::left_out ? 0.0f : factor * (pull - target(c));
    }
}

template <int Threads>
__global__ void __launch_bounds__(kRowBlock)
    top_k_rows(const float* logits, const std::int32_t* labels, float* terms, unsigned* arrived, float* count,
               std::int64_t rows, int classes, std::int64_t k) {
    auto& shared = dev::shared<LossMemory>();
    const std::int64_t row = Row<Threads>::index();
    if (row < rows) {
        const float* x = logits + row * classes;
        const int label = labels[row];
        const bool is_class = label >= 0 && label < classes;
        const float of_label = is_class ? x[label] : 0.0f;
        // Counts below 2^24 are exact in f32.
        const float before = sum_over_classes<Threads>(
            shared, classes, [&](int c) { return comes_before(x[c], c, of_label, label) ? 1.0f : 0.0f; });
        if (Row<Threads>::thread() == 0) terms[row] = is_class && before < static_cast<float>(k) ? 1.0f : 0.0f;
    }
    total_over_rows(shared, terms, rows, arrived, {count});
}

}  // namespace cambium::loss
