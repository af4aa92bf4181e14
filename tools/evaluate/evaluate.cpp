// cambium evaluate: accuracy on test/, else val/, else the folder itself. A pretrained head is asked about its own
// classes: folders are matched to them by WordNet id or name, and `top1_own` is the accuracy if only the folder's
// classes could be answered.
#include "tools/evaluate/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "data/images/folder.h"
#include "data/images/loader.h"
#include "engine/base/fail.h"
#include "tools/bench/batch_memory.h"
#include "tools/common/classifier.h"
#include "tools/common/command.h"
#include "tools/common/json_writer.h"
#include "tools/common/progress.h"
#include "tools/common/table.h"
#include "tools/common/terminal.h"
#include "tools/common/weights_path.h"
#include "tools/training/dataset.h"

namespace cambium {
namespace {

struct Options {
    std::string source, data, model, device = "auto", precision, provider = "own";
    std::int64_t batch = 16;
    bool json = false;
};

struct Tally {
    struct Class {
        std::int64_t count = 0, right = 0;
    };
    std::int64_t count = 0, top1 = 0, top5 = 0, top1_own = 0;
    double loss = 0;             // summed cross-entropy
    std::vector<Class> classes;  // in the folder's order

    double share(std::int64_t right) const { return static_cast<double>(right) / static_cast<double>(count); }
};

// The photos to measure on, from a folder, a CSV or the built-in sample.
struct Photos {
    std::vector<std::string> classes;
    std::shared_ptr<const ImageSource> source;
    std::string split;
    std::vector<LeftOut> left_out{};
};

Photos open_photos(const std::string& data) {
    if (is_leaves(data)) {
        Dataset sample = open_dataset(data);
        const bool test = sample.test != nullptr;
        return {std::move(sample.classes), test ? sample.test : sample.validation,
                test ? "its test set" : "its validation set"};
    }
    ImageFolder folder = open_for_evaluation(data);
    return {std::move(folder.classes), std::make_shared<FileSource>(std::move(folder.test)), folder.split,
            std::move(folder.left_out)};
}

// For each of the folder's classes the index of the network's class.
std::vector<std::int64_t> match_classes(const Photos& photos, const Source& source) {
    std::vector<std::int64_t> indices;
    std::string unknown;
    for (const std::string& name : photos.classes) {
        const auto found = find_class(name, source.classes, source.class_set);
        indices.push_back(found.value_or(-1));
        if (!found) unknown += (unknown.empty() ? "'" : ", '") + name + "'";
    }
    if (unknown.empty()) return indices;
    const char* advice = source.class_set == ClassSet::imagenet
                             ? "name the folders by WordNet id (n01440764) or ImageNet's class names"
                             : "the folders must bear the names of the classes it was trained on";
    fail("cannot evaluate {}: the network has no class, or more than one, called {}; {}",
         source.weights.path().string(), unknown, advice);
}

class Evaluation {
  public:
    Evaluation(const Source& source, const Photos& photos, Classifier& classifier)
        : source_(source), photos_(photos), classifier_(classifier), indices_(match_classes(photos, source)) {
        own_.insert(indices_.begin(), indices_.end());
        tally_.classes.resize(photos.classes.size());
    }

    const Tally& run() {
        Loader loader(photos_.source, {.batch = classifier_.batch(), .epochs = 1, .transform = source_.preprocessing});
        Progress progress("evaluating", photos_.source->size(), "photos");
        while (std::optional<Batch> batch = loader.next()) {
            const Tensor logits = classifier_.run(batch->images);
            const auto classes = static_cast<std::size_t>(classifier_.classes());
            for (std::size_t i = 0; i < batch->indices.size(); ++i) {
                add(logits.values<float>().subspan(i * classes, classes), batch->labels.values<std::int32_t>()[i]);
            }
            progress.show(tally_.count);
        }
        return tally_;
    }

  private:
    void add(std::span<const float> logits, int label) {
        const std::int64_t truth = indices_[static_cast<std::size_t>(label)];
        Tally::Class& own = tally_.classes[static_cast<std::size_t>(label)];
        const std::vector<std::int64_t> top = top_k(logits, 5);
        ++tally_.count;
        ++own.count;
        if (top[0] == truth) {
            ++tally_.top1;
            ++own.right;
        }
        if (std::find(top.begin(), top.end(), truth) != top.end()) ++tally_.top5;
        tally_.loss += log_sum_exp(logits) - static_cast<double>(logits[static_cast<std::size_t>(truth)]);
        std::int64_t best = *own_.begin();
        for (const std::int64_t index : own_) {  // ascending, so that the lower of equal ones wins
            if (logits[static_cast<std::size_t>(index)] > logits[static_cast<std::size_t>(best)]) best = index;
        }
        if (best == truth) ++tally_.top1_own;
    }

