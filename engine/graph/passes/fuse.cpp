// Fusion of elementwise steps into the convolution or matrix product before them.
#include <optional>

#include "engine/graph/passes/passes.h"

namespace cambium::passes {
namespace {

class Fuser {
  public:
    Fuser(Graph& graph, const std::function<bool(const NodeSpec&)>& supported)
        : graph_(graph), supported_(supported), uses_(count_uses(graph)), reader_(graph.values().size(), -1) {
        for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
            for (const int input : graph.nodes()[i].inputs)
                reader_[static_cast<std::size_t>(input)] = static_cast<int>(i);
        }
        for (const auto& [name, value] : graph.outputs()) reader_[static_cast<std::size_t>(value)] = -1;
    }

    void run() {
        // The fused node stands where its last step stood: by then all its operands exist.
        std::vector<std::optional<Node>> nodes(graph_.nodes().begin(), graph_.nodes().end());
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            if (!nodes[i] || !is_root(nodes[i]->op) || !nodes[i]->epilogue.empty()) continue;
            Node fused = *nodes[i];
            std::size_t at = i;
            while (const std::optional<std::size_t> next = extend(fused, nodes)) {
                nodes[at].reset();
                at = *next;
            }
            nodes[at] = std::move(fused);
        }
        std::vector<Node> kept;
        for (std::optional<Node>& node : nodes) {
            if (node) kept.push_back(std::move(*node));
        }
        graph_.replace_nodes(std::move(kept));
    }

  private:
    static bool is_root(const Op& op) {
        return std::holds_alternative<ops::Conv2d>(op) || std::holds_alternative<ops::MatMul>(op);
    }

    // Adds the only reader of `fused`'s result to its epilogue, if it is a step and the backend accepts it.
    std::optional<std::size_t> extend(Node& fused, const std::vector<std::optional<Node>>& nodes) const {
        const auto result = static_cast<std::size_t>(fused.outputs[0]);
        if (uses_[result] != 1 || reader_[result] < 0) return {};
        const auto index = static_cast<std::size_t>(reader_[result]);
        if (!nodes[index]) return {};
        Node candidate = fused;
        if (!append_step(candidate, *nodes[index], static_cast<int>(result))) return {};
        candidate.outputs = nodes[index]->outputs;
        if (!supported_(node_spec(graph_, candidate))) return {};
        fused = std::move(candidate);
        return index;
    }

    static bool append_step(Node& fused, const Node& step, int result) {
        using Kind = EpilogueStep::Kind;
        const int next = static_cast<int>(fused.inputs.size());
        const auto operands = [&](std::size_t from) {
            fused.inputs.insert(fused.inputs.end(), step.inputs.begin() + static_cast<std::ptrdiff_t>(from),
                                step.inputs.end());
        };
        if (std::holds_alternative<ops::Relu>(step.op)) {
            fused.epilogue.push_back({Kind::relu});
        } else if (std::holds_alternative<ops::Gelu>(step.op)) {
            fused.epilogue.push_back({Kind::gelu});
        } else if (std::holds_alternative<ops::AddBias>(step.op) && step.inputs[0] == result) {
            fused.epilogue.push_back({Kind::add_bias, next});
            operands(1);
        } else if (std::holds_alternative<ops::ScaleShift>(step.op) && step.inputs[0] == result) {
            fused.epilogue.push_back({Kind::scale_shift, next, step.inputs.size() == 3 ? next + 1 : -1});
            operands(1);
        } else if (std::holds_alternative<ops::Add>(step.op)) {
            fused.epilogue.push_back({Kind::add, next});
            fused.inputs.push_back(step.inputs[0] == result ? step.inputs[1] : step.inputs[0]);
        } else {
            return false;
        }
        return true;
    }

    Graph& graph_;
    const std::function<bool(const NodeSpec&)>& supported_;
    std::vector<int> uses_, reader_;
};

}  // namespace

void fuse_epilogues(Graph& graph, const std::function<bool(const NodeSpec&)>& supported) {
    Fuser(graph, supported).run();
}

}  // namespace cambium::passes
