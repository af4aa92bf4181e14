// cambium inspect FILE: a weights file's format, metadata and tensors, and the models they fit.
// cambium inspect --graph MODEL: a network as it runs (graph.h).
#include "tools/inspect/inspect.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/fail.h"
#include "engine/base/utf8.h"
#include "models/load.h"
#include "tools/common/command.h"
#include "tools/common/device.h"
#include "tools/common/json_writer.h"
#include "tools/common/table.h"
#include "tools/common/terminal.h"
#include "tools/common/weights_path.h"
#include "tools/inspect/graph.h"

namespace cambium {
namespace {

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
    const std::size_t width = result_width();
    Table table({{.title = "tensor"}, {.title = "dtype", .importance = 1}, {.title = "shape", .importance = 2}});
    for (const WeightsEntry& entry : weights.entries()) {
        table.add({entry.name, std::string(name_of(entry.spec.dtype)), to_string(entry.spec.shape)});
    }
    std::string text = table.text(width) + "\n";
    const auto line = [&](std::string_view sentence) { text += wrapped(printable(sentence), width, 4) + "\n"; };
    line(fmt::format("{}: {}, {} tensors, {:.2f} million scalars", weights.path().string(), name_of(weights.format()),
                     weights.entries().size(), static_cast<double>(scalars(weights)) * 1e-6));
    for (const auto& [key, value] : weights.metadata()) {
        text += shortened_back(printable(fmt::format("  {}: {}", key, value)), width) + "\n";
    }
    for (const std::string& note : weights.notes()) line("  " + note);
    std::vector<std::string_view> names;
    for (const Architecture* candidate : fitting) names.push_back(candidate->name);
    line(fitting.empty() ? "  fits no model that Cambium knows" : fmt::format("  fits {}", fmt::join(names, ", ")));
    return text;
}

Exit inspect_file(const std::string& file, bool json) {
    const WeightsFile weights = WeightsFile::open(weights_path(file));
    const std::vector<const Architecture*> fitting = fitting_architectures(weights);
    print(json ? file_as_json(weights, fitting) : file_as_text(weights, fitting));
    return Exit::done;
}

}  // namespace

int inspect_command(int argc, char** argv) {
    GraphOptions graph;
    std::string file;
    bool json = false, dot = false;
    CommandLine line("inspect", "Shows what a weights file holds, or with --graph a network as the engine runs it.");
    line.positional("FILE", file, "A weights file of any format, or known weights by name",
                    CommandLine::Need::optional);
    line.flag("--json", json, "One JSON object on standard output");
    line.option("--graph", graph.model, "Architecture to show instead of a file");
    line.option("--batch", graph.batch, "Images in a batch of that graph", 1, 65536);
    line.option("--classes", graph.classes, "Size of its head; the architecture's own if not given", 1, 1'000'000);
    line.flag("--training", graph.training, "A training step: loss, backward and SGD-momentum update as well");
    line.flag("--dot", dot, "The graph as traced, in DOT for Graphviz");
    line.option("--device", graph.device, device_help);
    line.option("--precision", graph.precision, precision_help);
    line.option("--provider", graph.provider, provider_help);
    return line.run(argc, argv, [&] {
        if (file.empty() == graph.model.empty()) fail_usage("inspect takes either a FILE or --graph MODEL");
        if (!file.empty()) {
            for (const char* name :
                 {"--batch", "--classes", "--training", "--dot", "--device", "--precision", "--provider"}) {
                if (line.given(name)) fail_usage("{} goes with --graph MODEL, not with a file", name);
            }
            return inspect_file(file, json);
        }
        if (json && dot) fail_usage("--json and --dot are two ways to show a graph; take one of them");
        if (json) graph.output = GraphOptions::Output::json;
        if (dot) graph.output = GraphOptions::Output::dot;
        return inspect_graph(graph);
    });
}

}  // namespace cambium
