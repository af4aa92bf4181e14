#include <fmt/format.h>

#include <map>

#include "engine/backends/gpu/checker.h"
#include "engine/backends/gpu/gpu_backend.h"
#include "engine/backends/rules.h"
#include "engine/base/fail.h"
#include "tools/bench/kernels.h"
#include "tools/bench/step_nodes.h"
#include "tools/common/json_writer.h"
#include "tools/common/progress.h"

namespace cambium {
namespace {

struct Cost {
    std::uint64_t cost = 0, ideal = 0;
    std::string place{};  // of a sum: where most is wasted
    std::uint64_t wasted() const { return cost > ideal ? cost - ideal : 0; }
    double factor() const { return ideal == 0 ? 1.0 : static_cast<double>(cost) / static_cast<double>(ideal); }
};

struct Row {
    std::string name;
    int count = 1;
    double flops = 0;
    std::size_t bytes = 0;
    Cost shared{}, global{};
};

Precision precision_of(const std::string& name) {
    for (const Precision precision : {Precision::bf16, Precision::f32, Precision::tf32}) {
        if (name == name_of(precision)) return precision;
    }
    fail_usage("the kernels compute in bf16, f32 or tf32, not in '{}'", name);
}

void run_node(Backend& backend, const NodeSpec& node, const std::vector<Tensor>& inputs) {
    Memory& memory = backend.memory();
    const std::unique_ptr<Executable> executable = backend.prepare(node);
    std::vector<Buffer> buffers;
    std::vector<void*> in, out;
    const auto make = [&](std::size_t bytes) { return buffers.emplace_back(memory, bytes).data(); };
    for (const Tensor& input : inputs) {
        in.push_back(make(input.bytes().size()));
        memory.upload(in.back(), input.bytes().data(), input.bytes().size());
    }
    for (const OperandSpec& output : node.outputs) out.push_back(make(output.bytes()));
    executable->bind(in, out, make(executable->workspace_bytes));
    executable->enqueue();
    backend.synchronize();
}

// "pipeline.cuh:120"
std::string place_of(const simt::Counter& counter) {
    const std::string& file = counter.place.file;
    return fmt::format("{}:{}", file.substr(file.rfind('/') + 1), counter.place.line);
}

Cost sum_of(const std::vector<simt::Counter>& counters, std::string_view space) {
    Cost total;
    std::map<std::string, Cost> places;
    for (const simt::Counter& counter : counters) {
        const bool is_global = counter.operation.starts_with("global");
        if (counter.ideal == 0 || is_global != (space == "global")) continue;
        for (Cost* cost : {&total, &places[place_of(counter)]}) {
            cost->cost += counter.cost;
            cost->ideal += counter.ideal;
        }
    }
    std::uint64_t most = 0;
    for (const auto& [place, cost] : places) {
        if (cost.wasted() <= most) continue;
        most = cost.wasted();
        total.place = place;
    }
    return total;
}

constexpr std::string_view header =
    "times    GFLOP       MB   banks place                  sectors place                  kernel and shape\n";

std::string text_of(const Row& row) {
    return fmt::format("{:>5} {:>8.3f} {:>8.2f} {:>7.2f} {:<22.22} {:>7.2f} {:<22.22} {}\n", row.count,
                       row.flops * 1e-9, static_cast<double>(row.bytes) * 1e-6, row.shared.factor(), row.shared.place,
                       row.global.factor(), row.global.place, row.name);
}

std::string json_of(const std::vector<Row>& rows, const KernelOptions& options) {
    JsonWriter json;
    json.begin_object().field("model", options.model).field("batch", options.batch);
    json.field("precision", options.precision).key("kernels").begin_array();
    for (const Row& row : rows) {
        json.begin_object().field("name", row.name).field("count", row.count).field("flops", row.flops);
        json.field("bytes", row.bytes).field("bank_factor", row.shared.factor());
        json.field("bank_place", row.shared.place).field("sector_factor", row.global.factor());
        json.field("sector_place", row.global.place).end_object();
    }
    return json.end_array().end_object().text() + "\n";
}

}  // namespace

Exit bench_counters(const KernelOptions& options) {
    const Precision precision = precision_of(options.precision);
    const gpu::Options math{.math = precision == Precision::tf32 ? gpu::Math::tf32 : gpu::Math::f32};
    const std::unique_ptr<gpu::Checker> checker = gpu::make_checker();
    const std::unique_ptr<Backend> backend = gpu::make_backend(gpu::Device::simt_check, math);
    std::vector<CountedNode> nodes = step_nodes(architecture(options.model), options.batch, precision, *backend);
    std::erase_if(nodes, [&](const CountedNode& one) {
        return name_of(one.node.op).find(options.kernel) == std::string_view::npos;
    });
    if (nodes.empty()) {
        fail_usage("no kernel of a step of {} has '{}' in its name; conv2d is one that does", options.model,
                   options.kernel);
    }
    if (!options.json) print(header);
    std::vector<Row> rows;
    Progress progress("counting", static_cast<std::int64_t>(nodes.size()), "kernels");
    for (const CountedNode& one : nodes) {
        progress.show(static_cast<std::int64_t>(rows.size()));
        checker->start(0, true);
        run_node(*backend, one.node, node_inputs(one.node, 1));
        if (const auto reports = checker->reports(); !reports.empty()) {
            fail("the checker found a fault in {}, so its counters mean nothing: {}", describe(one.node),
                 checker->text(reports.front()));
        }
        const std::vector<simt::Counter> counters = checker->counters();
        rows.push_back({describe(one.node), one.count, one.flops, one.bytes, sum_of(counters, "shared"),
                        sum_of(counters, "global")});
        if (!options.json) print(text_of(rows.back()));
    }
    if (options.json) print(json_of(rows, options));
    return Exit::done;
}

}  // namespace cambium
