#include "tools/check/sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <nlohmann/json.hpp>
#include <variant>

namespace cambium {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(AccessCost, kernel, file, operation, line, instructions, cost, ideal)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Written, place, text, json)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Sample, missing, failure, found, depends_on_registers, kernels, accesses, reports,
                                   seconds)

namespace {

using simt::Kind;

Group group_of(Kind kind) {
    switch (kind) {
        case Kind::race_in_warp:
        case Kind::race_in_block:
        case Kind::race_between_blocks:
        case Kind::race_between_streams:
        case Kind::race_with_async_copy:
        case Kind::stale_read_only_load:
            return Group::races;
        case Kind::uninitialised_shared:
        case Kind::uninitialised_global:
        case Kind::uninitialised_register:
            return Group::uninitialised;
        case Kind::divergent_barrier:
        case Kind::exit_before_barrier:
        case Kind::wrong_mask:
        case Kind::divergent_instruction:
        case Kind::deadlock:
        case Kind::stuck_thread:
            return Group::barriers;
        default:
            return Group::memory;
    }
}

}  // namespace

std::string packed(const Sample& sample) {
    std::string bytes;
    nlohmann::json::to_cbor(nlohmann::json(sample), bytes);
    return bytes;
}

Sample unpacked(std::string_view bytes) { return nlohmann::json::from_cbor(bytes).get<Sample>(); }

void Sampler::run_checked(const Job& job, std::uint64_t shape, Sample& sample) {
    const KernelKind& kind = kernel_kinds[job.kind];
    if (!runs_[job.kind]) runs_[job.kind] = std::make_unique<CheckedRuns>(kind.options);
    CheckedRuns& runs = *runs_[job.kind];
    RandomStream random = cases::stream_of(job.op_case, shape);
    const cases::Instance instance = job.op_case.draw(random);
    const std::vector<Tensor> inputs = cases::draw_inputs(instance, random, cases::Values::reals, kind.dtype);
    NodeSpec node = plain_node(instance.op, inputs);
    // Where the activations of a low-precision program begin.
    const bool begins = std::holds_alternative<ops::Normalize>(node.op) ||
                        std::holds_alternative<ops::Augment>(node.op) ||
                        std::holds_alternative<ops::Embedding>(node.op);
    if (begins) node.outputs[0].tensor.dtype = kind.dtype;
    if (instance.moments == cases::Instance::Moments::taken) {
        const TensorSpec moment{{node.outputs[0].tensor.shape[-1]}, DType::f32};
        node.outputs.insert(node.outputs.end(), 2, {moment, {}});
        node.epilogue.push_back({EpilogueStep::Kind::moments});
    }
    if (const auto missing = runs.unsupported(node)) {
        sample.missing = *missing;
        return;
    }
    const Finding finding = runs.run(node, inputs, instance.dead_outputs, seed_, true);
    for (const simt::Report& report : finding.reports) {
        sample.found[static_cast<std::size_t>(group_of(report.kind))] += report.count;
        const simt::Place& place = report.first.place;
        const std::string array = runs.checker().json({report});  // of one
        sample.reports.push_back({fmt::format("{} {}:{}", static_cast<int>(report.kind), place.file, place.line),
                                  runs.checker().text(report), array.substr(1, array.rfind(']') - 1)});
    }
    sample.depends_on_registers = finding.depends_on_registers;
    for (const simt::Counter& counter : finding.counters) {
        if (sample.kernels.empty() || sample.kernels.back() != counter.kernel) sample.kernels.push_back(counter.kernel);
        if (counter.ideal == 0) continue;
        sample.accesses.push_back({counter.kernel, counter.place.file, counter.operation, counter.place.line,
                                   counter.instructions, counter.cost, counter.ideal});
    }
}

Sample Sampler::run(const Job& job, std::uint64_t shape) {
    const auto start = std::chrono::steady_clock::now();
    Sample sample;
    try {
        run_checked(job, shape, sample);
    } catch (const std::bad_alloc&) {
        sample.failure = "failed: there was not enough memory";
    } catch (const std::exception& error) {
        sample.failure = fmt::format("failed: {}", error.what());
    }
    sample.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return sample;
}

}  // namespace cambium
