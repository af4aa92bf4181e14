// What a row of logits should be, as one weight for each class, whichever way it was given.
#pragma once

#include "kernels/gpu.h"

namespace cambium::loss {

// Of a launch: pointers as in Targets, and what smoothing makes of them.
struct Goal {
    const float* weights;
    int classes;
    float kept, even;  // 1 - e, e / C
};

enum class Standing : std::uint8_t { counts, left_out, unknown };  // unknown: a label that is no class

struct RowTargets {
    const float* probabilities;  // of this row, or null
    const float* weights;
    int label;
    float kept, even;
    Standing standing;

    CAMBIUM_DEVICE float weight(int c) const { return weights == nullptr ? 1.0f : weights[c]; }
    CAMBIUM_DEVICE float operator()(int c) const {
        const float q = probabilities != nullptr ? probabilities[c] : c == label ? 1.0f : 0.0f;
        return weight(c) * (kept * q + even);
    }
    CAMBIUM_DEVICE float denominator() const { return probabilities != nullptr ? 1.0f : weight(label); }
};

CAMBIUM_DEVICE RowTargets targets_of_row(const std::int32_t* labels, const float* probabilities, const Goal& goal,
                                         std::int64_t row) {
    RowTargets t{nullptr, goal.weights, 0, goal.kept, goal.even, Standing::counts};
    if (labels == nullptr) {
        t.probabilities = probabilities + row * goal.classes;
        return t;
    }
    t.label = labels[row];
    if (t.label < 0) t.standing = Standing::left_out;
    if (t.label >= goal.classes) t.standing = Standing::unknown;
    return t;
}

// Whether class c comes before the label: larger, or equal and lower, or NaN.
CAMBIUM_DEVICE bool comes_before(float logit, int c, float of_label, int label) {
    return !(logit < of_label || (logit == of_label && c >= label));
}

}  // namespace cambium::loss
