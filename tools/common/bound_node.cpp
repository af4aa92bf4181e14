#include "tools/common/bound_node.h"

#include <algorithm>
#include <cmath>

namespace cambium {

BoundNode::BoundNode(Backend& backend, const NodeSpec& node, const std::vector<Tensor>& inputs,
                     const std::vector<std::size_t>& dead)
    : backend_(backend), node_(node), executable_(backend.prepare(node)) {
    std::vector<void*> in;
    for (const Tensor& input : inputs) {
        in.push_back(make(input.bytes().size()));
        backend.memory().upload(in.back(), input.bytes().data(), input.bytes().size());
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
        const bool is_dead = std::ranges::find(dead, i) != dead.end();
        outputs_.push_back(is_dead ? nullptr : make(node.outputs[i].bytes()));
    }
    executable_->bind(in, outputs_, make(executable_->workspace_bytes));
}

std::vector<Tensor> BoundNode::results() const {
    std::vector<Tensor> tensors;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        if (outputs_[i] == nullptr) continue;
        Tensor& result = tensors.emplace_back(node_.outputs[i].tensor);
        backend_.memory().download(result.bytes().data(), outputs_[i], result.bytes().size());
    }
    return tensors;
}

std::vector<Tensor> BoundNode::leading_results(std::int64_t most) const {
    std::vector<Tensor> tensors;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        const TensorSpec& whole = node_.outputs[i].tensor;
        Tensor& result = tensors.emplace_back(TensorSpec{{std::min(most, whole.shape.count())}, whole.dtype});
        backend_.memory().download(result.bytes().data(), outputs_[i], result.bytes().size());
    }
    return tensors;
}

namespace {

double relative_error(const Tensor& found, const Tensor& expected) {
    const Tensor a = found.converted(DType::f32), b = expected.converted(DType::f64);
    const auto x = a.values<float>();
    const auto y = b.values<double>();
    double difference = 0, magnitude = 0;
    for (std::size_t j = 0; j < x.size(); ++j) {
        const double distance = std::fabs(static_cast<double>(x[j]) - y[j]);
        if (!std::isfinite(distance)) return INFINITY;
        difference = std::max(difference, distance);
        magnitude = std::max(magnitude, std::fabs(y[j]));
    }
    return magnitude > 0 ? difference / magnitude : difference;
}

}  // namespace

NodeSpec without_moments(const NodeSpec& node) {
    NodeSpec bare = node;
    if (!takes_moments(node.epilogue)) return bare;
    bare.epilogue.pop_back();
    bare.outputs.resize(node.outputs.size() - 2);
    return bare;
}

double moments_error(const NodeSpec& node, const std::vector<Tensor>& found) {
    if (!takes_moments(node.epilogue)) return 0;
    const Tensor result = found[0].converted(DType::f32);
    const auto values = result.values<float>();
    const auto channels = static_cast<std::size_t>(result.shape()[-1]);
    const auto rows = static_cast<double>(values.size() / channels);
    const auto for_each = [&](auto&& body) {  // body(value, its channel), without a division for each of billions
        for (std::size_t row = 0; row < values.size(); row += channels)
            for (std::size_t c = 0; c < channels; ++c) body(static_cast<double>(values[row + c]), c);
    };
    Tensor means({result.shape()[-1]}, DType::f64), variances = means.clone();
    const auto mean = means.values<double>(), variance = variances.values<double>();
    for_each([&](double value, std::size_t c) { mean[c] += value; });
    for (double& sum : mean) sum /= rows;
    for_each([&](double value, std::size_t c) { variance[c] += (value - mean[c]) * (value - mean[c]); });
    for (double& sum : variance) sum /= rows;
    return std::max(relative_error(found[1], means), relative_error(found[2], variances));
}

double largest_error(const std::vector<Tensor>& found, const std::vector<Tensor>& expected) {
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (is_real(expected[i].dtype())) worst = std::max(worst, relative_error(found[i], expected[i]));
    }
    return worst;
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

}  // namespace cambium
