#include "tests/networks/network_step.h"

#include <algorithm>
#include <cmath>

#include "engine/base/philox.h"
#include "engine/graph/gradients.h"
#include "engine/ops/functions.h"
#include "models/architectures.h"
#include "tests/hash_fill.h"

namespace cambium::test {
namespace {

std::uint32_t seed_of(const std::string& name) { return hash_name(name.data(), name.size()); }

bool is_statistic(const std::string& name) { return name.find(".running_") != std::string::npos; }

std::unique_ptr<Backend> make_backend(Precision precision) {
    return precision == Precision::f64 ? make_reference_backend() : make_cpu_backend();
}

}  // namespace

Tensor golden_parameter(const std::string& name, const Shape& shape) {
    Tensor tensor(shape, DType::f64);
    int k = 19;
    double base = 0;
    if (shape.rank() > 1) {
        const double fan_in = static_cast<double>(shape.count()) / static_cast<double>(shape[0]);
        k = 15 - static_cast<int>(std::nearbyint(std::log2(std::sqrt(6 / fan_in))));
    } else if (name.ends_with("weight")) {
        k = 17;
        base = 1;
    }
    hash_fill(tensor.values<double>(), seed_of(name), k);
    for (double& value : tensor.values<double>()) value += base;
    return tensor;
}

Tensor golden_images(std::uint32_t seed, std::int64_t batch, std::int64_t side) {
    Tensor images({batch, side, side, 3}, DType::f64);
    const auto values = images.values<double>();
    for (std::int64_t n = 0; n < batch; ++n) {
        for (std::int64_t c = 0; c < 3; ++c) {
            for (std::int64_t p = 0; p < side * side; ++p) {
                values[static_cast<std::size_t>((n * side * side + p) * 3 + c)] =
                    hash_value(2 * seed, static_cast<std::uint64_t>((n * 3 + c) * side * side + p), 14);
            }
        }
    }
    return images;
}

Tensor golden_labels(std::uint32_t seed, std::int64_t batch) {
    Tensor labels(Shape{batch}, DType::i32);
    for (std::size_t i = 0; i < static_cast<std::size_t>(batch); ++i) {
        labels.values<std::int32_t>()[i] = static_cast<std::int32_t>(hash_below(2 * seed + 1, i, 1000));
    }
    return labels;
}

Tensor sampled(const std::string& name, const Tensor& values) {
    constexpr std::size_t entries = 64;
    const auto all = values.values<double>();
    Tensor result(Shape{static_cast<std::int64_t>(entries) + 2}, DType::f64);
    const auto sample = result.values<double>();
    double squares = 0, largest = 0;
    for (const double value : all) {
        squares += value * value;
        largest = std::max(largest, std::abs(value));
    }
    sample[0] = std::sqrt(squares);
    sample[1] = largest;
    for (std::size_t i = 0; i < entries; ++i) {
        const std::uint64_t hash = hash32(seed_of(name) + static_cast<std::uint32_t>(i));
        sample[2 + i] = all[static_cast<std::size_t>((hash * all.size()) >> 32)];
    }
    return result;
}

NetworkStep::NetworkStep(const StepOptions& options)
    : options_(options),
      backend_(make_backend(options.precision)),
      store_(backend_->memory(), options.precision == Precision::f64 ? DType::f64 : DType::f32) {
    Graph graph;
    const Value images = graph.input("images", {options.batch, options.side, options.side, 3}, DType::f32);
    const Value labels = graph.input("labels", {options.batch}, DType::i32);
    const Network network = build_network(architecture(options.architecture), images,
                                          {.mode = Mode::training, .classes = 1000, .dropout = 0.0});
    const Loss loss = softmax_cross_entropy(network.logits, labels);
    graph.output("loss", loss.sum);
    const double mean = 1.0 / static_cast<double>(options.batch);
    for (const ParameterGradient& p : parameter_gradients(loss.sum)) {
        parameters_.push_back(p.parameter.name);
        graph.output(p.parameter.name, p.gradient);
        if (options.momentum_rate == 0) continue;
        const Value buffer = graph.entry({p.parameter.name + ".momentum", p.parameter.spec, Role::optimizer});
        const Value operands[] = {p.value, p.gradient, buffer, graph.constant({}, options.momentum_rate),
                                  graph.constant({}, mean)};
        const std::vector<Value> updated = graph.append(ops::SgdUpdate{.momentum = 0.9}, operands);
        graph.assign(p.value, updated[0]);
        graph.assign(buffer, updated[1]);
    }
    assign_statistics(network);
    declare_entries(graph, store_);
    for (const std::string& name : store_.names()) {
        const EntrySpec& spec = store_.entry(name).spec;
        if (spec.role != Role::parameter || is_statistic(name)) continue;
        store_.write_file(name, golden_parameter(name, spec.layout.file_shape(spec.spec.shape)));
    }
    program_ = std::make_unique<Program>(compile(graph, store_, *backend_, {options.precision}));
}

double NetworkStep::run(std::uint32_t seed) {
    program_->set("images", golden_images(seed, options_.batch, options_.side));
    program_->set("labels", golden_labels(seed, options_.batch));
    program_->run();
    return program_->scalar("loss") / static_cast<double>(options_.batch);
}

Tensor NetworkStep::gradient(const std::string& parameter) const {
    Tensor sum = program_->get(parameter).converted(DType::f64);
    for (double& value : sum.values<double>()) value /= static_cast<double>(options_.batch);
    return store_.entry(parameter).spec.layout.to_file(sum);
}

Tensor NetworkStep::entry(const std::string& name) const { return store_.read_file(name).converted(DType::f64); }

Tensor NetworkStep::evaluation_logits(std::uint32_t seed) {
    Graph graph;
    const Value images = graph.input("images", {options_.batch, options_.side, options_.side, 3}, DType::f32);
    graph.output("logits", build_network(architecture(options_.architecture), images, {.classes = 1000}).logits);
    Program evaluation = compile(graph, store_, *backend_, {options_.precision});
    evaluation.set("images", golden_images(seed, options_.batch, options_.side));
    evaluation.run();
    return evaluation.get("logits").converted(DType::f64);
}

}  // namespace cambium::test
