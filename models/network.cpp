#include "models/network.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/base/fail.h"

namespace cambium {
namespace {

struct Fans {
    double in, out;
};

Initializer initial(Init init, Fans fans) {
    switch (init) {
        case Init::pytorch:
            return Initializer::uniform(1 / std::sqrt(fans.in));
        case Init::he_normal_fan_out:
            return Initializer::normal(std::sqrt(2 / fans.out));
        case Init::he_normal_fan_in:
            return Initializer::normal(std::sqrt(2 / fans.in));
        case Init::he_uniform_fan_in:
            return Initializer::uniform(std::sqrt(6 / fans.in));  // variance 2 / fan in
        case Init::lecun_normal:
            return Initializer::normal(std::sqrt(1 / fans.in));
        case Init::xavier_uniform:
            return Initializer::uniform(std::sqrt(6 / (fans.in + fans.out)));
        case Init::normal_001:
            return Initializer::normal(0.01);
        case Init::zero:
            return Initializer::constant(0);
    }
    return {};
}

Initializer initial(Bias bias, double fan_in) {
    switch (bias) {
        case Bias::pytorch:
            return Initializer::uniform(1 / std::sqrt(fan_in));
        case Bias::near_zero:
            return Initializer::normal(1e-6);
        case Bias::zero:
        case Bias::none:
            break;
    }
    return Initializer::constant(0);
}

}  // namespace

Value Network::tap(std::string_view name) const {
    std::string known;
    for (const Tap& tap : taps) {
        if (tap.name == name) return tap.value;
        known += (known.empty() ? "" : ", ") + tap.name;
    }
    fail_usage("the network has no tap '{}'; it has {}", name, known);
}

void assign_statistics(const Network& network, std::optional<Value> guard) {
    for (const StatisticUpdate& update : network.statistics) {
        Graph& graph = *update.entry.graph;
        if (guard) {
            graph.assign(update.entry, update.value, *guard);
        } else {
            graph.assign(update.entry, update.value);
        }
    }
}

bool Builder::trains(const std::string& parameter) const {
    if (options_.mode == Mode::evaluation) return false;
    return !options_.trainable || options_.trainable(parameter);
}

Value Builder::parameter(const std::string& name, Shape shape, const Initializer& initializer,
                         const FileLayout& layout) {
    return graph_.entry({.name = name,
                         .spec = {shape, DType::f32},
                         .role = Role::parameter,
                         .layout = layout,
                         .initializer = initializer,
                         .trainable = trains(name)});
}

Value Builder::statistic(const std::string& name, Shape shape, double value) {
    return graph_.entry({.name = name,
                         .spec = {shape, DType::f32},
                         .role = Role::statistic,
                         .initializer = Initializer::constant(value)});
}

// y plus a bias along its last axis, `name` if it is to have one.
Value Builder::biased(const std::string& name, Value y, Bias bias, double fan_in) {
    if (bias == Bias::none) return y;
    return add_bias(y, parameter(name, {y.shape()[-1]}, initial(bias, fan_in)));
}

Value Builder::convolution(const std::string& name, Value x, const Convolution& attributes) {
    graph_.label(name);
    const std::int64_t inputs = x.shape()[3], outputs = attributes.channels;
    const auto [height, width] = attributes.kernel;
    const double positions = static_cast<double>(height * width);
    const Fans fans{positions * static_cast<double>(inputs), positions * static_cast<double>(outputs)};
    const Value filter = parameter(name + ".weight", {outputs, height, width, inputs}, initial(attributes.init, fans),
                                   {.kind = FileLayout::Kind::oihw});
    const Value y = conv2d(x, filter, {.stride = attributes.stride, .padding = attributes.padding});
    return biased(name + ".bias", y, attributes.bias, fans.in);
}

Value Builder::dense(const std::string& name, Value x, const Dense& attributes) {
    graph_.label(name);
    const std::int64_t inputs = x.shape()[1], outputs = attributes.outputs;
    const Fans fans{static_cast<double>(inputs), static_cast<double>(outputs)};
    const Value weight =
        parameter(name + ".weight", {outputs, inputs}, initial(attributes.init, fans), attributes.layout);
    return biased(name + ".bias", linear(x, weight), attributes.bias, fans.in);
}

Value Builder::layer_norm(const std::string& name, Value x, double epsilon) {
    graph_.label(name);
    const Shape channels{x.shape()[-1]};
    return cambium::layer_norm(x, parameter(name + ".weight", channels, Initializer::constant(1)),
                               parameter(name + ".bias", channels, Initializer::constant(0)), epsilon);
}

Value Builder::self_attention(const std::string& name, Value x, const SelfAttention& attributes) {
    graph_.label(name);
    const std::int64_t width = x.shape()[1], sequences = attributes.sequences, heads = attributes.heads;
    const std::int64_t tokens = x.shape()[0] / sequences;
    const Fans fans{static_cast<double>(width), static_cast<double>(3 * width)};
    const Value weight = parameter(name + ".in_proj_weight", {3 * width, width}, initial(Init::xavier_uniform, fans));
    const Value qkv = biased(name + ".in_proj_bias", linear(x, weight), Bias::zero, fans.in);
    const Value y = attention(reshape(qkv, {sequences, tokens, 3, heads, width / heads}), attributes.mask);
    return dense(name + ".out_proj", reshape(y, {sequences * tokens, width}), {.outputs = width, .bias = Bias::zero});
}

Value Builder::learned(const std::string& name, Shape shape, const Initializer& initializer) {
    graph_.label(name);
    return parameter(name, shape, initializer);
}

Value Builder::batch_norm(const std::string& name, Value x, double epsilon) {
    graph_.label(name);
    const Shape channels{x.shape()[-1]};
    const Value gamma = parameter(name + ".weight", channels, Initializer::constant(1));
    const Value beta = parameter(name + ".bias", channels, Initializer::constant(0));
    const Value mean = statistic(name + ".running_mean", channels, 0);
    const Value variance = statistic(name + ".running_var", channels, 1);
    if (!trains(name + ".weight") && !trains(name + ".bias")) {
        return batch_norm_inference(x, gamma, beta, mean, variance, epsilon);
    }
    const BatchNormResult result = cambium::batch_norm(x, gamma, beta, epsilon);
    const double values = static_cast<double>(x.shape().count() / channels.count());  // per channel
    const Value momentum = graph_.constant({}, 0.1);
    statistics_.push_back({mean, lerp(mean, result.mean, momentum)});
    statistics_.push_back({variance, lerp(variance, scale(result.variance, values / (values - 1)), momentum)});
    return result.y;
}

Value Builder::dropout(const std::string& name, Value x, double rate, const std::string& next) {
    graph_.label(name);
    rate = options_.dropout.value_or(rate);
    if (rate <= 0 || !trains(next + ".weight")) return x;
    if (!options_.step) fail("'{}' trains with dropout, which needs a step counter (NetworkOptions::step)", name);
    return cambium::dropout(x, *options_.step, {.rate = rate, .seed = options_.seed, .layer = name});
}

Network Builder::finish(Value logits) {
    Network network{.features = {}, .logits = logits, .taps = std::move(taps_), .statistics = std::move(statistics_)};
    network.features = network.tap("features");
    network.taps.push_back({"logits", logits});
    graph_.label("");
    return network;
}

}  // namespace cambium
