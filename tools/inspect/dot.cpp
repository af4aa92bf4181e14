#include "tools/inspect/dot.h"

#include <fmt/format.h>

namespace cambium {
namespace {

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result;
}

std::string caption(const Graph& graph, const Node& node) {
    std::string text{name_of(node.op)};
    if (const std::string said = attributes(node.op); !said.empty()) text += "\\n" + escaped(said);
    if (!node.label.empty()) text += "\\n" + escaped(node.label);
    const double flops = cost(node.op, graph.specs(node.inputs), graph.specs(node.outputs));
    if (flops > 0) text += fmt::format("\\n{:.3g} MFLOP", flops * 1e-6);
    return text;
}

}  // namespace

std::string to_dot(const Graph& graph, const std::string& name) {
    std::string text = fmt::format("digraph \"{}\" {{\n  node [shape=box, fontname=\"sans-serif\"];\n", escaped(name));
    for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
        const Node& node = graph.nodes()[i];
        const bool source = node.inputs.empty();
        text += fmt::format("  n{} [label=\"{}\"{}];\n", i, caption(graph, node), source ? ", shape=ellipse" : "");
        for (const int input : node.inputs) {
            const ValueInfo& value = graph.info(input);
            text += fmt::format("  n{} -> n{} [label=\"{}\"];\n", value.node, i, to_string(value.spec));
        }
    }
    return text + "}\n";
}

}  // namespace cambium
