// A node's epilogue as the kernels have it: y = last(activation(scale x + bias) + residual), each part optional, then
// perhaps moments of y. Steps in another order are refused, and the graph is then left unfused there.
#pragma once

#include <optional>
#include <string>

#include "engine/backends/gpu/executable.h"
#include "kernels/gemm/gemm.h"

namespace cambium::gpu {

struct FusedEpilogue {
    int scale = -1, bias = -1, residual = -1;  // inputs of the node, or -1
    gemm::Activation activation = gemm::Activation::none, last = gemm::Activation::none;
    bool moments = false;

    gemm::Epilogue bound(const Operands& operands) const;
};

// Nothing if the steps come in an order that the kernels lack.
std::optional<FusedEpilogue> fused_epilogue(const std::vector<EpilogueStep>& steps);

// Nothing if the kernels can apply the node's epilogue, else what they lack.
std::optional<std::string> missing_epilogue(const NodeSpec& node);

// How the kernels compute with operands of a dtype, and what they store.
inline gemm::Math math_of(DType operands, const Options& options) {
    if (operands == DType::bf16) return gemm::Math::bf16;
    return options.math == Math::tf32 ? gemm::Math::tf32 : gemm::Math::f32;
}
inline gemm::Output output_of(DType dtype) { return dtype == DType::bf16 ? gemm::Output::bf16 : gemm::Output::f32; }

}  // namespace cambium::gpu
