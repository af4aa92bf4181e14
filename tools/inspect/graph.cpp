// A network as the engine runs it: one line a step with its layer, operator, result, operations, size and place in the
// arena, and who computes it. The text shows as many of these columns as fit, JSON all of them.
#include "tools/inspect/graph.h"

#include <fmt/format.h>

#include "tools/bench/batch_memory.h"
#include "tools/bench/training_graph.h"
#include "tools/common/device.h"
#include "tools/common/json_writer.h"
#include "tools/common/table.h"
#include "tools/common/terminal.h"
#include "tools/inspect/dot.h"

namespace cambium {
namespace {

// "64", "12.8 M"
std::string scaled(double value) {
    if (value < 1000) return fmt::format("{:.0f} ", value);
    const char* prefix = "";
    for (const char* larger : {"k", "M", "G", "T"}) {
        if (value < 999.95) break;
        value /= 1000;
        prefix = larger;
    }
    return fmt::format("{:.1f} {}", value, prefix);
}

std::string size_text(std::size_t bytes) { return scaled(static_cast<double>(bytes)) + "B"; }

void add(Table& table, const Program::Listed& line) {
    enum { layer, op, result, dtype, flop, size, place, provider, attributes, columns };
    std::vector<std::string> cells(columns);
    cells[layer] = line.layer;
    cells[op] = line.op;
    cells[flop] = line.flops > 0 ? scaled(line.flops) : "";
    cells[provider] = line.provider;
    cells[attributes] = line.attributes;
    if (line.results.empty()) table.add(cells);
    for (const Program::Listed::Result& one : line.results) {
        if (!one.entry.empty()) cells[layer] = one.entry;  // more telling than "optimizer"
        cells[result] = to_string(one.spec.shape);
        cells[dtype] = name_of(one.spec.dtype);
        cells[size] = size_text(one.bytes);
        cells[place] = one.offset ? size_text(*one.offset) : one.entry.empty() ? "" : "store";
        table.add(cells);
        cells = std::vector<std::string>(columns);  // the next result's line says no more than what differs
    }
}

std::string steps_as_text(const Program& program, std::size_t width) {
    using enum Table::Align;
    const std::vector<Program::Listed> listing = program.listing();
    Table table({{.title = "layer"},
                 {.title = "operator", .importance = 4},
                 {.title = "result", .importance = 3},
                 {.title = "dtype", .importance = 0},
                 {.title = "flop", .align = right, .importance = 2},
                 {.title = "size", .align = right, .importance = 1},
                 {.title = "arena at", .align = right, .importance = -1},
                 {.title = "provider", .importance = -2},
                 {.title = "attributes", .importance = -3}});
    for (std::size_t i = 0; i < listing.size(); ++i) {
        if (i == 0 || listing[i].derived != listing[i - 1].derived) {
            table.heading(listing[i].derived ? "\nfrom the weights, again only when they change" : "\nin every run");
        }
        add(table, listing[i]);
    }
    return table.text(width);
}

std::string summary_as_text(const Program& program, std::size_t width) {
    Table table({{.title = "count", .align = Table::Align::right, .importance = 4},
                 {.title = "operator", .importance = 3},
                 {.title = "dtype", .importance = 1},
                 {.title = "provider", .importance = 2}});
    for (const Program::Line& line : program.summary()) {
        table.add({std::to_string(line.count), line.op, line.dtype, line.provider});
    }
    return table.text(width);
}

std::string as_text(const Architecture& architecture, const GraphOptions& options, const Device& device,
                    const Program& program, const Store& store) {
    const std::size_t width = result_width();
    const std::string title = fmt::format("{} ({}), {}batch {}, {} on {}", architecture.name, architecture.paper,
                                          options.training ? "a training step, " : "", options.batch,
                                          name_of(device.precision), device.backend->name());
    const std::string plan =
        fmt::format("{:.3f} GFLOP a run; all values {}, of which {} at a time (the arena); parameters and state {}",
                    program.flops() * 1e-9, size_text(program.sum_of_values()), size_text(program.arena_bytes()),
                    size_text(store.entry_bytes()));
    return fmt::format("{}\n\n{}\n{}\n{}\n", wrapped(title, width), steps_as_text(program, width),
                       summary_as_text(program, width), wrapped(plan, width));
}

void write(JsonWriter& json, const Program::Listed::Result& result) {
    json.begin_object().field("dtype", name_of(result.spec.dtype)).key("shape").begin_array();
    for (const std::int64_t extent : result.spec.shape.extents()) json.value(extent);
    json.end_array().field("bytes", result.bytes).field("packed", result.packed);
    if (result.offset) json.field("arena_offset", *result.offset);
    if (!result.entry.empty()) json.field("entry", result.entry);
    json.end_object();
}

std::string as_json(const Architecture& architecture, const GraphOptions& options, std::int64_t classes,
                    const Device& device, const Program& program, const Store& store) {
    JsonWriter json;
    json.begin_object().field("model", architecture.name).field("paper", architecture.paper);
    json.field("batch", options.batch).field("classes", classes).field("training", options.training);
    json.field("precision", name_of(device.precision)).field("device", device.backend->name());
    json.field("flops", program.flops()).field("value_bytes", program.sum_of_values());
    json.field("arena_bytes", program.arena_bytes()).field("entry_bytes", store.entry_bytes());
    json.key("steps").begin_array();
    for (const Program::Listed& line : program.listing()) {
        json.begin_object().field("layer", line.layer).field("operator", line.op);
        json.field("attributes", line.attributes).field("derived", line.derived).field("flops", line.flops);
        json.field("provider", line.provider).key("results").begin_array();
        for (const Program::Listed::Result& result : line.results) write(json, result);
        json.end_array().end_object();
    }
    json.end_array().key("summary").begin_array();
    for (const Program::Line& line : program.summary()) {
        json.begin_object().field("count", line.count).field("operator", line.op).field("dtype", line.dtype);
        json.field("provider", line.provider).end_object();
    }
    return json.end_array().end_object().text() + "\n";
}

}  // namespace

Exit inspect_graph(const GraphOptions& options) {
    const Architecture& chosen = architecture(options.model);
    const std::int64_t classes = options.classes.value_or(std::max(static_cast<int>(chosen.classes), 1));
    Device device = open_device(options.device, options.precision, options.provider);
    Graph graph;
    if (options.training) {
        trace_training_step(graph, chosen, options.batch, classes, chosen.preprocessing);
    } else {
        const Value images = image_input(graph, options.batch, chosen.preprocessing);
        graph.output("logits", build_network(chosen, images, {.classes = classes}).logits);
    }
    if (options.output == GraphOptions::Output::dot) {
        print(to_dot(graph, options.model));
        return Exit::done;
    }
    require_compile_memory(fmt::format("compiling {}", chosen.name), graph, options.batch);
    Store store(device.backend->memory(), device.real());
    declare_entries(graph, store, 0, FirstValue::zero);
    const Program program = compile(graph, store, *device.backend, {.precision = device.precision});
    print(options.output == GraphOptions::Output::json ? as_json(chosen, options, classes, device, program, store)
                                                       : as_text(chosen, options, device, program, store));
    return Exit::done;
}

}  // namespace cambium
