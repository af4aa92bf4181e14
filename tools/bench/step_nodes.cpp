#include "tools/bench/step_nodes.h"

#include <algorithm>
#include <map>
#include <span>

#include "engine/backends/rules.h"
#include "engine/base/philox.h"
#include "tools/bench/training_graph.h"

namespace cambium {
namespace {

// Another backend's answers, and a list of what it was asked to prepare.
class Recorder final : public Backend {
  public:
    explicit Recorder(Backend& inner) : inner_(inner) {}
    std::string_view name() const override { return inner_.name(); }
    Memory& memory() override { return inner_.memory(); }
    std::optional<std::string> unsupported(const NodeSpec& node) const override { return inner_.unsupported(node); }
    std::unique_ptr<Executable> prepare(const NodeSpec& node) override {
        nodes.push_back(node);
        return inner_.prepare(node);
    }
    std::unique_ptr<Executable> reorder(const OperandSpec& from, const Layout& to) override {
        return inner_.reorder(from, to);
    }
    void synchronize() override { inner_.synchronize(); }

    std::vector<NodeSpec> nodes;

  private:
    Backend& inner_;
};

std::vector<TensorSpec> specs_of(const std::vector<OperandSpec>& operands) {
    std::vector<TensorSpec> specs;
    for (const OperandSpec& operand : operands) specs.push_back(operand.tensor);
    return specs;
}

CountedNode counted(const NodeSpec& node) {
    std::vector<TensorSpec> inputs = specs_of(node.inputs), outputs = specs_of(node.outputs);
    CountedNode result{.node = node};
    for (const std::vector<TensorSpec>* list : {&inputs, &outputs}) {
        for (const TensorSpec& spec : *list) result.bytes += spec.bytes();
    }
    inputs.resize(operator_inputs(node));
    result.flops = cost(node.op, inputs, outputs);
    return result;
}

// Inputs that divide or stand below a root.
bool is_positive(const NodeSpec& node, std::size_t input) {
    if (std::holds_alternative<ops::BatchNormGradient>(node.op) ||
        std::holds_alternative<ops::BatchNormApply>(node.op) || std::holds_alternative<ops::LayerNormGradient>(node.op))
        return input == 4;
    if (std::holds_alternative<ops::BatchNormReluGradient>(node.op)) return input == 5;
    if (std::holds_alternative<ops::BatchNormScale>(node.op)) return input == 1;
    return std::holds_alternative<ops::AdamUpdate>(node.op) && (input == 3 || input == 5);
}

// An i32 operand lies in [0, bound): labels, rows of a table; a lone one is a counter and is 1.
std::int64_t bound_of(const NodeSpec& node) {
    if (const auto* gradient = std::get_if<ops::EmbeddingGradient>(&node.op)) return gradient->rows;
    if (std::holds_alternative<ops::Embedding>(node.op)) return node.inputs[0].tensor.shape[0];
    const bool after_sum = std::holds_alternative<ops::SoftmaxCrossEntropyGradient>(node.op);
    return node.inputs[after_sum ? 1 : 0].tensor.shape[-1];
}

void fill_integers(Tensor& tensor, const NodeSpec& node, RandomStream& random) {
    if (tensor.dtype() == DType::u8) {
        const auto* pool = std::get_if<ops::MaxPool2dGradient>(&node.op);
        for (std::uint8_t& value : tensor.values<std::uint8_t>()) {
            // The middle of a window lies inside the image wherever the window stands.
            value = static_cast<std::uint8_t>(pool == nullptr ? random.below(256)
                                                              : pool->window.kernel[0] / 2 * pool->window.kernel[1] +
                                                                    pool->window.kernel[1] / 2);
        }
    } else {
        const std::int64_t bound = tensor.count() == 1 ? 1 : bound_of(node);
        for (std::int32_t& value : tensor.values<std::int32_t>()) {
            value =
                tensor.count() == 1 ? 1 : static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(bound)));
        }
    }
}

Tensor reals(const TensorSpec& spec, bool positive, RandomStream& random) {
    Tensor tensor(spec.shape, DType::f32);
    const std::span<float> values = tensor.values<float>();
    constexpr std::size_t period = (1 << 22) - 3;  // what follows repeats: drawing gigabytes would take minutes
    for (float& value : values.first(std::min(values.size(), period))) {
        value = positive ? 0.5f + uniform01(random.bits()) : 2 * uniform01(random.bits()) - 1;
    }
    for (std::size_t i = period; i < values.size(); ++i) values[i] = values[i - period];
    return spec.dtype == DType::f32 ? std::move(tensor) : tensor.converted(spec.dtype);
}

}  // namespace

std::vector<CountedNode> step_nodes(const Architecture& architecture, std::int64_t batch, Precision precision,
                                    Backend& backend) {
    Preprocessing preprocessing = architecture.preprocessing;
    preprocessing.crop = 224;
    Graph graph;
    trace_training_step(graph, architecture, batch, 1000, preprocessing);
    Recorder recorder(backend);
    Store store(backend.memory(), DType::f32);
    declare_entries(graph, store, 0, FirstValue::zero);
    compile(graph, store, recorder, {.precision = precision});
    std::vector<CountedNode> distinct;
    std::map<std::string, std::size_t> places;
    for (const NodeSpec& node : recorder.nodes) {
        const auto [at, is_new] = places.try_emplace(describe(node) + dtypes_of(node), distinct.size());
        if (is_new) {
            distinct.push_back(counted(node));
        } else {
            ++distinct[at->second].count;
        }
    }
    return distinct;
}

std::vector<Tensor> node_inputs(const NodeSpec& node, std::uint64_t seed) {
    std::vector<Tensor> inputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const TensorSpec& spec = node.inputs[i].tensor;
        RandomStream random(seed, static_cast<std::uint32_t>(i));
        if (is_real(spec.dtype)) {
            inputs.push_back(reals(spec, is_positive(node, i), random));
        } else {
            fill_integers(inputs.emplace_back(spec), node, random);
        }
    }
    return inputs;
}

}  // namespace cambium
