// Matrix products. A linear layer is matmul(x, w, transpose_b) and a bias; both its gradients are products again.
#pragma once

#include "engine/ops/common.h"

namespace cambium::ops {

enum class Transpose : std::uint8_t { no, yes };

// Inputs: a [M, K] (or [K, M] if transposed), b [K, N] (or [N, K]). Output: [M, N].
struct MatMul {
    static constexpr std::string_view name = "matmul";
    Transpose transpose_a = Transpose::no, transpose_b = Transpose::no;
};

CAMBIUM_OPERATOR(MatMul)

}  // namespace cambium::ops
