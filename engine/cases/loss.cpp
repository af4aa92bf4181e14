// Softmax and the classification loss: class labels with rows left out, probabilities, weights, smoothing.
#include "engine/cases/case.h"

namespace cambium::cases {
namespace {

using namespace ops;

Instance softmax(RandomStream& random) {
    return {Softmax{}, {{.shape = any_shape(random), .storage = Storage::full, .differentiable = true}}};
}

Instance softmax_gradient(RandomStream& random) {
    const Shape shape = any_shape(random);
    return {SoftmaxGradient{},
            {{.shape = shape, .storage = Storage::full},
             {.shape = shape, .fill = Fill::probabilities, .storage = Storage::full}},
            {}};
}

double smoothing(RandomStream& random) { return one_of(random, {0.0, 0.1, 0.3}); }

// Logits, labels of either form, and for half of the draws class weights.
std::vector<Operand> classification(RandomStream& random, bool differentiable) {
    const std::int64_t N = between(random, 1, 9), C = between(random, 2, 20);
    std::vector<Operand> operands{
        {.shape = {N, C}, .storage = Storage::full, .differentiable = differentiable},
        {.shape = {N}, .fill = Fill::labels, .bound = C},
    };
    if (flip(random)) operands[1] = {.shape = {N, C}, .fill = Fill::probabilities, .storage = Storage::full};
    if (flip(random)) operands.push_back({.shape = {C}, .fill = Fill::positive, .storage = Storage::full});
    return operands;
}

Instance cross_entropy(RandomStream& random) {
    return {SoftmaxCrossEntropy{smoothing(random)}, classification(random, true)};
}

Instance cross_entropy_gradient(RandomStream& random) {
    std::vector<Operand> operands = classification(random, false);
    operands.insert(operands.begin(), Operand{.shape = {}, .storage = Storage::full});
    return {SoftmaxCrossEntropyGradient{smoothing(random)}, std::move(operands), {}};
}

Instance top_k(RandomStream& random) {
    const std::int64_t N = between(random, 1, 30), C = between(random, 1, 20);
    return {TopKCount{between(random, 1, 6)},
            {{.shape = {N, C}, .storage = Storage::full}, {.shape = {N}, .fill = Fill::labels, .bound = C}},
            {}};
}

}  // namespace

std::vector<OpCase> loss_cases() {
    return {{"softmax", softmax},
            {"softmax_gradient", softmax_gradient},
            {"softmax_cross_entropy", cross_entropy},
            {"softmax_cross_entropy_gradient", cross_entropy_gradient},
            {"top_k_count", top_k, OpCase::Integers::exact}};  // integers bring ties
}

}  // namespace cambium::cases
