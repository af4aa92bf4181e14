#include "tests/simt/bench/bench.h"

#include "kernels/gpu.h"

namespace cambium::bench {
namespace {

struct Tiles {
    dev::Shared<bf16, 64, 16> a;
    dev::Shared<bf16, 16, 64> b;
};

// Each warp multiplies 64 x 64 x 16 tiles from shared memory, `steps` times.
__global__ void mma_steps(float* out, int steps) {
    auto& s = dev::shared<Tiles>();
    for (unsigned i = threadIdx.x; i < 1024; i += blockDim.x) {
        s.a.begin()[i] = bf16(static_cast<float>(i % 5));
        s.b.begin()[i] = bf16(static_cast<float>(i % 3));
    }
    __syncthreads();
    dev::Accumulator<4, 8> c;
    dev::clear(c);
    for (int step = 0; step < steps; ++step) {
        dev::FragmentA<bf16, 4> a;
        dev::FragmentB<bf16, 8> b;
        dev::load_fragments<dev::Major::k>(a, [&](int m, int k) { return &s.a[m][k]; });
        dev::load_fragments<dev::Major::mn>(b, [&](int k, int n) { return &s.b[k][n]; });
        dev::mma_tile(c, a, b);
    }
    out[blockIdx.x * blockDim.x + threadIdx.x] = c.value[0][0][0];
}

__global__ void barriers(int* out, int rounds) {
    for (int r = 0; r < rounds; ++r) __syncthreads();
    if (threadIdx.x == 0) out[blockIdx.x] = rounds;
}

struct Line {
    dev::Shared<float, 256> value;
};
// Two shared and one global access a round.
__global__ void accesses(float* out, const float* in, int rounds) {
    auto& s = dev::shared<Line>();
    const unsigned t = threadIdx.x;
    s.value[t] = 0.0f;
    for (int r = 0; r < rounds; ++r) s.value[t] += in[t];
    out[t] = s.value[t];
}

}  // namespace

double mma_products(int blocks, int warps, int steps) {
    dev::Stream stream;
    dev::Buffer<float> out(static_cast<std::size_t>(blocks * warps * 32), "output");
    dev::launch(mma_steps, dim3(blocks), dim3(warps * 32), sizeof(Tiles), stream, out.data(), steps);
    return 64.0 * 64 * 16 * blocks * warps * steps;
}

double thread_barriers(int blocks, int threads, int rounds) {
    dev::Stream stream;
    dev::Buffer<int> out(static_cast<std::size_t>(blocks), "output");
    dev::launch(barriers, dim3(blocks), dim3(threads), 0, stream, out.data(), rounds);
    return static_cast<double>(blocks) * threads * rounds;
}

double memory_accesses(int rounds) {
    dev::Stream stream;
    dev::Buffer<float> in(256, "input"), out(256, "output");
    in.fill(0, stream);
    dev::launch(accesses, dim3(1), dim3(256), sizeof(Line), stream, out.data(), static_cast<const float*>(in.data()),
                rounds);
    return 256.0 * (3.0 * rounds + 3);
}

}  // namespace cambium::bench
