// One case of the matrix product: its descriptor, its data, its exact result, and a run on the device. All tests of the
// family are built from it.
#pragma once

#include <string>
#include <vector>

#include "kernels/gemm/gemm.h"

namespace cambium::test {

struct GemmCase {
    gemm::Gemm gemm;  // pointers of the epilogue are set by the run
    bool scale = false, bias = false, residual = false;
    int skew = 0;  // elements by which A and B begin beyond a 256-byte boundary
    std::uint32_t seed = 0;

    std::string text() const;
};

enum class Fill { integers, uniform };  // small integers, so that every sum is exact; or uniform in [-1, 1)

// Values as the device's storage type holds them, gaps between rows included.
struct GemmData {
    std::vector<float> a, b, scale, bias, residual;
};
GemmData make_data(const GemmCase& c, Fill fill);

// Result [batch, M, N], and what bounds rounding errors: the largest sum of the terms' magnitudes.
struct Exact {
    std::vector<double> value;
    double magnitude = 0;
};
Exact exact_product(const GemmCase& c, const GemmData& data);
// The same by one f32 sum per element, operands and result rounded as the case says: a plain low-precision product.
std::vector<float> low_precision_product(const GemmCase& c, const GemmData& data);

// Runs it and returns [batch, M, N]. Throws std::runtime_error if a gap between rows of D was written.
std::vector<float> run_on_device(const GemmCase& c, const GemmData& data);

// The number-th random case: sizes 0 and 1, odd ones, multiples of tiles and their neighbours, gaps between rows, all
// transposes, types, epilogues and plans, every fourth a batch. Sizes are at most `largest`.
GemmCase random_case(int number, int largest);

}  // namespace cambium::test
