#include "tests/engine/cpu_harness.h"

#include <algorithm>

#include "engine/base/fail.h"

namespace cambium::test {
namespace {

constexpr std::size_t guard = 64;

// A buffer of 0xff bytes (NaN in every real dtype) with a guard of another byte behind it; or just as it was allocated,
// for a backend that is checked by other means and must see what nobody wrote.
class Guarded {
  public:
    Guarded(Backend& backend, std::size_t bytes)
        : memory_(backend.memory()),
          guard_(backend.keeps_values_apart() ? 0 : guard),
          buffer_(memory_, bytes + guard_),
          bytes_(bytes) {
        if (guard_ == 0) return;
        std::vector<unsigned char> content(bytes + guard_, 0xff);
        std::fill(content.begin() + static_cast<std::ptrdiff_t>(bytes), content.end(), guard_byte);
        memory_.upload(buffer_.data(), content.data(), content.size());
    }
    void* data() const { return buffer_.data(); }
    void check(const std::string& what) const {
        std::vector<unsigned char> found(guard_);
        memory_.download(found.data(), static_cast<char*>(buffer_.data()) + bytes_, guard_);
        if (!std::ranges::all_of(found, [](unsigned char c) { return c == guard_byte; })) {
            fail("{} was written behind its end", what);
        }
    }

  private:
    static constexpr unsigned char guard_byte = 0x5a;
    Memory& memory_;
    std::size_t guard_;
    Buffer buffer_;
    std::size_t bytes_;
};

class Runner {
  public:
    explicit Runner(Backend& backend) : backend_(backend) {}

    Guarded& make(std::size_t bytes) {
        buffers_.push_back(std::make_unique<Guarded>(backend_, bytes));
        return *buffers_.back();
    }
    void* reordered(void* data, OperandSpec& from, const Layout& to) {
        if (from.layout == to) return data;
        const std::unique_ptr<Executable> step = backend_.reorder(from, to);
        const OperandSpec result{from.tensor, to};
        void* out = make(result.bytes()).data();
        run(*step, {data}, {out});
        from = result;
        return out;
    }
    void run(Executable& step, const std::vector<void*>& inputs, const std::vector<void*>& outputs) {
        step.bind(inputs, outputs, make(step.workspace_bytes).data());
        step.enqueue();
        backend_.synchronize();
    }
    void check(const std::string& what) const {
        for (const auto& buffer : buffers_) buffer->check(what);
    }

  private:
    Backend& backend_;
    std::vector<std::unique_ptr<Guarded>> buffers_;
};

}  // namespace

NodeSpec node_of(const Op& op, const std::vector<Tensor>& inputs, const std::vector<EpilogueStep>& epilogue,
                 const std::vector<DType>& outputs) {
    NodeSpec node{op, {}, {}, epilogue};
    for (const Tensor& input : inputs) node.inputs.push_back({input.spec(), {}});
    std::size_t own = inputs.size();
    for (const EpilogueStep& step : epilogue) {
        for (const int operand : {step.operand, step.second_operand}) {
            if (operand >= 0) own = std::min(own, static_cast<std::size_t>(operand));
        }
    }
    std::vector<TensorSpec> specs;
    for (std::size_t i = 0; i < own; ++i) specs.push_back(inputs[i].spec());
    for (TensorSpec& spec : infer(op, specs)) {
        if (is_real(spec.dtype) && node.outputs.size() < outputs.size()) spec.dtype = outputs[node.outputs.size()];
        node.outputs.push_back({spec, {}});
    }
    return node;
}

NodeRun run_node(Backend& backend, NodeSpec node, const std::vector<Tensor>& inputs, const Offer& offer) {
    Runner runner(backend);
    std::vector<void*> in, out;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        void* data = runner.make(inputs[i].bytes().size()).data();
        backend.memory().upload(data, inputs[i].bytes().data(), inputs[i].bytes().size());
        if (std::ranges::find(offer.inputs, i) != offer.inputs.end()) {
            Layout layout = offer.layout;
            layout.bytes = inputs[i].bytes().size();
            data = runner.reordered(data, node.inputs[i], layout);
        }
        in.push_back(data);
    }
    if (const auto reason = backend.unsupported(node)) fail("unsupported: {}", *reason);
    const std::unique_ptr<Executable> step = backend.prepare(node);
    for (std::size_t i = 0; i < in.size() && !step->input_layouts.empty(); ++i) {
        in[i] = runner.reordered(in[i], node.inputs[i], step->input_layouts[i]);
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
        if (!step->output_layouts.empty()) node.outputs[i].layout = step->output_layouts[i];
        const bool dead = std::ranges::find(offer.dead_outputs, i) != offer.dead_outputs.end();
        out.push_back(dead ? nullptr : runner.make(node.outputs[i].bytes()).data());
    }
    runner.run(*step, in, out);

    NodeRun result{{}, step->provider};
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (out[i] == nullptr) {
            result.outputs.emplace_back();
            continue;
        }
        Tensor tensor(node.outputs[i].tensor);
        const void* data = runner.reordered(out[i], node.outputs[i], {});
        backend.memory().download(tensor.bytes().data(), data, tensor.bytes().size());
        result.outputs.push_back(std::move(tensor));
    }
    runner.check(std::string(name_of(node.op)));
    return result;
}

}  // namespace cambium::test
