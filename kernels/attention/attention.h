// Scaled dot-product attention of many heads at once (Vaswani et al. 2017, equation 1): the host's side. The matrix of
// weights is never stored: the forward pass keeps one number per query, from which the gradient makes the weights again
// (FlashAttention, Dao et al. 2022; the order of loops is that of FlashAttention-2, Dao 2023). No atomics: same
// operands, same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/dtype.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gpu/launch.h"

namespace cambium::attention {

inline constexpr std::int64_t kMostSize = 128;  // of a head

enum class Mask : std::uint8_t { none, causal };  // causal: token i attends to tokens 0 .. i

enum class Variant : std::uint8_t {
    plain,  // a thread per query, everything from device memory: to be judged against
    tuned,  // tiles in shared memory, warps that own rows, scores never leave the block
    split,  // tuned, but the gradient in two kernels however short the sequence: what one kernel is judged against
};

struct Attention {
    std::int64_t batch = 0, tokens = 0, heads = 0, size = 0;  // N, L, H, D with D in [1, kMostSize]
    Mask mask = Mask::none;
    gemm::Math math = gemm::Math::f32;  // bf16: operands and results are bf16; else f32
    Variant variant = Variant::tuned;
    DType dtype() const { return math == gemm::Math::bf16 ? DType::bf16 : DType::f32; }
};

//   s_ij = q_i . k_j / sqrt(D),  lse_i = log Sum_j exp(s_ij),  y_i = Sum_j exp(s_ij - lse_i) v_j
// over the tokens j that i attends to; both results are 0 for padding.
struct Forward {
    const void* qkv = nullptr;            // [N, L, 3, H, D]: query, key and value of each head
    const std::int32_t* count = nullptr;  // [N], or null: of sequence n only the first count[n] tokens are there
    void* y = nullptr;                    // [N, L, H, D]
    float* lse = nullptr;                 // [N, H, L], or null
};

// With p_ij = exp(s_ij - lse_i) and delta_i = dy_i . y_i:
//   dv_j = Sum_i p_ij dy_i,  ds_ij = p_ij (dy_i . v_j - delta_i) / sqrt(D),
//   dq_i = Sum_j ds_ij k_j,  dk_j = Sum_i ds_ij q_i;  all 0 for padding
struct Backward {
    const void* dy = nullptr;  // [N, L, H, D]
    const void* qkv = nullptr;
    const void* y = nullptr;
    const float* lse = nullptr;
    const std::int32_t* count = nullptr;
    void* dqkv = nullptr;  // [N, L, 3, H, D]
};

// Whether one block makes a head's whole gradient, in one kernel; else one kernel makes dq and another dk and dv. It
// looks at the descriptor only, never at the device, so that results do not change with the machine.
bool gradient_is_one_kernel(const Attention& attention);

// Device memory that backward() needs besides the operands, in bytes: delta [N, H, L], but for the one kernel.
std::size_t workspace_bytes(const Attention& attention);

// Enqueue on `stream`; nothing is launched where there are no tokens. Throw UsageError where the sizes make no sense, a
// pointer is null or not aligned to its elements, or the workspace is too small or not aligned to 16 bytes.
void forward(const Attention& attention, const Forward& operands, dev::Stream& stream);
void backward(const Attention& attention, const Backward& operands, std::span<std::byte> workspace,
              dev::Stream& stream);

}  // namespace cambium::attention
