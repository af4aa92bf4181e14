// Fusion of elementwise steps into the convolution, matrix product or batch norm before them, of a batch norm's moments
// into the convolution before it, and of relu's gradient into that of the batch norm behind it.
#include <algorithm>
#include <optional>

#include "engine/graph/passes/passes.h"

namespace cambium::passes {
namespace {

bool reads(const Node& node, const std::vector<int>& values) {
    return std::ranges::find_first_of(node.inputs, values) != node.inputs.end();
}

class Fuser {
  public:
    Fuser(Graph& graph, const std::function<bool(const NodeSpec&)>& supported)
        : graph_(graph), supported_(supported), uses_(count_uses(graph)), nodes_(graph.nodes()) {}

    void run() {
        for (std::size_t i = 0; i < nodes_.size();) {
            std::size_t at = i;
            if (is_root(nodes_[i].op) && nodes_[i].epilogue.empty()) {
                while (const std::optional<std::size_t> place = extend(at)) at = *place;
            }
            if (at == i) ++i;  // else it moved back, and another node stands here now
        }
        graph_.replace_nodes(std::move(nodes_));
    }

  private:
    static bool is_root(const Op& op) {
        return std::holds_alternative<ops::Conv2d>(op) || std::holds_alternative<ops::MatMul>(op) ||
               std::holds_alternative<ops::BatchNorm>(op);
    }

    // Adds the only reader of the first result of the node at `at` to its epilogue, if it is a step and the backend
    // accepts it. The fused node stands where the step stood, for by then all its operands exist; what needs its other
    // results, the moments of a batch norm, moves behind it. Returns the new place.
    std::optional<std::size_t> extend(std::size_t at) {
        const int result = nodes_[at].outputs[0];
        if (uses_[static_cast<std::size_t>(result)] != 1) return {};
        std::size_t step = at + 1;
        while (step < nodes_.size() && !reads(nodes_[step], {result})) ++step;
        if (step == nodes_.size()) return {};  // it is an output of the graph
        Node fused = nodes_[at];
        if (!append_step(fused, nodes_[step], result)) return {};
        fused.outputs[0] = nodes_[step].outputs[0];
        if (!supported_(node_spec(graph_, fused))) return {};

        std::vector<int> made = nodes_[at].outputs;  // and what is computed from them
        std::vector<Node> before, behind;
        for (std::size_t i = at + 1; i < step; ++i) {
            const Node& node = nodes_[i];
            const bool needs = reads(node, made);
            if (needs) made.insert(made.end(), node.outputs.begin(), node.outputs.end());
            (needs ? behind : before).push_back(node);
        }
        if (reads(fused, made)) return {};  // a summand computed from the moments
        const auto begin = nodes_.begin() + static_cast<std::ptrdiff_t>(at);
        const auto place = std::ranges::move(before, begin).out;
        *place = std::move(fused);
        nodes_.erase(std::ranges::move(behind, place + 1).out);
        return at + before.size();
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
    std::vector<int> uses_;
    std::vector<Node> nodes_;
};

}  // namespace

void fuse_epilogues(Graph& graph, const std::function<bool(const NodeSpec&)>& supported) {
    Fuser(graph, supported).run();
}

void fuse_moments(Graph& graph, const std::function<bool(const NodeSpec&)>& supported) {
    std::vector<Node> nodes = graph.nodes();
    const std::vector<int> uses = count_uses(graph);
    for (Node& norm : nodes) {
        const auto* op = std::get_if<ops::BatchNorm>(&norm.op);
        if (op == nullptr || uses[static_cast<std::size_t>(norm.outputs[0])] == 0) continue;
        Node& conv = nodes[static_cast<std::size_t>(graph.info(norm.inputs[0]).node)];
        if (!std::holds_alternative<ops::Conv2d>(conv.op) || takes_moments(conv.epilogue)) continue;
        const int mean = norm.outputs[1], variance = norm.outputs[2];
        Node with_moments = conv;
        with_moments.epilogue.push_back({EpilogueStep::Kind::moments});
        with_moments.outputs.insert(with_moments.outputs.end(), {mean, variance});
        Node apply = norm;
        apply.op = ops::BatchNormApply{op->epsilon};
        apply.inputs.insert(apply.inputs.begin() + 3, {mean, variance});
        for (EpilogueStep& step : apply.epilogue) {
            if (step.operand >= 0) step.operand += 2;
            if (step.second_operand >= 0) step.second_operand += 2;
        }
        apply.outputs.resize(1);
        if (!supported(node_spec(graph, with_moments)) || !supported(node_spec(graph, apply))) continue;
        conv = std::move(with_moments);
        norm = std::move(apply);
    }
    graph.replace_nodes(std::move(nodes));
}

void fuse_relu_gradients(Graph& graph, const std::function<bool(const NodeSpec&)>& supported) {
    std::vector<Node> nodes = graph.nodes();
    std::vector<bool> gone(nodes.size(), false);
    const auto maker = [&](int value) { return static_cast<std::size_t>(graph.info(value).node); };
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const Node norm = nodes[i];
        const auto* op = std::get_if<ops::BatchNormGradient>(&norm.op);
        if (op == nullptr) continue;
        const std::size_t at = maker(norm.inputs[0]);
        const Node relu = nodes[at];
        if (!std::holds_alternative<ops::ReluGradient>(relu.op)) continue;
        // The fused node stands where relu's gradient stood, for others read that too.
        const bool made = std::all_of(norm.inputs.begin() + 1, norm.inputs.end(), [&](int x) { return maker(x) < at; });
        Node fused = norm;
        fused.op = ops::BatchNormReluGradient{op->epsilon};
        fused.inputs.erase(fused.inputs.begin());
        fused.inputs.insert(fused.inputs.begin(), {relu.inputs[0], relu.inputs[1]});
        fused.outputs.push_back(relu.outputs[0]);
        if (!made || !supported(node_spec(graph, fused))) continue;
        nodes[at] = std::move(fused);
        gone[i] = true;
    }
    std::vector<Node> left;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (!gone[i]) left.push_back(std::move(nodes[i]));
    }
    graph.replace_nodes(std::move(left));
}

}  // namespace cambium::passes
