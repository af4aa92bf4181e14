// compare(): the one way in which tests decide that two tensors agree. It never lets NaN, infinity, a wrong shape or a
// wrong count through, and every tolerance carries its reason:
//
//   CHECK(compare(actual, expected, relative_to_largest(1e-5, "f32 sums of 1152 products")));
#pragma once

#include <iosfwd>
#include <span>
#include <string>
#include <string_view>

#include "engine/tensor/tensor.h"

namespace cambium::test {

struct Tolerance {
    enum class Kind { exact, absolute, relative_to_largest, relative_l2 } kind;
    double bound;        // the largest error that passes; 0 for exact
    std::string reason;  // why such an error is expected; printed when it is exceeded
};

// Each of these throws Error if the reason is empty or the bound is not a positive, finite number.
Tolerance exact(std::string_view reason);                              // actual == expected
Tolerance absolute(double bound, std::string_view reason);             // max |actual - expected|
Tolerance relative_to_largest(double bound, std::string_view reason);  // max |actual - expected| / max |expected|
Tolerance relative_l2(double bound, std::string_view reason);          // ||actual - expected|| / ||expected||

// The error rule of FlashAttention's tests: max |actual - expected| may be twice that of `plain`, a simple
// implementation in the same precision, and `least` times the largest |expected| more.
Tolerance twice_the_error_of(const Tensor& plain, const Tensor& expected, double least);

struct Comparison {
    bool agrees = false;
    double error = 0;     // in the tolerance's measure; infinite if shapes, counts or finiteness already fail
    std::string message;  // what was compared, and if it failed where and why
    explicit operator bool() const { return agrees; }
};
std::ostream& operator<<(std::ostream& stream, const Comparison& comparison);

// Compares values, not dtypes: an f32 tensor may be held against an f64 one. Fails if shapes differ or if either side
// holds a NaN or an infinity. Where everything expected is zero, the relative kinds accept only zeros.
Comparison compare(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance);
Comparison compare(std::span<const double> actual, std::span<const double> expected, const Tolerance& tolerance);
Comparison compare(std::span<const float> actual, std::span<const double> expected, const Tolerance& tolerance);
Comparison compare(double actual, double expected, const Tolerance& tolerance);

}  // namespace cambium::test
