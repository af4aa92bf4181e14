// Mixed precision: which values become bf16, and the converts between them and those that stay f32.
//
// Every operator falls in one of three kinds. *Products* (convolutions, matrix products and their gradients) read bf16.
// *Followers* (elementwise, pooling, norms, layout) take the precision of the activation they read. All others (losses,
// optimizers, reductions, statistics) read f32. A product's or follower's result is bf16 unless everything that reads
// it wants f32, as for logits and for the gradients of linear weights.
#include <map>

#include "engine/graph/passes/passes.h"
#include "engine/ops/any.h"

namespace cambium::passes {
namespace {

enum class Kind : std::uint8_t { product, follower, full };

struct Policy {
    Kind kind = Kind::full;
    int activations = 0;       // so many leading inputs are bf16 or follow; those behind them (bias, gamma) stay f32
    bool full_result = false;  // f32 whatever is read: sums and filter gradients
};

Policy policy_of(const Node& node) {
    using namespace ops;
    const Op& op = node.op;
    if (is_any<Conv2d, Conv2dInputGradient, MatMul>(op)) return {Kind::product, 2};
    if (is_any<Conv2dFilterGradient>(op)) return {Kind::product, 2, true};
    if (is_any<Attention>(op)) return {Kind::product, 1};
    if (is_any<AttentionGradient>(op)) return {Kind::product, 3};
    if (is_any<ReduceSum, EmbeddingGradient>(op)) return {Kind::follower, 1, true};
    if (is_any<ChannelDot>(op)) return {Kind::follower, 2, true};
    if (is_any<Add, Multiply, ReluGradient, GeluGradient, BatchNormGradient, LayerNormGradient>(op))
        return {Kind::follower, 2};
    if (is_any<BatchNormReluGradient>(op)) return {Kind::follower, 3};
    if (is_any<Concat>(op)) return {Kind::follower, static_cast<int>(node.inputs.size())};
    if (is_any<Scale, AddBias, ScaleShift, Relu, Gelu, Dropout, BatchNorm, BatchNormApply, LayerNorm, MaxPool2d,
               MaxPool2dGradient, AvgPool2d, AvgPool2dGradient, AdaptiveAvgPool2d, AdaptiveAvgPool2dGradient, Slice,
               Pad, Reshape, Transposition>(op)) {
        return {Kind::follower, 1};
    }
    return {};
}

class Caster {
  public:
    explicit Caster(Graph& graph) : graph_(graph), wants_full_(graph.values().size(), true) {
        for (std::size_t i = graph.nodes().size(); i-- > 0;) find_wants(graph.nodes()[i]);
        for (const auto& [name, value] : graph.outputs()) outputs_.push_back(value);
    }

    void run() {
        for (const Node& node : graph_.nodes()) cast(node);
        for (const int output : outputs_) {  // a graph output is f32: its last bf16 form gets a convert behind it
            if (graph_.info(output).spec.dtype == DType::bf16) widen_output(output);
        }
        graph_.replace_nodes(std::move(nodes_));
    }

  private:
    bool low(int value) const { return graph_.info(value).spec.dtype == DType::bf16; }

    // Walks backwards: a value stays f32 if all its readers want it so. Followers pass their own wish on.
    void find_wants(const Node& node) {
        const Policy policy = policy_of(node);
        const bool passes_on = policy.kind == Kind::follower && !policy.full_result &&
                               wants_full_[static_cast<std::size_t>(node.outputs[0])];
        if (policy.kind == Kind::full || passes_on) return;
        for (int i = 0; i < policy.activations; ++i) {
            wants_full_[static_cast<std::size_t>(node.inputs[static_cast<std::size_t>(i)])] = false;
        }
    }

    void cast(Node node) {
        const Policy policy = policy_of(node);
        bool to_low = policy.kind == Kind::product;
        if (policy.kind == Kind::follower) {
            for (int i = 0; i < policy.activations; ++i)
                to_low = to_low || low(node.inputs[static_cast<std::size_t>(i)]);
        }
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
            const bool activation = static_cast<int>(i) < policy.activations;
            node.inputs[i] = converted(node.inputs[i], activation && to_low ? DType::bf16 : DType::f32, node.label);
        }
        // Where activations begin: from pixels, or from the rows of a table that itself stays f32.
        const bool begins = is_any<ops::Normalize, ops::Augment, ops::Embedding>(node.op);
        const bool keeps =
            node.outputs.empty() || policy.full_result || (!to_low && !begins) || stays_full(node, policy);
        if (!keeps) lower(node.outputs[0]);
        nodes_.push_back(std::move(node));
    }

    // Products can deliver f32 by themselves, and so can the bias behind them.
    bool stays_full(const Node& node, const Policy& policy) const {
        return policy.kind == Kind::product && wants_full_[static_cast<std::size_t>(node.outputs[0])];
    }

    void lower(int value) {
        TensorSpec spec = graph_.info(value).spec;
        if (spec.dtype != DType::f32) return;
        spec.dtype = DType::bf16;
        graph_.set_spec(value, spec);
    }

    int converted(int value, DType dtype, const std::string& label) {
        const TensorSpec spec = graph_.info(value).spec;
        if (!is_real(spec.dtype) || spec.dtype == dtype) return value;
        int& cast = casts_[{value, dtype}];
        if (cast == 0) {
            cast = graph_.new_value({spec.shape, dtype});
            nodes_.push_back({ops::Convert{dtype}, {value}, {cast}, {}, label});
        }
        return cast;
    }

    // The value that the caller reads keeps its id and becomes f32; its producer's result gets a new one.
    void widen_output(int output) {
        const TensorSpec spec = graph_.info(output).spec;
        const int narrow = graph_.new_value(spec);
        for (Node& node : nodes_) {
            for (int& id : node.inputs) id = id == output ? narrow : id;
            for (int& id : node.outputs) id = id == output ? narrow : id;
        }
        graph_.set_spec(output, {spec.shape, DType::f32});
        nodes_.push_back({ops::Convert{DType::f32}, {narrow}, {output}, {}, ""});
    }

    Graph& graph_;
    std::vector<bool> wants_full_;
    std::vector<int> outputs_;
    std::vector<Node> nodes_;
    std::map<std::pair<int, DType>, int> casts_;
};

}  // namespace

void place_casts(Graph& graph) { Caster(graph).run(); }

}  // namespace cambium::passes
