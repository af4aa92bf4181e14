#include "tests/simt/counters_kernels.h"

#include "kernels/gpu.h"

namespace cambium::test {
namespace {

template <class V>
__global__ void read_shared(V* out, int stride) {
    auto* s = dev::shared_array<V>(32 * 32);
    for (int i = static_cast<int>(threadIdx.x); i < 32 * 32; i += 32) s[i] = V{};
    __syncthreads();
    out[threadIdx.x] = s[static_cast<int>(threadIdx.x) * stride];  // counted: shared read
}

template <class V>
void run_shared(int stride) {
    dev::Stream stream;
    dev::Buffer<V> out(32, "output");
    dev::launch(read_shared<V>, dim3(1), dim3(32), 32 * 32 * sizeof(V), stream, out.data(), stride);
}

// Reads eight rows of 16 bytes per matrix; `pitch` bytes from row to row, 16-byte units exchanged by XOR with the row.
__global__ void read_matrices(unsigned* out, int pitch, int swizzle) {
    auto* s = dev::shared_array<unsigned char>(32 * 256);
    for (int i = static_cast<int>(threadIdx.x); i < 32 * 256; i += 32) s[i] = 0;
    __syncthreads();
    const int row = static_cast<int>(threadIdx.x);
    std::uint32_t reg[1][4];
    dev::load_matrices<false>(reg, [&](int) { return s + row * pitch + ((row & swizzle) * 16); });
    out[threadIdx.x] = reg[0][0];
}

template <class V>
__global__ void read_global(V* out, const V* in, int stride, int offset) {
    out[threadIdx.x] = in[static_cast<int>(threadIdx.x) * stride + offset];  // counted: global read
}

template <class V>
void run_global(int stride, int offset) {
    dev::Stream stream;
    dev::Buffer<V> in(32 * 40, "input"), out(32, "output");
    in.fill(0, stream);
    dev::launch(read_global<V>, dim3(1), dim3(32), 0, stream, out.data(), static_cast<const V*>(in.data()), stride,
                offset);
}

}  // namespace

void read_shared_with_stride(int bytes, int stride) {
    if (bytes == 4) run_shared<float>(stride);
    if (bytes == 8) run_shared<float2>(stride);
    if (bytes == 16) run_shared<float4>(stride);
}

void read_shared_matrices(int pitch, int swizzle) {
    dev::Stream stream;
    dev::Buffer<unsigned> out(32, "output");
    dev::launch(read_matrices, dim3(1), dim3(32), 32 * 256, stream, out.data(), pitch, swizzle);
}

void read_global_with_stride(int bytes, int stride, int offset) {
    if (bytes == 1) run_global<unsigned char>(stride, offset);
    if (bytes == 4) run_global<float>(stride, offset);
    if (bytes == 16) run_global<float4>(stride, offset);
}

}  // namespace cambium::test
