#include "tests/kernels/gemm/instances.cuh"

namespace cambium::test {

std::vector<float> run_mutant(int instance, const InstanceProblem& q) {
    using dev::Major;
    if (instance == 0) return run_tiling<gemm::Math::bf16, bf16, Major::k, Major::k, true>(q);
    if (instance == 1) return run_tiling<gemm::Math::bf16, bf16, Major::mn, Major::mn, true>(q);
    return run_tiling<gemm::Math::f32, float, Major::k, Major::mn, true>(q);
}

}  // namespace cambium::test
