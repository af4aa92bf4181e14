// cambium convert: reads any weights file, writes safetensors or a PyTorch zip, as the ending of OUT says.
// Tensors keep name, element type and values; --model adds what makes the file usable without naming the model again.
#include "tools/convert/convert.h"

#include <fmt/format.h>

#include "data/formats/atomic_file.h"
#include "models/load.h"
#include "models/source.h"
#include "tools/common/command.h"
#include "tools/common/weights_path.h"

namespace cambium {
namespace {

Exit convert_file(const std::string& in, const std::string& out, const std::string& model) {
    format_to_write(out);  // before anything is read
    require_writable(out);
    const std::filesystem::path path = weights_path(in);
    Metadata metadata;
    if (!model.empty()) {
        const Source source = open_source(path, model);
        Graph graph;
        const auto classes = static_cast<std::int64_t>(source.classes.size());
        build_network(*source.architecture, image_input(graph, 1, source.preprocessing), {.classes = classes});
        require_complete(source.weights, match(source.weights, graph, *source.architecture), *source.architecture);
        metadata = source_metadata(*source.architecture, source.classes, source.preprocessing);
    }
    const WeightsFile weights = WeightsFile::open(path);
    for (const std::string& note : weights.notes()) say(note);
    for (const auto& [key, value] : weights.metadata()) metadata.emplace(key, value);
    const std::vector<WeightsEntry> entries(weights.entries().begin(), weights.entries().end());
    write_weights(
        out, entries, [&](std::size_t index) { return weights.read(entries[index]); }, metadata);
    say(fmt::format("{} tensors from {} ({}) written to {}", entries.size(), path.string(), name_of(weights.format()),
                    out));
    return Exit::done;
}

}  // namespace

int convert_command(int argc, char** argv) {
    std::string in, out, model;
    CommandLine line("convert",
                     "Converts weights to safetensors, or to a PyTorch zip where OUT ends in .pt, .pth or .th.");
    line.positional("IN", in, "A weights file of any format, or known weights by name");
    line.positional("OUT", out, "The file to write; its ending (.safetensors, .pt, .pth, .th) says how");
    line.option("--model", model,
                "Check that the weights are this model's, and store its name, classes and preprocessing");
    return line.run(argc, argv, [&] { return convert_file(in, out, model); });
}

}  // namespace cambium
