#include "tests/kernels/attention/counters_kernels.h"

#include <vector>

#include "kernels/attention/forward.cuh"

namespace cambium::test {

void run_unswizzled_attention(int tokens) {
    using namespace attention;
    using Unswizzled = Tiling<Math::bf16, 64, false>;
    const auto count = static_cast<std::size_t>(tokens) * 64;
    dev::Stream stream;
    const dev::Buffer<bf16> qkv(std::vector<bf16>(3 * count, bf16(1.0f)), stream, "qkv");
    dev::Buffer<bf16> y(count, "y");
    const int tiles = tokens / Unswizzled::kOwn;
    dev::launch(attention_tiles<Unswizzled>, dim3(static_cast<unsigned>(tiles)), dim3(Unswizzled::kThreads),
                sizeof(ForwardMemory<Unswizzled>), stream, qkv.data(), nullptr, y.data(), nullptr,
                Extents{1, tokens, 1, 64, 0.125f, false}, tiles, 16);
    stream.synchronize();
}

}  // namespace cambium::test
