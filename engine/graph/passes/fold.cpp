// Folding of frozen batch norms into the convolution before them.
#include "engine/graph/passes/passes.h"

namespace cambium::passes {
namespace {

// Values made from entries that this graph never assigns: they are the same in every run.
std::vector<bool> frozen_values(const Graph& graph) {
    std::vector<bool> frozen(graph.values().size(), false);
    for (const Node& node : graph.nodes()) {
        if (std::holds_alternative<ops::Input>(node.op)) continue;
        const auto* read = std::get_if<ops::Read>(&node.op);
        bool all = read == nullptr || !graph.assigned().contains(read->entry);
        for (const int input : node.inputs) all = all && frozen[static_cast<std::size_t>(input)];
        for (const int output : node.outputs) frozen[static_cast<std::size_t>(output)] = all;
    }
    return frozen;
}

class Folder {
  public:
    explicit Folder(Graph& graph) : graph_(graph), frozen_(frozen_values(graph)), uses_(count_uses(graph)) {}

    void run() {
        std::vector<Node> nodes;
        std::vector<bool> moved(graph_.nodes().size(), false);
        for (std::size_t i = 0; i < graph_.nodes().size(); ++i) mark(graph_.nodes()[i], moved);
        for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
            if (moved[i]) continue;
            const Node& node = graph_.nodes()[i];
            if (const Match match = find(node); match.conv != nullptr) {
                rebuild(node, match, nodes);
            } else {
                nodes.push_back(node);
            }
        }
        graph_.replace_nodes(std::move(nodes));
    }

  private:
    struct Match {
        const Node* conv = nullptr;
        const Node* bias = nullptr;  // null: the convolution has none
    };

    bool frozen(int value) const { return frozen_[static_cast<std::size_t>(value)]; }
    bool used_once(int value) const { return uses_[static_cast<std::size_t>(value)] == 1; }

    Match find(const Node& node) const {
        if (!std::holds_alternative<ops::ScaleShift>(node.op)) return {};
        for (std::size_t i = 1; i < node.inputs.size(); ++i) {
            if (!frozen(node.inputs[i])) return {};
        }
        if (!used_once(node.inputs[0])) return {};
        const Node* before = &graph_.producer(node.inputs[0]);
        const Node* bias = nullptr;
        if (std::holds_alternative<ops::AddBias>(before->op)) {
            if (!frozen(before->inputs[1]) || !used_once(before->inputs[0])) return {};
            bias = before;
            before = &graph_.producer(bias->inputs[0]);
        }
        if (!std::holds_alternative<ops::Conv2d>(before->op) || !frozen(before->inputs[1])) return {};
        return {before, bias};
    }

    void mark(const Node& node, std::vector<bool>& moved) const {
        const Match match = find(node);
        for (const Node* part : {match.conv, match.bias}) {
            if (part != nullptr) moved[static_cast<std::size_t>(part - graph_.nodes().data())] = true;
        }
    }

    int append(std::vector<Node>& nodes, const Node& like, Op op, std::vector<int> inputs, int like_value) {
        const int value = graph_.new_value(graph_.info(like_value).spec);
        nodes.push_back({std::move(op), std::move(inputs), {value}, {}, like.label});
        return value;
    }

    // s (x * w + b) + t = x * (s w) + (s b + t)
    void rebuild(const Node& node, const Match& match, std::vector<Node>& nodes) {
        const int filter = match.conv->inputs[1], scale = node.inputs[1];
        const int scaled = append(nodes, node, ops::ScaleFilter{}, {filter, scale}, filter);
        int shift = node.inputs.size() == 3 ? node.inputs[2] : -1;
        if (match.bias != nullptr) {
            const int bias = append(nodes, node, ops::Multiply{}, {match.bias->inputs[1], scale}, scale);
            shift = shift < 0 ? bias : append(nodes, node, ops::Add{}, {bias, shift}, scale);
        }
        Node conv = *match.conv;
        conv.inputs[1] = scaled;
        if (shift < 0) {
            conv.outputs = node.outputs;
            nodes.push_back(std::move(conv));
            return;
        }
        const int output = conv.outputs[0];
        nodes.push_back(std::move(conv));
        nodes.push_back({ops::AddBias{}, {output, shift}, node.outputs, {}, node.label});
    }

    Graph& graph_;
    std::vector<bool> frozen_;
    std::vector<int> uses_;
};

}  // namespace

void fold_frozen_norms(Graph& graph) { Folder(graph).run(); }

}  // namespace cambium::passes