    const Source& source_;
    const Photos& photos_;
    Classifier& classifier_;
    std::vector<std::int64_t> indices_;
    std::set<std::int64_t> own_;
    Tally tally_;
};

std::string as_json(const Tally& tally, const Photos& photos, const Source& source) {
    JsonWriter json;
    json.begin_object().field("top1", tally.share(tally.top1)).field("top5", tally.share(tally.top5));
    json.field("loss", tally.loss / static_cast<double>(tally.count)).field("count", tally.count);
    if (source.class_set != ClassSet::none) json.field("top1_own", tally.share(tally.top1_own));
    json.key("per_class").begin_array();
    for (std::size_t i = 0; i < photos.classes.size(); ++i) {
        const auto [count, right] = tally.classes[i];
        if (count == 0) continue;
        json.begin_object().field("class", photos.classes[i]).field("count", count);
        json.field("top1", static_cast<double>(right) / static_cast<double>(count)).end_object();
    }
    return json.end_array().end_object().text() + "\n";
}

std::string as_text(const Tally& tally, const Photos& photos, const Source& source) {
    using enum Table::Align;
    Table table({{.title = ""},
                 {.title = "", .align = right, .importance = 2},
                 {.title = "", .align = right, .importance = 1}});
    const auto line = [&](std::string name, std::int64_t right_ones, std::int64_t count) {
        const double percent = 100 * static_cast<double>(right_ones) / static_cast<double>(count);
        table.add({std::move(name), fmt::format("{:.2f} %", percent), fmt::format(" ({} of {})", right_ones, count)});
    };
    for (std::size_t i = 0; i < photos.classes.size(); ++i) {
        const auto [count, right_ones] = tally.classes[i];
        if (count > 0) line("  " + photos.classes[i], right_ones, count);
    }
    line(fmt::format("top-1 among {} classes", source.classes.size()), tally.top1, tally.count);
    line("top-5", tally.top5, tally.count);
    if (source.class_set != ClassSet::none) {
        line(fmt::format("top-1 among the folder's {}", photos.classes.size()), tally.top1_own, tally.count);
    }
    table.add({"loss", fmt::format("{:.4f}  ", tally.loss / static_cast<double>(tally.count))});
    return table.text(result_width());
}

Exit evaluate(const Options& options) {
    Device device = open_device(options.device, options.precision, options.provider);
    const Source source = open_source(weights_path(options.source), options.model);
    const Photos photos = open_photos(options.data);
    for (const std::string& note : source.notes) say(note);
    say(fmt::format("evaluating {} photos of {} classes: {} of {}", photos.source->size(), photos.classes.size(),
                    photos.split, options.data));
    for (const LeftOut& left_out : photos.left_out) {
        say(fmt::format("left out: {}: {}", left_out.path.string(), left_out.reason));
    }
    const std::int64_t batch = std::min(options.batch, photos.source->size());
    const auto trace = [&](Graph& graph, std::int64_t size) { trace_classifier(graph, source, size); };
    require_memory(fmt::format("evaluating {}", source.architecture->name), trace, batch, device);
    Classifier classifier(source, device, batch);
    for (const std::string& note : classifier.notes()) say(note);
    say_how(classifier.program(), device);
    Evaluation evaluation(source, photos, classifier);
    const Tally& tally = evaluation.run();
    print(options.json ? as_json(tally, photos, source) : as_text(tally, photos, source));
    return Exit::done;
}

}  // namespace

int evaluate_command(int argc, char** argv) {
    Options options;
    CommandLine line("evaluate", "Measures accuracy on a folder of labelled photos.");
    line.positional("SOURCE", options.source,
                    "A run's folder, a weights file (then --model), or known weights by name");
    line.positional("DATA", options.data,
                    "A folder with one folder a class (under test/ or val/ if there are any), a CSV, or leaves");
    line.option("--model", options.model, "Architecture of a weights file that does not say it");
    line.option("--batch", options.batch, "Photos at a time", 1, 4096);
    line.flag("--json", options.json, "One JSON object on standard output");
    line.option("--device", options.device, device_help);
    line.option("--precision", options.precision, precision_help);
    line.option("--provider", options.provider, provider_help);
    return line.run(argc, argv, [&] { return evaluate(options); });
}

}  // namespace cambium
