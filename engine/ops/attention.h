// Scaled dot-product attention (Vaswani et al. 2017, equation 1) of many heads at once; the matrix of weights is never
// stored (Dao et al. 2022). Queries, keys and values are one tensor, as one projection makes them: nothing is sliced or
// transposed on the way, and the gradient has the form that the gradient of that projection reads.
#pragma once

#include "engine/ops/common.h"

namespace cambium::ops {

// causal: token i attends to tokens 0 .. i.
enum class AttentionMask : std::uint8_t { none, causal };

// Inputs: qkv [N, L, 3, H, D], the query, key and value of H heads for each of L tokens, and optionally count i32 [N]:
// of sequence n only the first count[n] tokens (at most L) are there, the rest is padding. Outputs: y [N, L, H, D], and
// lse [N, H, L], always f32 (or f64).
//   s_ij = q_i . k_j / sqrt(D),  lse_i = log Sum_j exp(s_ij),  y_i = Sum_j exp(s_ij - lse_i) v_j
// over the tokens j that i attends to. Both outputs are 0 for padding.
struct Attention {
    static constexpr std::string_view name = "attention";
    AttentionMask mask = AttentionMask::none;
};

// Inputs: dy, qkv, y, lse, and count if attention had it. Output: dqkv, 0 for padding. With p_ij = exp(s_ij - lse_i):
//   dv_j = Sum_i p_ij dy_i,  ds_ij = p_ij (dy_i . v_j - dy_i . y_i) / sqrt(D),
//   dq_i = Sum_j ds_ij k_j,  dk_j = Sum_i ds_ij q_i
struct AttentionGradient {
    static constexpr std::string_view name = "attention_gradient";
    AttentionMask mask = AttentionMask::none;
};

CAMBIUM_OPERATOR(Attention)
CAMBIUM_OPERATOR(AttentionGradient)

}  // namespace cambium::ops
