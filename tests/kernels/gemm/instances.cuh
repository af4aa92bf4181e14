// Single instances of the tuned kernel, launched on their own: for counters, and for mutations, which then compile in
// seconds.
#pragma once

#include <vector>

#include "kernels/gemm/tuned.cuh"
#include "tests/kernels/gemm/instances.h"

namespace cambium::test {

template <gemm::Math math, class T, dev::Major major_a, dev::Major major_b, bool Swizzled>
std::vector<float> run_tiling(const InstanceProblem& q) {
    using Tiling = gemm::Tiling<math, T, major_a, major_b, 64, 64, 32, 32, Swizzled>;
    const auto converted = [](const std::vector<float>& values) {
        std::vector<T> result;
        for (const float x : values) result.push_back(T(x));
        return result;
    };
    dev::Stream stream;
    const dev::Buffer<T> a(converted(q.a), stream, "A"), b(converted(q.b), stream, "B");
    const dev::Buffer<float> bias(q.bias, stream, "bias");
    const std::size_t blocks = static_cast<std::size_t>((q.m + 63) / 64 * ((q.n + 63) / 64));
    dev::Buffer<float> d(static_cast<std::size_t>(q.m * q.n), "D");
    dev::Buffer<float> partials(blocks * static_cast<std::size_t>(q.splits) * 64 * 64, "partial sums");
    dev::Buffer<unsigned> arrived(blocks, "arrival counters");
    arrived.fill(0, stream);
    gemm::Problem p{};
    p.m = q.m, p.n = q.n, p.k = q.k;
    p.lda = q.lda, p.ldb = q.ldb, p.ldd = q.n;
    p.copy_bytes_a = p.copy_bytes_b = q.copy_bytes;
    p.splits = q.splits;
    p.store_elements = q.n % 4 == 0 ? 4 : q.n % 2 == 0 ? 2 : 1;
    p.epilogue.bias = bias.data();
    dev::launch(gemm::tuned<Tiling>, dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(q.splits)),
                dim3(Tiling::kThreads), sizeof(typename Tiling::Stages), stream, a.data(), b.data(), d.data(),
                partials.data(), arrived.data(), p);
    std::vector<float> result(d.size());
    d.download(result, stream);
    return result;
}

}  // namespace cambium::test
