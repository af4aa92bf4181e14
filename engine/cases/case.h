// One case per way of using an operator: a function that draws random attributes and operand shapes. The same cases
// serve parity between backends, gradient checks, exact comparisons on integers, the coverage test and `cambium check`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/philox.h"
#include "engine/ops/op.h"

namespace cambium::cases {

// How the elements of an operand are drawn.
enum class Fill : std::uint8_t {
    uniform,        // [-1, 1)
    positive,       // [0.5, 1.5)
    separated,      // all different and none zero, at least 1 / count apart: away from the kinks of relu and max
    probabilities,  // positive, summing to 1 along the last axis
    labels,         // i32 in [-1, bound)
    bytes,          // u8
    counter,        // i32 in [1, bound]
};

// What stores the operand in a low-precision program.
enum class Storage : std::uint8_t {
    activation,  // bf16 there
    full,        // f32 there too: parameters of norms, statistics, sums, optimizer state
};

struct Operand {
    Shape shape;
    Fill fill = Fill::uniform;
    Storage storage = Storage::activation;
    bool differentiable = false;
    std::int64_t bound = 0;
    std::optional<std::vector<float>> given{};  // elements of u8 or reals that only the case can choose
};

struct Instance {
    Op op;
    std::vector<Operand> inputs;
    std::vector<std::size_t> differentiable_outputs{0};
    enum class Moments : std::uint8_t { none, taken } moments = Moments::none;  // of a convolution's result, beside it
    std::vector<std::size_t> dead_outputs{};  // nobody reads these: a kernel may then be another
};

struct OpCase {
    std::string name;  // of the operator, and what is particular: "conv2d depthwise"
    Instance (*draw)(RandomStream& random);
    // Sums of products of integers are integers: given such operands, every backend and precision must agree exactly.
    enum class Integers : std::uint8_t { rounded, exact } integers = Integers::rounded;
};

// All cases, family by family.
std::vector<OpCase> op_cases();
std::vector<OpCase> conv_cases();
std::vector<OpCase> matmul_cases();
std::vector<OpCase> elementwise_cases();
std::vector<OpCase> attention_cases();
std::vector<OpCase> augment_cases();
std::vector<OpCase> embedding_cases();
std::vector<OpCase> norm_cases();
std::vector<OpCase> pool_cases();
std::vector<OpCase> layout_cases();
std::vector<OpCase> reduce_cases();
std::vector<OpCase> loss_cases();
std::vector<OpCase> optimizer_cases();

enum class Values : std::uint8_t { reals, integers };

// The operands as tensors. Reals have the dtype `real`, or f32 where `real` is bf16 and the operand's storage is full;
// they are drawn in f32, so that f32 and f64 tensors drawn alike are equal. Values::integers replaces reals by whole
// numbers of at most 4.
std::vector<Tensor> draw_inputs(const Instance& instance, RandomStream& random, Values values, DType real);

// A stream of its own for the index-th instance of a case, the same in every run.
RandomStream stream_of(const OpCase& op_case, std::uint64_t index);

// Uniform in [low, high], both included.
inline std::int64_t between(RandomStream& random, std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random.below(static_cast<std::uint32_t>(high - low + 1)));
}
template <class T>
T one_of(RandomStream& random, std::initializer_list<T> choices) {
    return choices.begin()[random.below(static_cast<std::uint32_t>(choices.size()))];
}
inline bool flip(RandomStream& random) { return random.below(2) == 1; }
// One to `most` axes; the last, of channels, with an extent from 1 to 9.
Shape any_shape(RandomStream& random, int most = 4);

}  // namespace cambium::cases
