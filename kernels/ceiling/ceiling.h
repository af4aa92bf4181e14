// What a benchmark measures kernels against: how fast tensor cores are when nothing but them works. And whether two
// results have the same bits, counted where they lie.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gpu/launch.h"

namespace cambium::ceiling {

enum class Operand : std::uint8_t { bf16, tf32 };

// A launch of mma.sync and nothing else: `blocks` of 256 threads, each warp `steps` times the 16 products of a 64 x 32
// tile, operands and sums in registers all the while. This is the most that kernels of mma.sync can reach; Hopper's
// wgmma, which they do not use, goes further.
struct MmaLoop {
    Operand operand = Operand::bf16;
    int blocks = 1, steps = 1;
    double flops() const;
};
inline constexpr int kMmaThreads = 256;
inline constexpr int kOperandWords = 24 * 32;  // a lane's registers of A (4 x 4) and of B (4 x 2), register by register
// operands: u32 [kOperandWords], pairs of bf16 or f32, the same for every warp; sums: f32 [blocks * kMmaThreads], each
// thread's 64 elements added up. Throws UsageError where a number is not positive or a pointer null.
void run(const MmaLoop& loop, const std::uint32_t* operands, float* sums, dev::Stream& stream);

// Adds to *differing the number of 4-byte words in which a and b differ; the last 1 to 3 bytes are a word.
// Both aligned to 4 bytes.
void count_differences(const void* a, const void* b, std::size_t bytes, unsigned* differing, dev::Stream& stream);

}  // namespace cambium::ceiling
