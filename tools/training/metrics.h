// Metrics of a classifier, from its logits on a whole set: computed on the host in double, in one place, so that
// training, evaluation and the report cannot disagree.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace cambium {

struct ClassScore {
    std::int64_t count = 0, right = 0, predicted = 0;
    double recall = 0, precision = 0, f1 = 0;  // 0 where undefined
};

struct Scores {
    std::int64_t count = 0;
    double loss = 0;               // mean cross-entropy, without smoothing or weights
    double top1 = 0, top5 = 0;     // fractions; of equal logits the lower class comes first
    double balanced_accuracy = 0;  // mean recall of the classes that occur
    double macro_f1 = 0;           // mean F1 of the classes that occur
    double majority = 0;           // top-1 of always saying the most frequent class of this set
    std::vector<ClassScore> classes{};
    std::vector<std::int64_t> confusion{};  // [true class, predicted class]
};

// logits f32 [N, C], labels in [0, C). Throws Error if N is 0 or the sizes differ.
Scores score(const Tensor& logits, const std::vector<int>& labels);

// The wrong answers given with the most confidence, at most `limit`.
struct Mistake {
    std::int64_t index = 0;  // in the set
    int label = 0, predicted = 0;
    double probability = 0;  // of the predicted class
};
std::vector<Mistake> worst_mistakes(const Tensor& logits, const std::vector<int>& labels, std::size_t limit);

}  // namespace cambium
