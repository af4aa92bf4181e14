// Dead nodes, widening to f64, and the facts about a graph that several passes ask for.
#include "engine/graph/passes/passes.h"

namespace cambium::passes {

void drop_dead_nodes(Graph& graph) {
    std::vector<bool> needed(graph.values().size(), false);
    for (const auto& [name, value] : graph.outputs()) needed[static_cast<std::size_t>(value)] = true;
    const std::vector<Node>& nodes = graph.nodes();
    std::vector<bool> keep(nodes.size(), false);
    for (std::size_t index = nodes.size(); index-- > 0;) {
        const Node& node = nodes[index];
        bool wanted = std::holds_alternative<ops::Assign>(node.op);
        for (const int output : node.outputs) wanted = wanted || needed[static_cast<std::size_t>(output)];
        if (!wanted) continue;
        keep[index] = true;
        for (const int input : node.inputs) needed[static_cast<std::size_t>(input)] = true;
    }
    std::vector<Node> kept;
    for (std::size_t index = 0; index < nodes.size(); ++index) {
        if (keep[index]) kept.push_back(nodes[index]);
    }
    graph.replace_nodes(std::move(kept));
}

void widen_to_f64(Graph& graph) {
    std::vector<Node> nodes = graph.nodes();
    for (Node& node : nodes) {
        const auto widen = [](TensorSpec& spec) {
            if (spec.dtype == DType::f32) spec.dtype = DType::f64;
        };
        if (auto* input = std::get_if<ops::Input>(&node.op)) widen(input->spec);
        if (auto* read = std::get_if<ops::Read>(&node.op)) widen(read->spec);
        if (auto* fill = std::get_if<ops::Fill>(&node.op)) widen(fill->spec);
        if (auto* convert = std::get_if<ops::Convert>(&node.op); convert != nullptr && convert->dtype == DType::f32) {
            convert->dtype = DType::f64;
        }
        for (const int output : node.outputs) {
            TensorSpec spec = graph.info(output).spec;
            widen(spec);
            graph.set_spec(output, spec);
        }
    }
    graph.replace_nodes(std::move(nodes));
}

std::vector<bool> store_only(const Graph& graph) {
    std::vector<bool> result(graph.values().size(), false);
    for (const Node& node : graph.nodes()) {
        if (std::holds_alternative<ops::Input>(node.op)) continue;
        bool all = true;
        for (const int input : node.inputs) all = all && result[static_cast<std::size_t>(input)];
        for (const int output : node.outputs) result[static_cast<std::size_t>(output)] = all;
    }
    return result;
}

NodeSpec node_spec(const Graph& graph, const Node& node) {
    NodeSpec spec{node.op, {}, {}, node.epilogue};
    for (const TensorSpec& input : graph.specs(node.inputs)) spec.inputs.push_back({input, {}});
    for (const TensorSpec& output : graph.specs(node.outputs)) spec.outputs.push_back({output, {}});
    return spec;
}

}  // namespace cambium::passes
