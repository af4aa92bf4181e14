#include "tools/training/step_graphs.h"

#include <algorithm>

#include "engine/base/fail.h"
#include "engine/graph/gradients.h"
#include "engine/optim/optimizer.h"

namespace cambium {
namespace {

constexpr const char* window_loss = "window.loss";
constexpr const char* window_denominator = "window.denominator";
constexpr const char* window_right = "window.right";
constexpr const char* window_samples = "window.samples";

EntrySpec scalar(const char* name) { return {.name = name, .spec = {Shape{}, DType::f32}, .role = Role::accumulator}; }

// Adds to the running metrics; a batch whose loss is not finite is left out, or it would drown all others.
void accumulate_window(Graph& graph, const Loss& loss, Value logits, Value labels) {
    graph.label("metrics");
    const auto add_to = [&](const char* name, Value term) {
        const Value entry = graph.entry(scalar(name));
        graph.assign(entry, add(entry, term), loss.sum);
    };
    add_to(window_loss, loss.sum);
    add_to(window_denominator, loss.denominator);
    add_to(window_right, top_k_count(logits, labels, 1));
    add_to(window_samples, graph.constant({}, static_cast<double>(labels.shape()[0])));
}

Shape with_rows(std::int64_t rows, const Shape& sample) {
    std::vector<std::int64_t> extents = {rows};
    extents.insert(extents.end(), sample.extents().begin(), sample.extents().end());
    return Shape(extents);
}

std::string layer_of(const std::string& name) {
    std::size_t begin = 0;
    while (begin < name.size()) {
        const std::size_t end = std::min(name.find('.', begin), name.size());
        const bool numbered =
            std::any_of(name.begin() + static_cast<std::ptrdiff_t>(begin),
                        name.begin() + static_cast<std::ptrdiff_t>(end), [](char c) { return c >= '0' && c <= '9'; });
        if (numbered) return name.substr(0, end);
        begin = end + 1;
    }
    return name.substr(0, name.rfind('.'));
}

// The class weights are part of the configuration, hence constants of the graph: one row of fills, side by side.
Value class_weights(Graph& graph, const std::vector<double>& weights) {
    std::vector<Value> parts;
    for (const double weight : weights) parts.push_back(graph.constant({1}, weight));
    return concat(parts, 0);
}

}  // namespace

struct PhaseGraphs::Built {
    Value logits;
    Network network;  // without it, its statistics are empty
};

PhaseGraphs::PhaseGraphs(const TrainingConfig& run, const PhaseConfig& own, const Architecture& model)
    : config(run), phase(own), architecture(model) {
    constexpr std::string_view suffix = ".running_mean";
    const Graph graph = features(1);
    for (const auto& [name, spec] : graph.entries()) {
        if (name.ends_with(suffix)) norms_.insert(name.substr(0, name.size() - suffix.size()));
    }
}

bool PhaseGraphs::trains(std::string_view parameter) const {
    if (phase.norms_frozen && norms_.contains(parameter.substr(0, parameter.rfind('.')))) return false;
    return phase.selection(parameter);
}

// Photos as the network reads them. Erasing writes what normalisation turns into zero.
Value PhaseGraphs::photos(Graph& graph, std::int64_t batch, Mode mode) const {
    const Preprocessing& to = config.preprocessing;
    if (mode != Mode::training || !augments()) return image_input(graph, batch, to);
    ops::Augment augment_as{.normalization = normalization(to)};
    for (std::size_t c = 0; c < 3; ++c) {
        augment_as.fill[c] =
            to.mean[to.order == ChannelOrder::rgb ? c : 2 - c] * (to.scale == PixelScale::unit ? 255 : 1);
    }
    const bool contrast = config.augmentation.contrast > 0;
    augment_as.contrast = contrast ? ops::Augment::Contrast::possible : ops::Augment::Contrast::none;
    const Value images = graph.input(images_input, {batch, to.crop, to.crop, 3}, DType::u8);
    return augment(images, graph.input(table_input, {batch, AugmentParameters::columns}, DType::f32), augment_as);
}

PhaseGraphs::Built PhaseGraphs::build(Graph& graph, std::int64_t batch, const Shape& feature, Mode mode) const {
    NetworkOptions options{
        .mode = mode, .classes = classes(), .dropout = config.dropout, .seed = static_cast<std::uint32_t>(config.seed)};
    if (mode == Mode::training) {
        options.trainable = [this](std::string_view name) { return trains(name); };
        options.step = graph.input(dropout_step_input, Shape{}, DType::i32);
    }
    if (from_features()) {
        const Value features = graph.input(features_input, with_rows(batch, feature), DType::f32);
        return {build_head(architecture, features, options), {}};
    }
    Network network = build_network(architecture, photos(graph, batch, mode), options);
    return {network.logits, std::move(network)};
}

Value PhaseGraphs::update(Graph& graph, std::span<const ParameterGradient> gradients, const Loss& loss) const {
    const std::map<std::string, double> factors = layer_rate_factors(parameters().trained, phase.layer_decay);
    const ParameterTable table = [&](const EntrySpec& parameter) {
        ParameterOptions options = decay_matrices(phase.weight_decay)(parameter);
        options.rate_factor = factors.at(parameter.name);
        return options;
    };
    if (phase.optimizer == OptimizerKind::sgd) {
        return sgd(graph, gradients, loss,
                   {.momentum = phase.momentum,
                    .kind = ops::SgdUpdate::Momentum::nesterov,
                    .max_norm = config.clip,
                    .parameters = table})
            .scale;
    }
    const AdamOptions options{.max_norm = config.clip, .parameters = table};
    return phase.optimizer == OptimizerKind::adam ? adam(graph, gradients, loss, options).scale
                                                  : adamw(graph, gradients, loss, options).scale;
}

Graph PhaseGraphs::train(std::int64_t batch, const Shape& feature) const {
    Graph graph;
    const Value labels = graph.input(labels_input, {batch}, DType::i32);
    const Built built = build(graph, batch, feature, Mode::training);
    graph.label("loss");
    const ops::SoftmaxCrossEntropy attributes{.label_smoothing = config.label_smoothing};
    const Value targets = mixes() ? graph.input(targets_input, {batch, classes()}, DType::f32) : labels;
    const Loss loss =
        config.class_weights.empty()
            ? softmax_cross_entropy(built.logits, targets, attributes)
            : softmax_cross_entropy(built.logits, targets, class_weights(graph, config.class_weights), attributes);
    const std::vector<ParameterGradient> gradients = parameter_gradients(loss.sum);
    if (config.accumulate > 1) {
        accumulate(graph, gradients, loss);
        assign_statistics(built.network, loss.sum);
    } else {
        const Value guard = update(graph, gradients, loss);
        assign_statistics(built.network, guard);
        if (config.average_decay > 0) average_weights(graph, guard);
    }
    accumulate_window(graph, loss, built.logits, labels);
    return graph;
}

Graph PhaseGraphs::apply() const {
    Graph declared;
    build(declared, config.batch, from_features() ? feature_shape() : Shape{}, Mode::training);
    std::vector<EntrySpec> parameters;
    for (const auto& [name, spec] : declared.entries()) {
        if (spec.trainable) parameters.push_back(spec);
    }
    Graph graph;
    const Accumulated sums = accumulated(graph, parameters);
    const Value guard = update(graph, sums.gradients, sums.loss);
    if (config.average_decay > 0) average_weights(graph, guard);
    return graph;
}

Graph PhaseGraphs::evaluate(std::int64_t batch, const Shape& feature) const {
    Graph graph;
    graph.output("logits", build(graph, batch, feature, Mode::evaluation).logits);
    return graph;
}

Graph PhaseGraphs::features(std::int64_t batch) const {
    Graph graph;
    const Value images = image_input(graph, batch, config.preprocessing);
    graph.output(features_input, build_network(architecture, images, {.classes = classes()}).features);
    return graph;
}

Shape PhaseGraphs::feature_shape() const {
    const Graph graph = features(1);
    const Shape shape = graph.info(graph.outputs()[0].second).spec.shape;
    return Shape(shape.extents().subspan(1));
}

PhaseGraphs::Parameters PhaseGraphs::parameters() const {
    Graph graph;
    build_network(architecture, image_input(graph, 1, config.preprocessing), {.classes = classes()});
    Parameters result;
    for (const Node& node : graph.nodes()) {
        const auto* read = std::get_if<ops::Read>(&node.op);
        if (read == nullptr || graph.entries().at(read->entry).role != Role::parameter) continue;
        const bool trained = trains(read->entry);
        (trained ? result.trained : result.frozen).push_back(read->entry);
        (trained ? result.trained_count : result.frozen_count) += read->spec.shape.count();
    }
    return result;
}

bool PhaseGraphs::augments() const { return !from_features() && config.augment; }
bool PhaseGraphs::mixes() const {
    return augments() && (config.augmentation.mixup > 0 || config.augmentation.cutmix > 0);
}

std::map<std::string, double> layer_rate_factors(const std::vector<std::string>& parameters, double decay) {
    std::vector<std::string> layers;
    for (const std::string& name : parameters) {
        std::string layer = layer_of(name);
        if (std::find(layers.begin(), layers.end(), layer) == layers.end()) layers.push_back(std::move(layer));
    }
    std::map<std::string, double> factors;
    for (const std::string& name : parameters) {
        const auto at = std::find(layers.begin(), layers.end(), layer_of(name)) - layers.begin();
        double factor = 1;
        for (std::ptrdiff_t i = at + 1; i < std::ssize(layers); ++i) factor *= decay;
        factors[name] = factor;
    }
    return factors;
}

WindowSums take_window(Store& store) {
    const auto take = [&](const char* name) {
        const double value = store.read(name).converted(DType::f64).values<double>()[0];
        store.write(name, Tensor(Shape{}, DType::f64));
        return value;
    };
    return {take(window_loss), take(window_denominator), take(window_right), take(window_samples)};
}

bool leaves_single_values(const Graph& train, std::int64_t batch, std::int64_t rows) {
    for (const Node& node : train.nodes()) {
        if (!std::holds_alternative<ops::BatchNorm>(node.op)) continue;
        const Shape& shape = train.info(node.inputs[0]).spec.shape;
        if (shape.count() / shape[-1] / batch * rows == 1) return true;
    }
    return false;
}

}  // namespace cambium
