// cambium predict: photos in the order given, each with its likeliest classes. A photo that cannot be read gets its
// sentence and the others are still answered; the command then ends with 1.
#include "tools/predict/predict.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <filesystem>
#include <optional>

#include "data/formats/atomic_file.h"
#include "data/images/decode.h"
#include "data/images/folder.h"
#include "data/images/transforms.h"
#include "engine/base/fail.h"
#include "engine/base/parallel.h"
#include "engine/base/utf8.h"
#include "tools/common/classifier.h"
#include "tools/common/command.h"
#include "tools/common/json_writer.h"
#include "tools/common/weights_path.h"

namespace cambium {
namespace {

struct Options {
    std::string source, model, device = "auto", precision, provider = "own", logits;
    std::vector<std::string> images;
    std::int64_t top = 5;
    bool json = false;
};

// A folder stands for the images in it and below, a pattern for what it matches, both sorted by name.
std::vector<std::string> expand(const std::string& argument) {
    std::error_code error;
    std::vector<std::string> paths;
    if (std::filesystem::is_directory(argument, error)) {
        auto at = std::filesystem::recursive_directory_iterator(argument, error);
        for (; !error && at != std::filesystem::recursive_directory_iterator(); at.increment(error)) {
            std::error_code unreadable;  // a link to nowhere, say
            if (at->is_regular_file(unreadable) && has_image_extension(at->path()))
                paths.push_back(at->path().string());
        }
        if (error) fail("cannot list {}: {}", argument, error.message());
        std::sort(paths.begin(), paths.end());
        if (paths.empty()) fail("there is no image in the folder {}", argument);
        return paths;
    }
    if (std::filesystem::exists(argument, error) || argument.find_first_of("*?[") == std::string::npos)
        return {argument};
    glob_t matches{};
    if (glob(argument.c_str(), 0, nullptr, &matches) == 0) {
        paths.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
    }
    globfree(&matches);
    if (paths.empty()) fail("no file matches {}", argument);
    return paths;
}

class Predictor {
  public:
    Predictor(const Options& options, const Source& source, Device& device, std::vector<std::string> paths)
        : options_(options),
          source_(source),
          paths_(std::move(paths)),
          classifier_(source, device, std::min<std::int64_t>(8, static_cast<std::int64_t>(paths_.size()))),
          all_logits_({static_cast<std::int64_t>(paths_.size()), classifier_.classes()}, DType::f32) {
        for (const std::string& note : classifier_.notes()) say(note);
        say_how(classifier_.program(), device);
    }

    Exit run() {
        const auto batch = static_cast<std::size_t>(classifier_.batch());
        for (std::size_t first = 0; first < paths_.size(); first += batch) {
            predict(first, std::min(batch, paths_.size() - first));
        }
        if (!options_.logits.empty() && failures_ == 0) {
            const NamedTensor tensor{"logits", &all_logits_};
            write_safetensors(options_.logits, std::span(&tensor, 1));
        }
        if (failures_ == 0) return Exit::done;
        const char* left_out = options_.logits.empty() ? "" : ", and no logits were written";
        if (paths_.size() > 1) say(fmt::format("{} of {} images were not read{}", failures_, paths_.size(), left_out));
        return Exit::failed;
    }

  private:
    void predict(std::size_t first, std::size_t count) {
        const std::int64_t side = source_.preprocessing.crop;
        Tensor images({static_cast<std::int64_t>(count), side, side, 3}, DType::u8);
        const std::size_t bytes = images.bytes().size() / count;
        std::vector<std::optional<std::string>> errors(count);
        parallel_for(static_cast<std::int64_t>(count), 1, [&](std::int64_t begin, std::int64_t end) {
            for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
                try {
                    prepare_for_evaluation(decode(std::filesystem::path(paths_[first + i])), source_.preprocessing,
                                           images.values<std::uint8_t>().subspan(i * bytes, bytes));
                } catch (const Error& error) {
                    errors[i] = error.what();
                }
            }
        });
        const Tensor logits = classifier_.run(images);
        const auto classes = static_cast<std::size_t>(classifier_.classes());
        for (std::size_t i = 0; i < count; ++i) {
            const auto row = logits.values<float>().subspan(i * classes, classes);
            std::copy(row.begin(), row.end(),
                      all_logits_.values<float>().begin() + static_cast<std::ptrdiff_t>((first + i) * classes));
            if (errors[i]) {
                ++failures_;
                say(*errors[i]);
            } else {
                show(paths_[first + i], row);
            }
        }
    }

    void show(const std::string& path, std::span<const float> logits) const {
        const double normaliser = log_sum_exp(logits);
        JsonWriter json;
        json.begin_object().field("image", path).key("top").begin_array();
        std::string text = printable(path) + "\n";
        for (const std::int64_t index : top_k(logits, options_.top)) {
            const float logit = logits[static_cast<std::size_t>(index)];
            const double probability = std::exp(static_cast<double>(logit) - normaliser);
            const std::string& name = source_.classes[static_cast<std::size_t>(index)];
            json.begin_object().field("class", name).field("index", index);
            json.field("probability", probability).field("logit", logit).end_object();
            text += fmt::format("  {:5.1f} %  {}\n", 100 * probability, printable(name));
        }
        json.end_array().end_object();
        print(options_.json ? json.text() + "\n" : text);
    }

    const Options& options_;
    const Source& source_;
    std::vector<std::string> paths_;
    Classifier classifier_;
    Tensor all_logits_;
    std::size_t failures_ = 0;
};

Exit predict(const Options& options) {
    if (!options.logits.empty()) require_writable(options.logits);
    Device device = open_device(options.device, options.precision, options.provider);
    std::vector<std::string> paths;
    for (const std::string& argument : options.images) {
        for (std::string& path : expand(argument)) paths.push_back(std::move(path));
    }
    const Source source = open_source(weights_path(options.source), options.model);
    for (const std::string& note : source.notes) say(note);
    return Predictor(options, source, device, std::move(paths)).run();
}

}  // namespace

int predict_command(int argc, char** argv) {
    Options options;
    CommandLine line("predict", "Says what photos show.");
    line.positional("SOURCE", options.source,
                    "A run's folder, a weights file (then --model), or known weights by name");
    line.positional("IMAGE", options.images, "Photos, folders of photos, or quoted patterns");
    line.option("--model", options.model, "Architecture of a weights file that does not say it");
    line.option("--top", options.top, "How many classes to print", 1, 1'000'000);
    line.flag("--json", options.json, "One JSON object a line on standard output");
    line.option("--logits", options.logits, "Write all logits, one tensor [N, classes], to this safetensors file");
    line.option("--device", options.device, device_help);
    line.option("--precision", options.precision, precision_help);
    line.option("--provider", options.provider, provider_help);
    return line.run(argc, argv, [&] { return predict(options); });
}

}  // namespace cambium
