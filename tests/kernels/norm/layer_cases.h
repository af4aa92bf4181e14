// One case of layer norm, as cases.h has of batch norm.
#pragma once

#include <string>
#include <vector>

#include "kernels/norm/layer_norm.h"

namespace cambium::test {

struct LayerCase {
    norm::LayerNorm norm;
    bool in_place = false;  // y over x, dx over dy
    double mean = 0;        // about which x lies
    std::uint32_t seed = 0;

    std::string text() const;
};

// Values as the device's storage type holds them. mean and rstd are operands of the gradient only.
struct LayerData {
    std::vector<float> x, dy;        // [R, C]
    std::vector<float> gamma, beta;  // [C]
    std::vector<float> mean, rstd;   // [R]
};
LayerData uniform_data(const LayerCase& c);
// Small integers, rstd = 1 and C a power of two: then every term of the gradient is exact in f32.
LayerData integer_data(LayerCase& c);

template <class Real>
struct LayerResult {
    std::vector<Real> y, mean, rstd, dx, dgamma, dbeta;
};
LayerResult<double> exact_layer_norm(const LayerCase& c, const LayerData& data);
LayerResult<float> low_precision_layer_norm(const LayerCase& c, const LayerData& data);  // a plain implementation
LayerResult<float> run_on_device(const LayerCase& c, const LayerData& data);

// The number-th random case: rows of a warp's and of a block's length, of every remainder, both types.
LayerCase random_layer_case(int number, int largest_rows);

}  // namespace cambium::test
