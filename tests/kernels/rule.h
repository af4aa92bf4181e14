// FlashAttention's error rule, which all kernel families are held to: at most twice the error that a plain
// implementation of the same precision makes against the exact result, plus a small constant, for results of few
// elements may happen to be exact.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "engine/base/numeric.h"

namespace cambium::test {

inline double largest_error(const std::vector<float>& found, const std::vector<double>& exact) {
    double largest = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
        const double error = std::fabs(static_cast<double>(found[i]) - exact[i]);
        largest = error <= largest ? largest : error;  // NaN becomes the largest and stays
    }
    return largest;
}

// Empty where `found` keeps the rule, else what was found. `magnitude` bounds the terms of an element's sum; 2^-21 of
// it are four f32 roundings.
inline std::string breach(const std::vector<float>& found, const std::vector<float>& plain,
                          const std::vector<double>& exact, double magnitude) {
    if (found.size() != exact.size() || plain.size() != exact.size()) {
        return std::to_string(found.size()) + " elements instead of " + std::to_string(exact.size());
    }
    const double error = largest_error(found, exact), allowed = 2 * largest_error(plain, exact) + 0x1p-21 * magnitude;
    if (error <= allowed) return {};
    return "error " + std::to_string(error) + ", allowed " + std::to_string(allowed);
}

// How many elements differ in any bit of their value.
template <class Real>
std::size_t unequal(const std::vector<float>& found, const std::vector<Real>& expected) {
    std::size_t count = found.size() == expected.size() ? 0 : 1;
    for (std::size_t i = 0; i < found.size() && i < expected.size(); ++i) {
        if (!(found[i] == static_cast<float>(expected[i]))) ++count;
    }
    return count;
}

template <class T>
std::vector<T> converted(const std::vector<float>& values) {
    std::vector<T> result;
    result.reserve(values.size());
    for (const float x : values) result.push_back(T(x));
    return result;
}
template <class T>
std::vector<float> widened(const std::vector<T>& values) {
    std::vector<float> result;
    result.reserve(values.size());
    for (const T& x : values) result.push_back(static_cast<float>(x));
    return result;
}

}  // namespace cambium::test
