// 2-D convolution (cross-correlation, as every framework means it) and its two gradients: the host's side. Each is a
// matrix product whose operands are gathered from the tensors while they are copied (implicit GEMM; Chetlur et al.
// 2014, "cuDNN: Efficient Primitives for Deep Learning", section 3.2), so it runs through the pipeline of kernels/gemm,
// and what is this family's own is the gathering. Every sum is taken in an order that the descriptor alone decides.
#pragma once

#include "kernels/gemm/gemm.h"

namespace cambium::conv {

using gemm::Epilogue, gemm::Math, gemm::Output, gemm::Variant;

enum class Direction : std::uint8_t {
    fprop,  // y from x and w
    dgrad,  // dx from dy and w
    wgrad,  // dw from x and dy
};

// x [N, H, W, C] and the filter [K, R, S, C / groups] give y [N, P, Q, K]; gradients have the shapes of what they
// belong to. Pairs are (along h, along w).
struct Sizes {
    std::int64_t n = 0, h = 0, w = 0, c = 0;
    std::int64_t k = 0, r = 0, s = 0;
    std::int64_t stride[2] = {1, 1}, padding[2] = {0, 0}, dilation[2] = {1, 1};
    std::int64_t groups = 1;

    // P = floor((H + 2 padding - dilation (R - 1) - 1) / stride) + 1, Q likewise.
    std::int64_t p() const { return extent(0, h, r); }
    std::int64_t q() const { return extent(1, w, s); }
    std::int64_t group_c() const { return c / groups; }
    std::int64_t group_k() const { return k / groups; }

  private:
    std::int64_t extent(int axis, std::int64_t image, std::int64_t filter) const {
        const std::int64_t room = image + 2 * padding[axis] - dilation[axis] * (filter - 1) - 1;
        return room < 0 ? 0 : room / stride[axis] + 1;
    }
};

// A tile of the product's result: [pixels, channels], of wgrad [channels, (r s c)].
enum class Tile : std::uint8_t {
    small,   // 64 x 64
    oblong,  // 64 along the channels of y (of x, for dgrad), 128 along the rest: for layers of at most 64 channels
    large,   // 128 x 128
};

// How the work is cut: the tile of the product's result that a block computes, and into how many parts the sum is cut,
// whose sums the last block to arrive adds in order.
struct Plan {
    Variant variant = Variant::tuned;  // plain: a thread per element of the result, nothing shared
    Tile tile = Tile::small;
    int splits = 1;
};

struct Conv {
    Direction direction = Direction::fprop;
    Sizes sizes = {};
    Math math = Math::bf16;       // bf16: both operands are bf16; tf32 and f32: both are f32
    Output output = Output::f32;  // of y or dx, bf16 only of bf16 operands; dw is always f32
    Epilogue epilogue = {};       // of fprop and dgrad, as gemm's: vectors [K] or [C], a residual of the result's shape
    std::optional<Plan> plan = {};  // nullopt lets choose_plan() decide
};

// The one heuristic. It looks at the descriptor only, never at the device, so that results do not change with the
// machine.
Plan choose_plan(const Conv& conv);

// Device memory that run() needs besides the operands, in bytes: partial sums and arrival counters of split-K; for
// fprop and wgrad of images of three channels also a copy of x with four. Else 0.
std::size_t workspace_bytes(const Conv& conv);

// How many rows of y, as a matrix [N P Q, K], one cell of Epilogue::moments covers (kernels/gemm/gemm.h); 0 where the
// kernel that is chosen takes no moments, as only fprop's tuned ones do.
std::int64_t moment_rows(const Conv& conv);

// Enqueues the convolution on `stream`. Operands: fprop x, w -> y; dgrad dy, w -> dx; wgrad x, dy -> dw; all without
// gaps. Operands whose (groups of) channels are multiples of 16 bytes are copied 16 bytes at a time, others 8, 4 or 2.
// Infinities and NaN of x may reach an output one tap further than they should, times zero.
// Workspace: device memory, 16-byte aligned, of at least workspace_bytes(conv); its content does not matter before or
// after, but no other launch may use it at the same time. Nothing is launched where the result is empty; sums without
// terms are 0. Throws UsageError where the descriptor makes no sense, a pointer is null or misaligned, the workspace
// too small, or positions or one image's elements more than 2^30.
void run(const Conv& conv, const void* first, const void* second, void* result, std::span<std::byte> workspace,
         dev::Stream& stream);

}  // namespace cambium::conv
