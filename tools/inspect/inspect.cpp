// cambium inspect FILE: a weights file's format, metadata and tensors, and the models they fit.
// cambium inspect --graph MODEL: the network as compiled, node by node: shapes, operations, place in the arena,
// provider.
#include "tools/inspect/inspect.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/fail.h"
#include "models/load.h"
#include "tools/bench/training_graph.h"
#include "tools/common/command.h"
#include "tools/common/device.h"
#include "tools/common/json_writer.h"
#include "tools/common/weights_path.h"
#include "tools/inspect/dot.h"

namespace cambium {
namespace {

struct Options {
    std::string file, graph, device = "auto", precision;
    std::int64_t batch = 1, classes = 0;
    bool json = false, dot = false, training = false;
};

std::int64_t scalars(const WeightsFile& weights) {
    std::int64_t total = 0;
    for (const WeightsEntry& entry : weights.entries()) total += entry.spec.shape.count();
    return total;
}

std::string file_as_json(const WeightsFile& weights, const std::vector<const Architecture*>& fitting) {
    JsonWriter json;
    json.begin_object().field("file", weights.path().string()).field("format", name_of(weights.format()));
    json.field("scalars", scalars(weights)).key("fits").begin_array();
    for (const Architecture* candidate : fitting) json.value(candidate->name);
    json.end_array().key("metadata").begin_object();
    for (const auto& [key, value] : weights.metadata()) json.field(key, value);
    json.end_object().key("notes").begin_array();
    for (const std::string& note : weights.notes()) json.value(note);
    json.end_array().key("tensors").begin_array();
    for (const WeightsEntry& entry : weights.entries()) {
        json.begin_object()
            .field("name", entry.name)
            .field("dtype", name_of(entry.spec.dtype))
            .key("shape")
            .begin_array();
        for (const std::int64_t extent : entry.spec.shape.extents()) json.value(extent);
        json.end_array().end_object();
    }
    return json.end_array().end_object().text() + "\n";
}

std::string file_as_text(const WeightsFile& weights, const std::vector<const Architecture*>& fitting) {
    std::string text;
    std::size_t width = 0;
    for (const WeightsEntry& entry : weights.entries()) width = std::max(width, entry.name.size());
    for (const WeightsEntry& entry : weights.entries()) {
        text += fmt::format("{:<{}}  {:<5} {}\n", entry.name, width, name_of(entry.spec.dtype),
                            to_string(entry.spec.shape));
    }
    text +=
        fmt::format("\n{}: {}, {} tensors, {:.2f} million scalars\n", weights.path().string(),
                    name_of(weights.format()), weights.entries().size(), static_cast<double>(scalars(weights)) * 1e-6);
    for (const auto& [key, value] : weights.metadata()) text += fmt::format("  {}: {}\n", key, value);
    for (const std::string& note : weights.notes()) text += fmt::format("  {}\n", note);
    if (fitting.empty()) return text + "  fits no model that Cambium knows\n";
    std::vector<std::string_view> names;
    for (const Architecture* candidate : fitting) names.push_back(candidate->name);
    return text + fmt::format("  fits {}\n", fmt::join(names, ", "));
}

Exit inspect_file(const Options& options) {
    const WeightsFile weights = WeightsFile::open(weights_path(options.file));
    const std::vector<const Architecture*> fitting = fitting_architectures(weights);
    print(options.json ? file_as_json(weights, fitting) : file_as_text(weights, fitting));
    return Exit::done;
}

std::string plan(const Program& program, const Store& store) {
    constexpr double mb = 1e-6;
    return fmt::format(
        "{:.3f} GFLOP a run; values {:.1f} MB, of which {:.1f} MB at a time (the arena); parameters and state {:.1f} "
        "MB\n",
        program.flops() * 1e-9, static_cast<double>(program.sum_of_values()) * mb,
        static_cast<double>(program.arena_bytes()) * mb, static_cast<double>(store.entry_bytes()) * mb);
}

Exit inspect_graph(const Options& options) {
    const Architecture& chosen = architecture(options.graph);
    const std::int64_t classes = options.classes > 0 ? options.classes : std::max<std::int64_t>(chosen.classes, 1);
    Device device = open_device(options.device, options.precision);
    Graph graph;
    if (options.training) {
        trace_training_step(graph, chosen, options.batch, classes, chosen.preprocessing);
    } else {
        const Value images = image_input(graph, options.batch, chosen.preprocessing);
        graph.output("logits", build_network(chosen, images, {.classes = classes}).logits);
    }
    if (options.dot) {
        print(to_dot(graph, options.graph));
        return Exit::done;
    }
    Store store(device.backend->memory(), device.real());
    declare_entries(graph, store, 0, FirstValue::zero);
    const Program program = compile(graph, store, *device.backend, {.precision = device.precision});
    std::string text = fmt::format("{} ({}), batch {}, {} on {}\n\n{}\n", chosen.name, chosen.paper, options.batch,
                                   name_of(device.precision), device.backend->name(), program.text());
    for (const Program::Line& line : program.summary()) {
        text += fmt::format("{:5} x {:<28} {:<5} {}\n", line.count, line.op, line.dtype, line.provider);
    }
    print(text + "\n" + plan(program, store));
    return Exit::done;
}

}  // namespace

int inspect_command(int argc, char** argv) {
    Options options;
    CommandLine line("inspect", "Shows what a weights file holds, or with --graph a network as the engine runs it.");
    line.positional("FILE", options.file, "A weights file of any format, or known weights by name",
                    CommandLine::Need::optional);
    line.option("--graph", options.graph, "Architecture to show instead of a file");
    line.option("--batch", options.batch, "Images in a batch of that graph", 1, 65536);
    line.option("--classes", options.classes, "Size of its head; 0: the architecture's own", 0, 1'000'000);
    line.flag("--training", options.training, "A training step: loss, backward and SGD-momentum update as well");
    line.flag("--dot", options.dot, "The traced graph in DOT, for Graphviz");
    line.flag("--json", options.json, "What a file holds as one JSON object");
    line.option("--device", options.device, device_help);
    line.option("--precision", options.precision, precision_help);
    return line.run(argc, argv, [&] {
        if (options.file.empty() == options.graph.empty()) fail_usage("inspect takes either a FILE or --graph MODEL");
        return options.graph.empty() ? inspect_file(options) : inspect_graph(options);
    });
}

}  // namespace cambium
