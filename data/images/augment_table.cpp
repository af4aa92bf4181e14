// What is drawn as tensors: the table, and the labels of mixed photos.
#include <cstring>

#include "data/images/augment.h"
#include "engine/base/fail.h"

namespace cambium {

namespace {

// The row that `parameters` mix with, `own` where they do not.
std::size_t partner_of(const AugmentParameters& parameters, std::size_t own, std::size_t rows) {
    const bool mixes = parameters.partner >= 0 && parameters.partner < static_cast<float>(rows);
    return mixes ? static_cast<std::size_t>(parameters.partner) : own;
}

void require_rows(const Shape& shape, std::size_t parameters) {
    if (shape.rank() < 1 || static_cast<std::size_t>(shape[0]) != parameters)
        fail("cannot mix the labels {}: {} rows of parameters", to_string(shape), parameters);
}

}  // namespace

Tensor to_table(std::span<const AugmentParameters> parameters) {
    Tensor table({static_cast<std::int64_t>(parameters.size()), AugmentParameters::columns}, DType::f32);
    if (!parameters.empty()) std::memcpy(table.bytes().data(), parameters.data(), parameters.size_bytes());
    return table;
}

Tensor mixed_labels(const Tensor& labels, std::span<const AugmentParameters> parameters, int classes) {
    require_rows(labels.shape(), parameters.size());
    Tensor result({labels.shape()[0], classes}, DType::f32);
    const auto own = labels.values<std::int32_t>();
    const auto out = result.values<float>();
    const auto add = [&](std::size_t row, std::int32_t label, float share) {
        if (label < 0 || label >= classes) fail("cannot mix labels: label {} of {} classes", label, classes);
        out[row * static_cast<std::size_t>(classes) + static_cast<std::size_t>(label)] += share;
    };
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        add(i, own[i], parameters[i].label);
        add(i, own[partner_of(parameters[i], i, parameters.size())], 1.0f - parameters[i].label);
    }
    return result;
}

}  // namespace cambium
