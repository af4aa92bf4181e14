// Reverse-mode differentiation as graph building (Linnainmaa 1970): each operator's rule appends the nodes that compute
// the gradients of its inputs. Only what leads from a wanted value to the loss is built, so freezing prunes the
// backward pass.
#pragma once

#include <optional>
#include <vector>

#include "engine/graph/graph.h"

namespace cambium {

// What a gradient rule sees of its node. Input and output indices are the operator's.
class Backward {
  public:
    Backward(Graph& graph, const Node& node, std::vector<std::optional<Value>> output_gradients,
             std::vector<bool> wanted);

    Graph& graph() const { return graph_; }
    Value input(int index) const { return graph_.value(inputs_[static_cast<std::size_t>(index)]); }
    int inputs() const { return static_cast<int>(inputs_.size()); }
    Value output(int index = 0) const { return graph_.value(outputs_[static_cast<std::size_t>(index)]); }
    // The gradient of the loss with respect to an output; throws Error if the loss does not depend on it.
    Value gradient(int index = 0) const;
    bool has_gradient(int index) const { return output_gradients_[static_cast<std::size_t>(index)].has_value(); }
    bool wanted(int index) const { return wanted_[static_cast<std::size_t>(index)]; }

    void set(int index, Value gradient);  // of the loss with respect to input `index`
    // Throws Error: this operator (or this input of it) has no gradient.
    [[noreturn]] void none(std::string_view why) const;

    const std::vector<std::optional<Value>>& results() const { return results_; }

  private:
    Graph& graph_;
    std::string_view name_;
    std::vector<int> inputs_, outputs_;
    std::vector<std::optional<Value>> output_gradients_, results_;
    std::vector<bool> wanted_;
};

struct ParameterGradient {
    EntrySpec parameter;
    Value value, gradient;
};

// Gradients of the scalar `loss` with respect to each of `targets`, in their order. Throws Error if the loss does not
// depend on a target or passes through an operator without a gradient.
std::vector<Value> gradients(Value loss, const std::vector<Value>& targets);

// The same for every trainable parameter that the graph declares, in alphabetical order. Throws Error if there is none.
std::vector<ParameterGradient> parameter_gradients(Value loss);

}  // namespace cambium
