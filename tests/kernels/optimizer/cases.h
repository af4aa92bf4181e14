// One case of an optimizer step: the rule, parameters of several sizes and options, their data, the exact result, and
// runs on the device, one launch a parameter or one for all. All tests of the family are built from it.
#pragma once

#include <string>
#include <vector>

#include "kernels/optimizer/optimizer.h"

namespace cambium::test {

// A parameter and what is optional about it.
struct ParameterCase {
    std::int64_t count = 0;
    float weight_decay = 0, rate_factor = 1;
    bool anchor = false, copy = false, average = false;
    bool in_place = true;  // else results go elsewhere
    int skew = 0;          // elements by which its tensors begin beyond a 256-byte boundary
};

struct OptimizerCase {
    bool adam = false;
    optimizer::Sgd sgd;
    optimizer::Adam adam_rule;
    std::vector<ParameterCase> parameters{};
    float rate = 0.25f, scale = 0.5f, average_rate = 0.125f;
    std::int32_t step = 1;
    optimizer::Variant variant = optimizer::Variant::tuned;
    std::uint32_t seed = 0;

    bool has_first() const { return adam || sgd.momentum > 0; }
    std::string text() const;
};

// Values of one parameter before or after a step; copy holds what the bf16 copy does.
template <class Real>
struct Values {
    std::vector<Real> w, gradient, first, second, anchor, copy, average;
    friend bool operator==(const Values&, const Values&) = default;
};
using Data = std::vector<Values<float>>;

Data uniform_data(const OptimizerCase& c);
Data integer_data(const OptimizerCase& c);

std::vector<Values<double>> exact_step(const OptimizerCase& c, const Data& data);
// The same in f32, as a plain loop has it.
Data low_precision_step(const OptimizerCase& c, const Data& data);

enum class Launches : std::uint8_t { one_each, one_for_all };
Data run_on_device(const OptimizerCase& c, const Data& data, Launches launches);

// The number-th random case.
OptimizerCase random_case(int number, std::int64_t largest_count);

}  // namespace cambium::test
