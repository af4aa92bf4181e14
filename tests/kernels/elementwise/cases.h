// One case of an elementwise operator: which, its sizes, its data, its exact result, and a run on the device. All tests
// of the family are built from it.
#pragma once

#include <string>
#include <vector>

#include "kernels/elementwise/elementwise.h"

namespace cambium::test {

enum class Operator : std::uint8_t {
    convert_to_bf16,
    convert_from_bf16,
    convert_from_i32,
    convert_from_u8,
    relu,
    gelu,
    add,
    multiply,
    relu_gradient,
    gelu_gradient,
    scale,
    lerp,
    add_bias,
    scale_channels,
    scale_shift,
    dropout,
    normalize_rgb,
    normalize_bgr,
    guard,
};
inline constexpr int kOperators = 19;

struct ElementwiseCase {
    Operator op = Operator::add;
    std::int64_t rows = 0, channels = 1;
    DType dtype = DType::f32;
    elementwise::Variant variant = elementwise::Variant::tuned;
    bool in_place = false;  // y over the first input, where types agree
    int skew = 0;           // elements by which tensors begin beyond a 256-byte boundary
    float scalar = 2;       // factor, t, or the guard's condition
    double rate = 0.5;      // of dropout
    std::int32_t step = 3;
    std::uint32_t seed = 0;

    std::int64_t count() const { return rows * channels; }
    std::string text() const;
};

// Values as the device's storage types hold them.
struct ElementwiseData {
    std::vector<float> a, b;          // [rows, channels]
    std::vector<float> scale, shift;  // [channels]
};
ElementwiseData uniform_data(const ElementwiseCase& c);
ElementwiseData integer_data(const ElementwiseCase& c);

std::vector<double> exact_result(const ElementwiseCase& c, const ElementwiseData& data);
// The same in f32, rounded to the case's type.
std::vector<float> low_precision_result(const ElementwiseCase& c, const ElementwiseData& data);
// Throws std::runtime_error if anything before or behind y was written.
std::vector<float> run_on_device(const ElementwiseCase& c, const ElementwiseData& data);

// The number-th random case: operators in turn, sizes 0 and 1, odd ones, several blocks, all types.
ElementwiseCase random_case(int number, int largest_count);

}  // namespace cambium::test
