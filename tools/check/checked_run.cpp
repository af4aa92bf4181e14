#include "tools/check/checked_run.h"

#include <algorithm>
#include <iterator>

#include "tools/common/bound_node.h"

namespace cambium {
namespace {

std::vector<Tensor> outputs_of(Backend& backend, const NodeSpec& node, const std::vector<Tensor>& inputs,
                               const std::vector<std::size_t>& dead) {
    const BoundNode single(backend, node, inputs, dead);
    single.enqueue();
    std::vector<Tensor> results = single.results();
    if (single.executable().group.empty()) return results;
    const BoundNode first(backend, node, inputs, dead), second(backend, node, inputs, dead);
    Executable* const parts[] = {&first.executable(), &second.executable()};
    if (const std::unique_ptr<Executable> joined = backend.join(parts)) {
        joined->bind({}, {}, nullptr);
        joined->enqueue();
        for (const BoundNode* part : {&first, &second}) std::ranges::move(part->results(), std::back_inserter(results));
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
