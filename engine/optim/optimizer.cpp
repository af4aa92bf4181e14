#include "engine/optim/optimizer.h"

#include "engine/base/fail.h"

namespace cambium {
namespace {

constexpr const char* average_prefix = "average.";

// An entry of the parameter's shape and layout, zero at first: momentum, moments, accumulators.
EntrySpec companion(const EntrySpec& parameter, const std::string& prefix, Role role) {
    return {.name = prefix + parameter.name, .spec = parameter.spec, .role = role, .layout = parameter.layout};
}

EntrySpec scalar_entry(const std::string& name, DType dtype, Role role) {
    return {.name = name, .spec = {Shape{}, dtype}, .role = role};
}

ParameterOptions options_of(const ParameterTable& table, const EntrySpec& parameter) {
    return table ? table(parameter) : ParameterOptions{};
}

// What all optimizers have in common: the norm, the scale, the counters and the rate.
struct Preamble {
    Update update;
    Value rate, step;
};

Preamble begin(Graph& graph, std::span<const ParameterGradient> gradients, const Loss& loss, double max_norm) {
    if (gradients.empty()) fail("cannot make an optimizer step: no parameter is trainable");
    graph.label("optimizer");
    std::vector<Value> tensors;
    for (const ParameterGradient& g : gradients) tensors.push_back(g.gradient);
    const Value norm = global_norm(tensors);
    const Value scale = graph.append1(ops::ClipScale{.max_norm = max_norm}, {norm, loss.denominator, loss.sum});

    const Value steps = graph.entry(scalar_entry(optimizer_steps, DType::i32, Role::counter));
    const Value attempts = graph.entry(scalar_entry(optimizer_attempts, DType::i32, Role::counter));
    const Value step = graph.append1(ops::Increment{}, {steps});
    graph.assign(steps, step, scale);
    graph.assign(attempts, graph.append1(ops::Increment{}, {attempts}));
    return {{norm, scale}, graph.input(learning_rate_input, Shape{}, DType::f32), step};
}

Update adam_with(Graph& graph, std::span<const ParameterGradient> gradients, const Loss& loss,
                 const AdamOptions& options, ops::AdamUpdate::Decay decay) {
    const Preamble common = begin(graph, gradients, loss, options.max_norm);
    for (const auto& [parameter, value, gradient] : gradients) {
        const ParameterOptions own = options_of(options.parameters, parameter);
        const Value m = graph.entry(companion(parameter, "optimizer.m.", Role::optimizer));
        const Value v = graph.entry(companion(parameter, "optimizer.v.", Role::optimizer));
        const ops::AdamUpdate update{.beta1 = options.beta1,
                                     .beta2 = options.beta2,
                                     .epsilon = options.epsilon,
                                     .weight_decay = own.weight_decay,
                                     .rate_factor = own.rate_factor,
                                     .decay = decay};
        const Value inputs[] = {value, gradient, m, v, common.rate, common.update.scale, common.step};
        const std::vector<Value> next = graph.append(update, inputs);
        graph.assign(value, next[0]);
        graph.assign(m, next[1]);
        graph.assign(v, next[2]);
    }
    return common.update;
}

}  // namespace

ParameterTable decay_matrices(double weight_decay) {
    return [weight_decay](const EntrySpec& parameter) {
        return ParameterOptions{.weight_decay = parameter.spec.shape.rank() > 1 ? weight_decay : 0};
    };
}

Update sgd(Graph& graph, std::span<const ParameterGradient> gradients, const Loss& loss, const SgdOptions& options) {
    const Preamble common = begin(graph, gradients, loss, options.max_norm);
    for (const auto& [parameter, value, gradient] : gradients) {
        const ParameterOptions own = options_of(options.parameters, parameter);
        std::vector<Value> inputs = {value, gradient};
        if (options.momentum > 0) {
            inputs.push_back(graph.entry(companion(parameter, "optimizer.momentum.", Role::optimizer)));
        }
        inputs.insert(inputs.end(), {common.rate, common.update.scale});
        const ops::SgdUpdate update{.momentum = options.momentum,
                                    .weight_decay = own.weight_decay,
                                    .rate_factor = own.rate_factor,
                                    .kind = options.kind};
        const std::vector<Value> next = graph.append(update, inputs);
        graph.assign(value, next[0]);
        if (options.momentum > 0) graph.assign(inputs[2], next[1]);
    }
    return common.update;
}

Update adam(Graph& graph, std::span<const ParameterGradient> gradients, const Loss& loss, const AdamOptions& options) {
    return adam_with(graph, gradients, loss, options, ops::AdamUpdate::Decay::coupled);
}

Update adamw(Graph& graph, std::span<const ParameterGradient> gradients, const Loss& loss, const AdamOptions& options) {
    return adam_with(graph, gradients, loss, options, ops::AdamUpdate::Decay::decoupled);
}

void accumulate(Graph& graph, std::span<const ParameterGradient> gradients, const Loss& loss) {
    graph.label("accumulate");
    const auto add_to = [&](const EntrySpec& spec, Value term) {
        const Value sum = graph.entry(spec);
        graph.assign(sum, add(sum, term));
    };
    for (const ParameterGradient& g : gradients) {
        add_to(companion(g.parameter, "accumulator.", Role::accumulator), g.gradient);
    }
    add_to(scalar_entry("accumulator.loss", DType::f32, Role::accumulator), loss.sum);
    add_to(scalar_entry("accumulator.denominator", DType::f32, Role::accumulator), loss.denominator);
}

Accumulated accumulated(Graph& graph, std::span<const EntrySpec> parameters) {
    graph.label("accumulate");
    // A sum is read and, by the end of the run, zero again; without a guard, so that one bad micro-batch costs one
    // step.
    const auto take = [&](const EntrySpec& spec) {
        const Value sum = graph.entry(spec);
        graph.assign(sum, graph.constant(spec.spec.shape, 0, spec.spec.dtype));
        return sum;
    };
    Accumulated result;
    for (const EntrySpec& parameter : parameters) {
        result.gradients.push_back(
            {parameter, graph.entry(parameter), take(companion(parameter, "accumulator.", Role::accumulator))});
    }
    result.loss = {take(scalar_entry("accumulator.loss", DType::f32, Role::accumulator)),
                   take(scalar_entry("accumulator.denominator", DType::f32, Role::accumulator))};
    return result;
}

std::string average_of(const std::string& entry) { return average_prefix + entry; }

void average_weights(Graph& graph, Value guard) {
    graph.label("average");
    const Value rate = graph.input(average_rate_input, Shape{}, DType::f32);
    const std::map<std::string, int> assigned = graph.assigned();  // a copy: the loop adds to the graph's own
    for (const auto& [name, id] : assigned) {
        const EntrySpec& source = graph.entries().at(name);
        if (source.role != Role::parameter && source.role != Role::statistic) continue;
        if (!is_real(source.spec.dtype)) continue;
        const Value average = graph.entry(companion(source, average_prefix, Role::average));
        graph.assign(average, lerp(average, graph.value(id), rate), guard);
    }
}

void start_averages(const Graph& graph, Store& store) {
    for (const auto& [name, spec] : graph.entries()) {
        if (spec.role != Role::average || store.contains(name)) continue;
        store.declare(spec);
        store.write(name, store.read(name.substr(std::string(average_prefix).size())));
    }
}

}  // namespace cambium
