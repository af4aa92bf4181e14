// Single instances of the tuned kernel (instances.cuh), as counters_test.cpp and mutant.cpp see them.
#pragma once

#include <cstdint>
#include <vector>

namespace cambium::test {

// D [M, N] = op(A) op(B) + bias, with 64 x 64 tiles.
struct InstanceProblem {
    std::int64_t m, n, k, lda, ldb;
    int copy_bytes, splits;
    std::vector<float> a, b, bias;
};

enum class Operands : std::uint8_t { bf16, tf32, f32 };

// The instance for A stored [M, K] (or [K, M] where a_along_k is false) and B stored [N, K] (or [K, N]).
std::vector<float> run_instance(Operands operands, bool a_along_k, bool b_along_k, bool swizzled,
                                const InstanceProblem& problem);

// Three instances: bf16 with both operands along k, bf16 with neither, f32 with A along k only.
std::vector<float> run_mutant(int instance, const InstanceProblem& problem);

}  // namespace cambium::test
