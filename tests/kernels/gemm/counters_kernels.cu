#include "tests/kernels/gemm/instances.cuh"

namespace cambium::test {
namespace {

template <gemm::Math math, class T, bool Swizzled>
std::vector<float> run_majors(bool a_along_k, bool b_along_k, const InstanceProblem& q) {
    using dev::Major;
    if (a_along_k && b_along_k) return run_tiling<math, T, Major::k, Major::k, Swizzled>(q);
    if (a_along_k) return run_tiling<math, T, Major::k, Major::mn, Swizzled>(q);
    if (b_along_k) return run_tiling<math, T, Major::mn, Major::k, Swizzled>(q);
    return run_tiling<math, T, Major::mn, Major::mn, Swizzled>(q);
}

template <bool Swizzled>
std::vector<float> run_operands(Operands operands, bool a_along_k, bool b_along_k, const InstanceProblem& q) {
    if (operands == Operands::bf16) return run_majors<gemm::Math::bf16, bf16, Swizzled>(a_along_k, b_along_k, q);
    if (operands == Operands::tf32) return run_majors<gemm::Math::tf32, float, Swizzled>(a_along_k, b_along_k, q);
    return run_majors<gemm::Math::f32, float, Swizzled>(a_along_k, b_along_k, q);
}

}  // namespace

std::vector<float> run_instance(Operands operands, bool a_along_k, bool b_along_k, bool swizzled,
                                const InstanceProblem& q) {
    return swizzled ? run_operands<true>(operands, a_along_k, b_along_k, q)
                    : run_operands<false>(operands, a_along_k, b_along_k, q);
}

}  // namespace cambium::test
