#include "engine/cases/case.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cambium::cases {
namespace {

void fill_separated(std::span<double> values, RandomStream& random) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
    const auto count = static_cast<double>(values.size());
    const double shift = values.size() % 2 == 0 ? 0.5 : 0.25;  // keeps zero between two values
    for (std::size_t i = 0; i < order.size(); ++i)
        values[i] = (static_cast<double>(order[i]) - std::floor(count / 2) + shift) * 2 / count;
}

void fill_probabilities(std::span<double> values, std::int64_t columns, RandomStream& random) {
    const auto width = static_cast<std::size_t>(columns);
    for (std::size_t row = 0; row * width < values.size(); ++row) {
        const std::span<double> part = values.subspan(row * width, width);
        for (double& value : part) value = random.uniform(0.1, 1);
        const double sum = std::accumulate(part.begin(), part.end(), 0.0);
        for (double& value : part) value /= sum;
    }
}

Tensor reals(const Operand& operand, RandomStream& random, Values kind) {
    if (operand.given) return {operand.shape, std::span<const float>(*operand.given)};
    Tensor tensor(operand.shape, DType::f64);
    const std::span<double> values = tensor.values<double>();
    const bool positive = operand.fill == Fill::positive;
    if (kind == Values::integers) {
        for (double& value : values) value = static_cast<double>(between(random, positive ? 1 : -4, 4));
    } else if (operand.fill == Fill::separated) {
        fill_separated(values, random);
    } else if (operand.fill == Fill::probabilities) {
        fill_probabilities(values, operand.shape[-1], random);
    } else {
        for (double& value : values) value = positive ? random.uniform(0.5, 1.5) : random.uniform(-1, 1);
    }
    return tensor.converted(DType::f32);
}

Tensor integers(const Operand& operand, RandomStream& random) {
    Tensor tensor(operand.shape, DType::i32);
    const bool labels = operand.fill == Fill::labels;
    for (std::int32_t& value : tensor.values<std::int32_t>())
        value = static_cast<std::int32_t>(between(random, labels ? -1 : 1, labels ? operand.bound - 1 : operand.bound));
    return tensor;
}

Tensor bytes(const Operand& operand, RandomStream& random) {
    Tensor tensor(operand.shape, DType::u8);
    const std::span<std::uint8_t> values = tensor.values<std::uint8_t>();
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<std::uint8_t>(operand.given ? static_cast<std::uint32_t>((*operand.given)[i])
                                                            : random.below(256));
    return tensor;
}

}  // namespace

std::vector<OpCase> op_cases() {
    std::vector<OpCase> all;
    for (const auto family :
         {conv_cases, matmul_cases, elementwise_cases, norm_cases, pool_cases, layout_cases, reduce_cases, loss_cases,
          optimizer_cases, attention_cases, augment_cases, embedding_cases}) {
        for (OpCase& one : family()) all.push_back(std::move(one));
    }
    return all;
}

std::vector<Tensor> draw_inputs(const Instance& instance, RandomStream& random, Values values, DType real) {
    std::vector<Tensor> inputs;
    for (const Operand& operand : instance.inputs) {
        if (operand.fill == Fill::bytes) {
            inputs.push_back(bytes(operand, random));
        } else if (operand.fill == Fill::labels || operand.fill == Fill::counter) {
            inputs.push_back(integers(operand, random));
        } else {
            const bool stays = real == DType::bf16 && operand.storage == Storage::full;
            inputs.push_back(reals(operand, random, values).converted(stays ? DType::f32 : real));
        }
    }
    return inputs;
}

RandomStream stream_of(const OpCase& op_case, std::uint64_t index) {
    return {2026, hash_name(op_case.name.data(), op_case.name.size()), index};
}

Shape any_shape(RandomStream& random, int most) {
    std::vector<std::int64_t> extents;
    for (std::int64_t axis = between(random, 1, most); axis > 1; --axis) extents.push_back(between(random, 1, 5));
    extents.push_back(between(random, 1, 9));
    return Shape(extents);
}

}  // namespace cambium::cases
