#include "engine/graph/gradients.h"

#include "engine/base/fail.h"
#include "engine/ops/functions.h"

namespace cambium {
namespace {

// Values that depend on one of `targets`, the targets included.
std::vector<bool> dependents(const Graph& graph, const std::vector<Value>& targets) {
    std::vector<bool> depends(graph.values().size(), false);
    for (const Value target : targets) depends[static_cast<std::size_t>(target.id)] = true;
    for (const Node& node : graph.nodes()) {
        bool any = false;
        for (const int input : node.inputs) any = any || depends[static_cast<std::size_t>(input)];
        for (const int output : node.outputs) {
            if (any) depends[static_cast<std::size_t>(output)] = true;
        }
    }
    return depends;
}

class Differentiation {
  public:
    Differentiation(Value loss, const std::vector<Value>& targets)
        : graph_(*loss.graph), depends_(dependents(graph_, targets)), gradients_(graph_.values().size()) {
        gradients_[static_cast<std::size_t>(loss.id)] = graph_.constant({}, 1, loss.dtype());
        const std::string label = graph_.label();
        for (int index = graph_.info(loss.id).node; index >= 0; --index) visit(index);
        graph_.label(label);
    }

    std::optional<Value> gradient(Value target) const { return gradients_[static_cast<std::size_t>(target.id)]; }

  private:
    void visit(int index) {
        const Node node = graph_.nodes()[static_cast<std::size_t>(index)];  // a copy: appending moves the nodes
        std::vector<std::optional<Value>> outputs;
        bool reached = false, wanted_any = false;
        for (const int output : node.outputs) {
            outputs.push_back(gradients_[static_cast<std::size_t>(output)]);
            reached = reached || outputs.back().has_value();
        }
        std::vector<bool> wanted;
        for (const int input : node.inputs) {
            wanted.push_back(depends_[static_cast<std::size_t>(input)]);
            wanted_any = wanted_any || wanted.back();
        }
        if (!reached || !wanted_any) return;
        graph_.label(node.label);
        Backward backward(graph_, node, std::move(outputs), wanted);
        std::visit([&](const auto& op) { ops::differentiate(op, backward); }, node.op);
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
            if (!wanted[i]) continue;
            if (!backward.results()[i]) fail("{} gave no gradient for its input {}", name_of(node.op), i);
            accumulate(node.inputs[i], *backward.results()[i]);
        }
    }

    void accumulate(int value, Value gradient) {
        std::optional<Value>& sum = gradients_[static_cast<std::size_t>(value)];
        sum = sum ? add(*sum, gradient) : gradient;
    }

    Graph& graph_;
    std::vector<bool> depends_;
    std::vector<std::optional<Value>> gradients_;
};

}  // namespace

Backward::Backward(Graph& graph, const Node& node, std::vector<std::optional<Value>> output_gradients,
                   std::vector<bool> wanted)
    : graph_(graph),
      name_(name_of(node.op)),
      inputs_(node.inputs),
      outputs_(node.outputs),
      output_gradients_(std::move(output_gradients)),
      results_(node.inputs.size()),
      wanted_(std::move(wanted)) {}

Value Backward::gradient(int index) const {
    if (!has_gradient(index)) fail("{}: the loss does not depend on output {}", name_, index);
    return *output_gradients_[static_cast<std::size_t>(index)];
}

void Backward::set(int index, Value gradient) {
    if (gradient.shape() != input(index).shape()) {
        fail("{}: the gradient of input {} has the shape {}, not {}", name_, index, to_string(gradient.shape()),
             to_string(input(index).shape()));
    }
    results_[static_cast<std::size_t>(index)] = gradient;
}

void Backward::none(std::string_view why) const { fail("{} has no gradient here: {}", name_, why); }

std::vector<Value> gradients(Value loss, const std::vector<Value>& targets) {
    if (loss.shape().rank() != 0) fail("the loss must be a scalar, not {}", to_string(loss.shape()));
    const Differentiation differentiation(loss, targets);
    std::vector<Value> results;
    for (const Value target : targets) {
        const std::optional<Value> gradient = differentiation.gradient(target);
        if (!gradient) {
            fail("the loss does not depend on {}", describe(target.graph->producer(target.id).op, {}));
        }
        results.push_back(*gradient);
    }
    return results;
}

std::vector<ParameterGradient> parameter_gradients(Value loss) {
    Graph& graph = *loss.graph;
    std::vector<ParameterGradient> parameters;
    std::vector<Value> targets;
    for (const auto& [name, spec] : graph.entries()) {
        if (!spec.trainable) continue;
        parameters.push_back({spec, graph.entry(spec), {}});
        targets.push_back(parameters.back().value);
    }
    if (targets.empty()) fail("no parameter is trainable: nothing is left to train");
    const std::vector<Value> results = gradients(loss, targets);
    for (std::size_t i = 0; i < results.size(); ++i) parameters[i].gradient = results[i];
    return parameters;
}

}  // namespace cambium
