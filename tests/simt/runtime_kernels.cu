// A reduction, a product on tensor cores and the last-arriver pattern, as kernels usually have them.
#include "tests/simt/runtime_kernels.h"

#include "kernels/gpu.h"

namespace cambium::test {
namespace {

struct Partial {
    dev::Shared<float, 32> sums;
};

// Warp shuffles, then one warp over the partial sums in shared memory.
__device__ float block_sum(float value, Partial& partial) {
    for (int offset = 16; offset > 0; offset /= 2) value += __shfl_down_sync(0xffffffffu, value, offset);
    if (dev::lane_index() == 0) partial.sums[dev::warp_index()] = value;
    __syncthreads();
    value = threadIdx.x < blockDim.x / 32 ? partial.sums[threadIdx.x] : 0.0f;
    if (dev::warp_index() == 0) {
        for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
    }
    return value;
}

__global__ void sum_blocks(const float* values, float* sums, int count) {
    auto& partial = dev::shared<Partial>();
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const float sum = block_sum(i < count ? values[i] : 0.0f, partial);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// Each block leaves its sum; the last to arrive adds them in order (fence, atomic counter, fence, read).
__global__ void sum_all(const float* values, float* partial_sums, unsigned* arrived, float* result, int count) {
    auto& partial = dev::shared<Partial>();
    float value = 0.0f;
    for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < count;
         i += static_cast<int>(gridDim.x * blockDim.x)) {
        value += values[i];
    }
    const float sum = block_sum(value, partial);
    if (threadIdx.x != 0) return;
    partial_sums[blockIdx.x] = sum;
    __threadfence();
    if (atomicAdd(arrived, 1u) != gridDim.x - 1) return;
    __threadfence();
    float total = 0.0f;
    for (unsigned b = 0; b < gridDim.x; ++b) total += partial_sums[b];
    *result = total;
}

constexpr int kTileM = 32, kTileN = 32, kTileK = 16;
struct Tiles {
    dev::Shared<bf16, kTileM, kTileK> a;
    dev::Shared<bf16, kTileK, kTileN> b;
};

// One warp per 32 x 32 tile of C [m, n] = A [m, k] B [k, n], whole tiles only.
__global__ void multiply(const bf16* a, const bf16* b, float* c, int n, int k) {
    auto& tiles = dev::shared<Tiles>();
    const int lane = static_cast<int>(threadIdx.x);
    const int row0 = static_cast<int>(blockIdx.y) * kTileM, column0 = static_cast<int>(blockIdx.x) * kTileN;
    dev::Accumulator<2, 4> sum;
    dev::clear(sum);
    for (int k0 = 0; k0 < k; k0 += kTileK) {
        for (int half = 0; half < 2; ++half) {
            dev::cp_async<16>(&tiles.a[lane][half * 8], a + (row0 + lane) * k + k0 + half * 8);
            const int chunk = lane * 2 + half;
            dev::cp_async<16>(&tiles.b[chunk / 4][chunk % 4 * 8], b + (k0 + chunk / 4) * n + column0 + chunk % 4 * 8);
        }
        dev::cp_async_commit();
        dev::cp_async_wait<0>();
        __syncthreads();
        dev::FragmentA<bf16, 2> fa;
        dev::FragmentB<bf16, 4> fb;
        dev::load_fragments<dev::Major::k>(fa, [&](int m, int kk) { return &tiles.a[m][kk]; });
        dev::load_fragments<dev::Major::mn>(fb, [&](int kk, int nn) { return &tiles.b[kk][nn]; });
        dev::mma_tile(sum, fa, fb);
        __syncthreads();
    }
    for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 4; ++j) {
            for (int v = 0; v < 4; ++v) {
                c[(row0 + dev::accumulator_row(i, v)) * n + column0 + dev::accumulator_column(j, v)] =
                    sum.value[i][j][v];
            }
        }
    }
}

__global__ void odd_lanes_sync(int* result) {
    if (threadIdx.x % 2 != 0) __syncwarp();
    result[threadIdx.x] = static_cast<int>(threadIdx.x);
}

