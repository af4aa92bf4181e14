// Softmax, the classification loss with its gradient, and counts of right answers: the host's side. Everything is f32,
// as logits and losses are in every precision. Sums are taken in an order that the shape alone decides: same operands,
// same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/gpu/launch.h"

namespace cambium::loss {

enum class Variant : std::uint8_t {
    plain,  // a thread per row
    tuned,  // a warp per row, or a block where classes are many
};

// A matrix [rows, classes], whose rows are contiguous.
struct Matrix {
    std::int64_t rows = 0, classes = 0;
    Variant variant = Variant::tuned;
};

// What each row should be: a class, or a probability for each class; exactly one of the two is given.
struct Targets {
    const std::int32_t* labels = nullptr;  // [rows]; a negative one leaves its row out
    const float* probabilities = nullptr;  // [rows, classes]
    const float* weights = nullptr;        // [classes], or null: 1 for each
    float label_smoothing = 0;             // Szegedy et al. 2016, section 7; in [0, 1)
};

// All enqueue on `stream`; nothing is launched where there is nothing to write. They throw UsageError where sizes make
// no sense, a pointer is null, or a workspace is too small. A result may take the place of an operand of its shape.

// y[r, c] = exp(x[r, c]) / Sum_k exp(x[r, k]).
void softmax(const Matrix& matrix, const float* x, float* y, dev::Stream& stream);
// dx = y (dy - Sum_c dy y), with y of softmax().
void softmax_gradient(const Matrix& matrix, const float* dy, const float* y, float* dx, dev::Stream& stream);

// With p = softmax(logits), weights w, smoothing e and t the row's target weights:
//   label y:          t[c] = w[c] ((1 - e) [c = y] + e / C),   denominator Sum_r w[y_r]
//   probabilities q:  t[c] = w[c] ((1 - e) q[c] + e / C),      denominator: the number of rows
//   sum = Sum_r Sum_c t[c] (-log p[c]),   dlogits[c] = dsum (p[c] Sum_k t[k] - t[c])
// A label beyond the last class makes sum, denominator and the row's gradient NaN. sum and denominator: one float each;
// either may be null. Workspace: device memory, 4-byte aligned, of which no other call may make use at the same time.
std::size_t workspace_bytes(const Matrix& matrix);
void cross_entropy(const Matrix& matrix, const Targets& targets, const float* logits, float* sum, float* denominator,
                   std::span<std::byte> workspace, dev::Stream& stream);
void cross_entropy_gradient(const Matrix& matrix, const Targets& targets, const float* dsum, const float* logits,
                            float* dlogits, dev::Stream& stream);

// In how many rows the label is among the k largest logits: of equal logits the lower class comes first, NaN before
// all. Negative labels and those beyond the last class do not count. Workspace as above.
void top_k_count(const Matrix& matrix, std::int64_t k, const std::int32_t* labels, const float* logits, float* count,
                 std::span<std::byte> workspace, dev::Stream& stream);

}  // namespace cambium::loss
