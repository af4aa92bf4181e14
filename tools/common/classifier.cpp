#include "tools/common/classifier.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "engine/base/fail.h"
#include "models/load.h"

namespace cambium {
namespace {

// A file without the head of `source.architecture` is either another network's, whose name is then said, or a backbone.
[[noreturn]] void refuse_without_head(const Source& source) {
    const Architecture& chosen = *source.architecture;
    const std::vector<const Architecture*> fitting = fitting_architectures(source.weights);
    if (std::find(fitting.begin(), fitting.end(), &chosen) == fitting.end()) {
        Graph graph;
        build_network(chosen, image_input(graph, 1, source.preprocessing), {.classes = 1});
        require_complete(source.weights, match(source.weights, graph, chosen), chosen);
    }
    fail("cannot classify with {}: it has no head ({}.weight)", source.weights.path().string(), chosen.head_name);
}

}  // namespace

void trace_classifier(Graph& graph, const Source& source, std::int64_t batch) {
    const Value images = image_input(graph, batch, source.preprocessing);
    const auto classes = static_cast<std::int64_t>(source.classes.size());
    graph.output("logits", build_network(*source.architecture, images, {.classes = classes}).logits);
}

Classifier::Classifier(const Source& source, Device& device, std::int64_t batch)
    : batch_(batch),
      classes_(static_cast<std::int64_t>(source.classes.size())),
      file_(source.weights.path().string()),
      store_(device.backend->memory(), device.real()) {
    if (classes_ == 0) refuse_without_head(source);
    Graph graph;
    trace_classifier(graph, source, batch);
    declare_entries(graph, store_, 0, FirstValue::zero);
    const LoadReport report = load_weights(source.weights, graph, store_, *source.architecture);
    if (!report.left_over.empty()) notes_.push_back(report.text());
    program_ = std::make_unique<Program>(compile(graph, store_, *device.backend, {.precision = device.precision}));
}

Tensor Classifier::run(const Tensor& images) {
    const Shape shape = images.shape();
    const std::int64_t rows = shape[0];
    if (rows == batch_) {
        program_->set("images", images);
    } else {
        Tensor padded(shape.with(0, batch_), DType::u8);
        std::memcpy(padded.bytes().data(), images.bytes().data(), images.bytes().size());
        program_->set("images", padded);
    }
    program_->run();
    const Tensor all = program_->get("logits").converted(DType::f32);
    const auto values = all.values<float>().first(static_cast<std::size_t>(rows * classes_));
    if (!std::all_of(values.begin(), values.end(), [](float logit) { return std::isfinite(logit); })) {
        fail(
            "{} gives logits that are not finite; its weights are damaged, or training had diverged when they were "
            "saved",
            file_);
    }
    return Tensor({rows, classes_}, std::span<const float>(values));
}

double log_sum_exp(std::span<const float> logits) {
    const double largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
    return largest + std::log(sum);
}

std::vector<std::int64_t> top_k(std::span<const float> logits, std::int64_t k) {
    std::vector<std::int64_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    const auto count = std::min<std::size_t>(static_cast<std::size_t>(k), order.size());
    const auto middle = order.begin() + static_cast<std::ptrdiff_t>(count);
    std::partial_sort(order.begin(), middle, order.end(), [&](std::int64_t a, std::int64_t b) {
        const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
        return x > y || (x == y && a < b);
    });
    order.resize(count);
    return order;
}

}  // namespace cambium
