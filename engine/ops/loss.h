// Softmax, the classification loss, and counts of right answers. A loss is a sum and its denominator, so that
// micro-batches add up exactly: divide once, after both are complete.
#pragma once

#include "engine/ops/common.h"

namespace cambium::ops {

// Input: x [..., C]. Output: softmax along the last axis.
struct Softmax {
    static constexpr std::string_view name = "softmax";
};

// Inputs: dy, y (what softmax gave). Output: dx = y (dy - sum(dy * y)).
struct SoftmaxGradient {
    static constexpr std::string_view name = "softmax_gradient";
};

// Inputs: logits f32 [N, C]; labels i32 [N] (a negative one leaves its row out) or probabilities f32 [N, C]; optionally
// class weights f32 [C]. Outputs: sum f32 [], denominator f32 [].
// With class labels y, weights w, smoothing e (Szegedy et al. 2016, as PyTorch defines both together):
//   sum = Sum_n (1 - e) w[y_n] (-log p[n, y_n]) + e / C Sum_c w[c] (-log p[n, c]),  denominator = Sum_n w[y_n].
// With probabilities q: q' = (1 - e) q + e / C,  sum = Sum_n Sum_c w[c] q'[n, c] (-log p[n, c]),  denominator = N.
struct SoftmaxCrossEntropy {
    static constexpr std::string_view name = "softmax_cross_entropy";
    double label_smoothing = 0;
};

// Inputs: dsum f32 [], logits, labels, optionally class weights. Output: dlogits.
struct SoftmaxCrossEntropyGradient {
    static constexpr std::string_view name = "softmax_cross_entropy_gradient";
    double label_smoothing = 0;
};

// Inputs: logits [N, C], labels i32 [N] (negative: left out). Output: f32 [], in how many rows the label is among the k
// largest logits; of equal logits the lower class comes first.
struct TopKCount {
    static constexpr std::string_view name = "top_k_count";
    std::int64_t k = 1;
};

CAMBIUM_OPERATOR(Softmax)
CAMBIUM_OPERATOR(SoftmaxGradient)
CAMBIUM_OPERATOR(SoftmaxCrossEntropy)
CAMBIUM_OPERATOR(SoftmaxCrossEntropyGradient)
CAMBIUM_OPERATOR(TopKCount)

}  // namespace cambium::ops
