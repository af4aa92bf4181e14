// One case of the convolutions: its descriptor, its data, its exact result, and a run on the device. All tests of the
// family are built from it.
#pragma once

#include <string>
#include <vector>

#include "kernels/conv/conv.h"

namespace cambium::test {

struct ConvCase {
    conv::Conv conv;  // pointers of the epilogue are set by the run
    bool scale = false, bias = false, residual = false;
    int skew = 0;  // elements by which both operands begin beyond a 256-byte boundary
    std::uint32_t seed = 0;

    std::string text() const;
};

enum class Fill { integers, uniform };  // small integers, so that every sum is exact; or uniform in [-1, 1)

// Values as the device's storage type holds them, in the order in which run() takes the operands.
struct ConvData {
    std::vector<float> first, second, scale, bias, residual;
};
ConvData make_data(const ConvCase& c, Fill fill);

// The result, and what bounds rounding errors: the largest sum of the terms' magnitudes.
struct Exact {
    std::vector<double> value;
    double magnitude = 0;
};
Exact exact_result(const ConvCase& c, const ConvData& data);
// The same by one f32 sum per element, operands and result rounded as the case says: a plain low-precision convolution.
std::vector<float> low_precision_result(const ConvCase& c, const ConvData& data);

// Runs it and returns the result. Throws std::runtime_error if anything behind the result was written.
std::vector<float> run_on_device(const ConvCase& c, const ConvData& data);

// The same with y's moments taken on the way, and merged.
struct WithMoments {
    std::vector<float> y, mean, variance;
    bool operator==(const WithMoments&) const = default;
};
WithMoments run_with_moments(const ConvCase& c, const ConvData& data);

// The number-th random case: every direction, type, stride, padding, dilation, grouping, epilogue and plan; bodies,
// stems, pointwise and depthwise ones, filters as large as their image, no images and no channels. Channels, unless of
// several groups, are at most `largest`.
ConvCase random_case(int number, std::int64_t largest);
// The number-th random stem of three channels: fprop and wgrad, all types, strides and paddings; some whose windows are
// aligned as they are.
ConvCase random_stem(int number);

}  // namespace cambium::test
