#include "kernels/ceiling/ceiling.h"

#include "kernels/check.h"
#include "kernels/gpu.h"
#include "kernels/grid.h"

namespace cambium::ceiling {
namespace {

constexpr int kTilesM = 4, kTilesN = 4;

template <class T>
__global__ void __launch_bounds__(kMmaThreads) mma_loop(const std::uint32_t* operands, float* sums, int steps) {
    dev::FragmentA<T, kTilesM> a;
    dev::FragmentB<T, kTilesN> b;
    const int lane = static_cast<int>(dev::lane_index());
#pragma unroll
    for (int i = 0; i < 4 * kTilesM; ++i) a.reg[i / 4][i % 4] = operands[i * 32 + lane];
#pragma unroll
    for (int i = 0; i < 2 * kTilesN; ++i) b.reg[i / 2][i % 2] = operands[(4 * kTilesM + i) * 32 + lane];
    dev::Accumulator<kTilesM, kTilesN> c;
    dev::clear(c);
#pragma unroll 1
    for (int step = 0; step < steps; ++step) dev::mma_tile<T>(c, a, b);
    float sum = 0.0f;
#pragma unroll
    for (int e = 0; e < kTilesM * kTilesN * 4; ++e) sum += c.value[e / (4 * kTilesN)][e / 4 % kTilesN][e % 4];
    sums[blockIdx.x * kMmaThreads + threadIdx.x] = sum;
}

__global__ void count_different_words(const std::uint32_t* a, const std::uint32_t* b, std::int64_t words,
                                      std::uint32_t tail_bytes, unsigned* differing) {
    unsigned found = 0;
    const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
    for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < words; i += step) {
        if (a[i] != b[i]) ++found;
    }
    const auto *tail_a = reinterpret_cast<const unsigned char*>(a + words),
               *tail_b = reinterpret_cast<const unsigned char*>(b + words);
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        bool same = true;
        for (unsigned i = 0; i < tail_bytes; ++i) same = same && tail_a[i] == tail_b[i];
        if (!same) ++found;
    }
    if (found > 0) atomicAdd(differing, found);
}

}  // namespace

double MmaLoop::flops() const {
    const double depth = operand == Operand::bf16 ? dev::kMmaDepth<bf16> : dev::kMmaDepth<float>;
    return 2.0 * (16 * kTilesM) * (8 * kTilesN) * depth * (kMmaThreads / 32) * blocks * steps;
}

void run(const MmaLoop& loop, const std::uint32_t* operands, float* sums, dev::Stream& stream) {
    require(loop.blocks > 0 && loop.steps > 0, "a loop of mma.sync", "blocks and steps must be positive");
    require(operands != nullptr && sums != nullptr, "a loop of mma.sync", "an operand is null");
    const auto launch = [&](auto kernel) {
        dev::launch(kernel, dim3(static_cast<unsigned>(loop.blocks)), dim3(kMmaThreads), 0, stream,
                    dev::reads(operands, "operands", {kOperandWords}),
                    dev::writes(sums, "sums", {loop.blocks * kMmaThreads}), loop.steps);
    };
    if (loop.operand == Operand::bf16) return launch(mma_loop<bf16>);
    launch(mma_loop<float>);
}

void count_differences(const void* a, const void* b, std::size_t bytes, unsigned* differing, dev::Stream& stream) {
    require(is_aligned(a, 4) && is_aligned(b, 4), "a comparison", "an operand is not aligned to 4 bytes");
    require(differing != nullptr, "a comparison", "the counter is null");
    if (bytes == 0) return;
    const auto words = static_cast<std::int64_t>(bytes / 4);
    const Grid grid = grid_for(words);
    dev::launch(count_different_words, dim3(grid.blocks), dim3(grid.threads), 0, stream,
                static_cast<const std::uint32_t*>(a), static_cast<const std::uint32_t*>(b), words,
                static_cast<std::uint32_t>(bytes % 4), differing);
}

}  // namespace cambium::ceiling
