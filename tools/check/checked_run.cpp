#include "tools/check/checked_run.h"

#include <algorithm>

namespace cambium {
namespace {

// A node ready to run, with every operand in memory of its own.
struct Made {
    std::unique_ptr<Executable> executable;
    std::vector<Buffer> buffers;
    std::vector<void*> outputs;
};

Made made(Backend& backend, const NodeSpec& node, const std::vector<Tensor>& inputs,
          const std::vector<std::size_t>& dead) {
    Memory& memory = backend.memory();
    Made result{backend.prepare(node), {}, {}};
    const auto make = [&](std::size_t bytes) { return result.buffers.emplace_back(memory, bytes).data(); };
    std::vector<void*> in;
    for (const Tensor& input : inputs) {
        in.push_back(make(input.bytes().size()));
        memory.upload(in.back(), input.bytes().data(), input.bytes().size());
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
        const bool is_dead = std::ranges::find(dead, i) != dead.end();
        result.outputs.push_back(is_dead ? nullptr : make(node.outputs[i].bytes()));
    }
    result.executable->bind(in, result.outputs, make(result.executable->workspace_bytes));
    return result;
}

void append_outputs(Backend& backend, const NodeSpec& node, const Made& from, std::vector<Tensor>& results) {
    for (std::size_t i = 0; i < from.outputs.size(); ++i) {
        if (from.outputs[i] == nullptr) continue;
        Tensor& result = results.emplace_back(node.outputs[i].tensor);
        backend.memory().download(result.bytes().data(), from.outputs[i], result.bytes().size());
    }
}

std::vector<Tensor> outputs_of(Backend& backend, const NodeSpec& node, const std::vector<Tensor>& inputs,
                               const std::vector<std::size_t>& dead) {
    std::vector<Tensor> results;
    const Made single = made(backend, node, inputs, dead);
    single.executable->enqueue();
    append_outputs(backend, node, single, results);
    if (single.executable->group.empty()) return results;
    const Made first = made(backend, node, inputs, dead), second = made(backend, node, inputs, dead);
    Executable* const parts[] = {first.executable.get(), second.executable.get()};
    if (const std::unique_ptr<Executable> joined = backend.join(parts)) {
        joined->bind({}, {}, nullptr);
        joined->enqueue();
        append_outputs(backend, node, first, results);
        append_outputs(backend, node, second, results);
    }
    return results;
}

bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    return std::ranges::equal(
        a, b, [](const Tensor& x, const Tensor& y) { return std::ranges::equal(x.bytes(), y.bytes()); });
}

}  // namespace

CheckedRuns::CheckedRuns(const gpu::Options& options)
    : checker_(gpu::make_checker()),
      backend_(gpu::make_backend(gpu::Device::simt_check, options)),
      zeroed_(gpu::make_backend(gpu::Device::simt_check_zeroed, options)) {}

std::optional<std::string> CheckedRuns::unsupported(const NodeSpec& node) const { return backend_->unsupported(node); }

Finding CheckedRuns::run(const NodeSpec& node, const std::vector<Tensor>& inputs, const std::vector<std::size_t>& dead,
                         std::uint64_t seed, bool count) {
    checker_->start(seed, count);
    Finding finding;
    const std::vector<Tensor> outputs = outputs_of(*backend_, node, inputs, dead);
    if (count) finding.counters = checker_->counters();
    finding.depends_on_registers = !same_bits(outputs, outputs_of(*zeroed_, node, inputs, dead));
    finding.reports = checker_->reports();
    return finding;
}

NodeSpec plain_node(const Op& op, const std::vector<Tensor>& inputs) {
    NodeSpec node{op, {}, {}, {}};
    std::vector<TensorSpec> specs;
    for (const Tensor& input : inputs) {
        node.inputs.push_back({input.spec(), {}});
        specs.push_back(input.spec());
    }
    for (const TensorSpec& output : infer(op, specs)) node.outputs.push_back({output, {}});
    return node;
}

}  // namespace cambium