__global__ void count_lanes(int limit, int* result) {
    const unsigned ballot = __ballot_sync(0xffffffffu, static_cast<int>(threadIdx.x) < limit);
    if (threadIdx.x == 0) *result = __popc(ballot);
}

__global__ void nothing() {}

}  // namespace

void launch_with(int grid_y, int threads) {
    dev::Stream stream;
    dev::launch(nothing, dim3(1, grid_y), dim3(threads), 0, stream);
}

std::vector<float> block_sums(const std::vector<float>& values, int threads) {
    dev::Stream stream;
    dev::Buffer<float> input(values, stream, "values");
    const unsigned blocks = static_cast<unsigned>((values.size() + threads - 1) / threads);
    dev::Buffer<float> output(blocks, "sums");
    dev::launch(sum_blocks, dim3(blocks), dim3(threads), sizeof(Partial), stream, input.data(), output.data(),
                static_cast<int>(values.size()));
    std::vector<float> result(blocks);
    output.download(result, stream);
    return result;
}

float last_arriver_sum(const std::vector<float>& values, int blocks) {
    dev::Stream stream;
    dev::Buffer<float> input(values, stream, "values"), partial(blocks, "partial sums"), result(1, "result");
    dev::Buffer<unsigned> arrived(1, "arrived");
    arrived.fill(0, stream);
    dev::launch(sum_all, dim3(blocks), dim3(128), sizeof(Partial), stream, input.data(), partial.data(), arrived.data(),
                result.data(), static_cast<int>(values.size()));
    float sum = 0;
    result.download({&sum, 1}, stream);
    return sum;
}

std::vector<float> replayed_sums(const std::vector<std::vector<float>>& batches, int blocks) {
    dev::Stream stream;
    dev::Buffer<float> input(batches[0].size(), "values"), partial(blocks, "partial sums"), result(1, "result");
    dev::Buffer<unsigned> arrived(1, "arrived");
    const dev::Graph graph(stream, [&] {
        arrived.fill(0, stream);
        const int count = static_cast<int>(input.size());  // gone when the launch is replayed
        dev::launch(sum_all, dim3(blocks), dim3(128), sizeof(Partial), stream, input.data(), partial.data(),
                    arrived.data(), result.data(), count);
    });
    std::vector<float> sums;
    for (const std::vector<float>& batch : batches) {
        input.upload(batch, stream);
        graph.replay(stream);
        result.download({&sums.emplace_back(), 1}, stream);
    }
    sums.push_back(static_cast<float>(graph.size()));
    return sums;
}

std::vector<float> tensor_core_product(const std::vector<float>& a, const std::vector<float>& b, int m, int n, int k) {
    std::vector<bf16> low_a(a.size()), low_b(b.size());
    for (std::size_t i = 0; i < a.size(); ++i) low_a[i] = bf16(a[i]);
    for (std::size_t i = 0; i < b.size(); ++i) low_b[i] = bf16(b[i]);
    dev::Stream stream;
    dev::Buffer<bf16> device_a(low_a, stream, "a"), device_b(low_b, stream, "b");
    dev::Buffer<float> device_c(static_cast<std::size_t>(m) * n, "c");
    dev::launch(multiply, dim3(n / kTileN, m / kTileM), dim3(32), sizeof(Tiles), stream,
                dev::reads(device_a.data(), "a", {m, k}), dev::reads(device_b.data(), "b", {k, n}),
                dev::writes(device_c.data(), "c", {m, n}), n, k);
    std::vector<float> c(static_cast<std::size_t>(m) * n);
    device_c.download(c, stream);
    return c;
}

std::vector<int> sync_by_odd_lanes() {
    dev::Stream stream;
    dev::Buffer<int> result(64, "result");
    dev::launch(odd_lanes_sync, dim3(1), dim3(64), 0, stream, result.data());
    std::vector<int> values(64);
    result.download(values, stream);
    return values;
}

int lanes_below(int limit) {
    dev::Stream stream;
    dev::Buffer<int> result(1, "result");
    dev::launch(count_lanes, dim3(1), dim3(32), 0, stream, limit, result.data());
    int count = 0;
    result.download({&count, 1}, stream);
    return count;
}

}  // namespace cambium::test
