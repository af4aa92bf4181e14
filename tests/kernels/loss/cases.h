// One case of the losses: sizes, form of the targets, data, exact results, and a run on the device. All tests of the
// family are built from it.
#pragma once

#include <string>
#include <vector>

#include "kernels/loss/loss.h"

namespace cambium::test {

struct LossCase {
    loss::Matrix matrix;
    bool probabilities = false;  // instead of labels
    bool weights = false;
    bool in_place = false;  // dx over dy, dlogits over logits
    float label_smoothing = 0;
    float spread = 1;  // logits lie in [-spread, spread)
    std::int64_t k = 1;
    std::uint32_t seed = 0;

    std::string text() const;
};

struct LossData {
    std::vector<float> logits, dy, probabilities, weights;
    std::vector<std::int32_t> labels;  // some negative
    float dsum = 0;
};
LossData make_data(const LossCase& c);

template <class Real>
struct LossResult {
    std::vector<Real> softmax, softmax_gradient;  // the latter of dy and the softmax as f32
    std::vector<Real> sum, denominator, dlogits, count;
};
LossResult<double> exact_losses(const LossCase& c, const LossData& data);
LossResult<float> low_precision_losses(const LossCase& c, const LossData& data);  // the same in f32
LossResult<float> run_on_device(const LossCase& c, const LossData& data);

// The number-th random case: one class to a thousand, both forms of targets, weights, smoothing.
LossCase random_case(int number, int largest_rows);

}  // namespace cambium::test
