// One case of attention: sizes, mask, data, exact results, and a run on the device. All tests of the family are built
// from it.
#pragma once

#include <string>
#include <vector>

#include "kernels/attention/attention.h"

namespace cambium::test {

struct AttentionCase {
    attention::Attention attention;
    bool padded = false;  // with counts, from none at all to more tokens than there are
    int skew = 0;         // elements by which operands begin beyond a 256-byte boundary
    std::uint32_t seed = 0;

    std::string text() const;
};

// Values as the device's storage type holds them. y and lse, which the gradient is given, are the exact ones, rounded.
struct AttentionData {
    std::vector<float> qkv, dy, y, lse;
    std::vector<std::int32_t> count;
};
AttentionData make_data(const AttentionCase& c);

template <class Real>
struct AttentionResult {
    std::vector<Real> y, lse, dqkv;
    double y_terms = 0, dqkv_terms = 0;  // the largest sums of the terms' magnitudes, which bound rounding errors
};
AttentionResult<double> exact_attention(const AttentionCase& c, const AttentionData& data);
// The same in f32, operands of each product rounded as the case's math says (weights too), results rounded once.
AttentionResult<float> low_precision_attention(const AttentionCase& c, const AttentionData& data);
AttentionResult<float> run_on_device(const AttentionCase& c, const AttentionData& data);

// The number-th random case: one token and one value to several tiles, odd sizes, both masks, all types.
AttentionCase random_case(int number, std::int64_t most_tokens);

}  // namespace cambium::test
