#include "tools/check/checked_run.h"

#include <algorithm>

#include "engine/backends/gpu/gpu_backend.h"

namespace cambium {
namespace {

// Runs the node with every operand in memory of its own and returns its outputs.
std::vector<Tensor> outputs_of(Backend& backend, const NodeSpec& node, const std::vector<Tensor>& inputs) {
    Memory& memory = backend.memory();
    const std::unique_ptr<Executable> executable = backend.prepare(node);
    std::vector<Buffer> buffers;
    const auto make = [&](std::size_t bytes) { return buffers.emplace_back(memory, bytes).data(); };
    std::vector<void*> in, out;
    for (const Tensor& input : inputs) {
        in.push_back(make(input.bytes().size()));
        memory.upload(in.back(), input.bytes().data(), input.bytes().size());
    }
    for (const OperandSpec& output : node.outputs) out.push_back(make(output.bytes()));
    executable->bind(in, out, make(executable->workspace_bytes));
    executable->enqueue();
    backend.synchronize();
    std::vector<Tensor> results;
    for (std::size_t i = 0; i < out.size(); ++i) {
        Tensor& result = results.emplace_back(node.outputs[i].tensor);
        memory.download(result.bytes().data(), out[i], result.bytes().size());
    }
    return results;
}

bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    return std::ranges::equal(
        a, b, [](const Tensor& x, const Tensor& y) { return std::ranges::equal(x.bytes(), y.bytes()); });
}

}  // namespace

CheckedRuns::CheckedRuns()
    : checker_(gpu::make_checker()),
      backend_(gpu::make_backend(gpu::Device::simt_check)),
      zeroed_(gpu::make_backend(gpu::Device::simt_check_zeroed)) {}

std::optional<std::string> CheckedRuns::unsupported(const NodeSpec& node) const { return backend_->unsupported(node); }

Finding CheckedRuns::run(const NodeSpec& node, const std::vector<Tensor>& inputs, std::uint64_t seed, bool count) {
    checker_->start(seed, count);
    Finding finding;
    const std::vector<Tensor> outputs = outputs_of(*backend_, node, inputs);
    if (count) finding.counters = checker_->counters();
    finding.depends_on_registers = !same_bits(outputs, outputs_of(*zeroed_, node, inputs));
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
