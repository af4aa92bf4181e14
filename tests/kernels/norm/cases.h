// One case of batch norm: its descriptor, its data, its exact result, and a run on the device. All tests of the family
// are built from it.
#pragma once

#include <string>
#include <vector>

#include "kernels/norm/norm.h"

namespace cambium::test {

struct NormCase {
    norm::BatchNorm norm;
    bool residual = false;
    bool in_place = false;  // y over the residual; dx over dy, or ds, which is wanted of a relu with a residual
    double mean = 0;        // about which x lies
    std::uint32_t seed = 0;

    bool has_relu() const { return norm.activation == norm::Activation::relu; }
    bool wants_ds() const { return has_relu() && residual; }

    std::string text() const;
};

// Values as the device's storage type holds them. mean and variance are operands of the gradient only.
struct NormData {
    std::vector<float> x, dy, residual, relu;        // [M, C]; relu: what the gradient takes for its result
    std::vector<float> gamma, beta, mean, variance;  // [C]
};
NormData uniform_data(const NormCase& c);
// Small integers, variance + epsilon = 1 and M a power of two: then every term of the gradient is exact in f32.
NormCase with_exact_gradient(NormCase c);
NormData integer_data(const NormCase& c);

template <class Real>
struct NormResult {
    std::vector<Real> y, mean, variance, dx, dgamma, dbeta, ds;
};
// Forward from x; backward from x, dy and the given mean and variance.
NormResult<double> exact_norm(const NormCase& c, const NormData& data);
// The same in f32, one sum after the other, stored as the case says: a plain implementation.
NormResult<float> low_precision_norm(const NormCase& c, const NormData& data);
NormResult<float> run_on_device(const NormCase& c, const NormData& data);

// The number-th random case: few and many rows, channels of every remainder, one and several parts, both types.
NormCase random_case(int number, int largest_rows);

}  // namespace cambium::test
