#include "tools/report/run_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <sstream>

#include "engine/base/fail.h"

namespace cambium::report {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// A field that is absent or of another type than expected reads as missing: a report shows what there is.
const Json& at(const Json& json, const char* key) {
    static const Json nothing;
    const auto found = json.is_object() ? json.find(key) : json.end();
    return json.is_object() && found != json.end() ? *found : nothing;
}
double number(const Json& json) { return json.is_number() ? json.get<double>() : missing; }
double number(const Json& json, const char* key) { return number(at(json, key)); }
std::string text(const Json& json) { return json.is_string() ? json.get<std::string>() : std::string(); }
std::string text(const Json& json, const char* key) { return text(at(json, key)); }
// The elements of an array, none if it is not one.
const Json& list(const Json& json, const char* key) {
    static const Json empty = Json::array();
    const Json& found = at(json, key);
    return found.is_array() ? found : empty;
}
std::string joined(const Json& strings) {
    std::string all;
    for (const Json& one : strings) all += (all.empty() ? "" : ", ") + text(one);
    return all;
}
std::vector<std::string> strings(const Json& array) {
    std::vector<std::string> all;
    for (const Json& one : array) all.push_back(text(one));
    return all;
}

std::optional<Json> read_json(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return {};
    Json json = Json::parse(file, nullptr, false);
    if (json.is_discarded()) fail("cannot write a report: {} is not JSON; was it cut off or changed?", path.string());
    return json;
}

// {"a": {"b": [1, 2]}} -> ("a.b", "1, 2")
void flatten(const Json& json, const std::string& name, std::vector<std::pair<std::string, std::string>>& out) {
    const bool plain_list =
        json.is_array() && std::none_of(json.begin(), json.end(), [](const Json& v) { return v.is_structured(); });
    if (plain_list) {
        std::string all;
        for (const Json& v : json) all += (all.empty() ? "" : ", ") + (v.is_string() ? text(v) : v.dump());
        out.emplace_back(name, all);
    } else if (json.is_structured()) {
        for (const auto& [key, value] : json.items()) flatten(value, name.empty() ? key : name + "." + key, out);
    } else {
        out.emplace_back(name, json.is_string() ? text(json) : json.is_null() ? "" : json.dump());
    }
}

void read_config(const Json& config, RunRecord& run) {
    run.data = text(config, "data");
    run.model = text(config, "model");
    run.weights = text(config, "weights");
    run.recipe = text(config, "recipe");
    run.criterion = text(config, "criterion");
    run.train_count = number(config, "train_count");
    run.validation_count = number(config, "validation_count");
    run.test_count = number(config, "test_count");
    run.classes = strings(list(config, "classes"));
    for (const Json& c : list(config, "choices")) {
        run.choices.push_back({text(c, "what"), text(c, "value"), text(c, "reason")});
    }
    for (const Json& p : list(config, "phases")) {
        Phase phase{.name = text(p, "name"), .optimizer = text(p, "optimizer"), .input = text(p, "input")};
        phase.schedule = text(at(p, "schedule"), "kind");
        phase.rate = number(at(p, "schedule"), "rate");
        phase.layer_decay = number(p, "layer_decay");
        phase.epochs = number(p, "epochs");
        phase.train = joined(list(at(p, "selection"), "train"));
        phase.freeze = joined(list(at(p, "selection"), "freeze"));
        run.phases.push_back(std::move(phase));
    }
    flatten(config, "", run.settings);
}

void read_curves(const fs::path& path, Curves& curves) {
    std::ifstream file(path, std::ios::binary);
    for (std::string line; std::getline(file, line);) {
        if (line.empty()) continue;
        const Json json = Json::parse(line, nullptr, false);
        const double step = number(json, "step");
        if (json.is_discarded() || !std::isfinite(step)) {
            ++curves.damaged_lines;
            continue;
        }
        const auto add = [&](std::vector<Point>& curve, const char* key) {
            if (json.contains(key)) curve.push_back({step, number(json, key)});
        };
        add(curves.train_loss, "train_loss");
        add(curves.val_loss, "val_loss");
        add(curves.val_top1, "val_top1");
        add(curves.val_balanced, "val_balanced_accuracy");
        add(curves.rate, "lr");
        curves.last_step = step;
        if (json.contains("epoch")) curves.last_epoch = number(json, "epoch");
        const std::string phase = text(json, "phase");
        if (!phase.empty() && (curves.phases.empty() || curves.phases.back().label != phase)) {
            curves.phases.push_back({step, phase});
        }
    }
}

// Square, of non-negative finite counts; its classes are named if config.json and result.json did not.
void read_confusion(const Json& rows, RunRecord& run) {
    if (rows.empty()) return;
    const std::size_t n = rows.size();
    if (!run.classes.empty() && run.classes.size() != n) {
        run.notes.push_back(fmt::format(
            "the confusion matrix of result.json has {} rows for {} classes; it is left out", n, run.classes.size()));
        return;
    }
    for (const Json& row : rows) {
        for (const Json& cell : row) run.confusion.push_back(std::max(0.0, number(cell)));
    }
    const bool whole =
        std::all_of(run.confusion.begin(), run.confusion.end(), [](double v) { return std::isfinite(v); });
    if (run.confusion.size() != n * n || !whole) {
        run.notes.push_back("the confusion matrix of result.json is damaged; it is left out");
        run.confusion.clear();
        return;
    }
    for (std::size_t i = run.classes.size(); i < n; ++i) run.classes.push_back(fmt::format("class {}", i));
}

void read_per_class(const Json& rows, RunRecord& run) {
    for (const Json& row : rows) {
        run.per_class.push_back({.name = text(row, "class"),
                                 .support = number(row, "support"),
                                 .precision = number(row, "precision"),
                                 .recall = number(row, "recall"),
                                 .f1 = number(row, "f1")});
    }
    const std::size_t n = run.confusion.empty() ? 0 : run.classes.size();
    for (std::size_t c = 0; run.per_class.size() < n && c < n; ++c) {
        double support = 0, predicted = 0;
        for (std::size_t i = 0; i < n; ++i) {
            support += run.confusion[c * n + i];
            predicted += run.confusion[i * n + c];
        }
        const double right = run.confusion[c * n + c];
        run.per_class.push_back({.name = run.classes[c],
                                 .support = support,
                                 .precision = predicted > 0 ? right / predicted : 0,
                                 .recall = support > 0 ? right / support : 0,
                                 .f1 = support + predicted > 0 ? 2 * right / (support + predicted) : 0});
    }
}

void read_class_counts(const Json& counts, RunRecord& run) {
    if (counts.size() != run.classes.size()) return;
    for (ClassResult& row : run.per_class) {
        const auto found = std::find(run.classes.begin(), run.classes.end(), row.name);
        if (found == run.classes.end()) continue;
        row.train_count = number(counts[static_cast<std::size_t>(found - run.classes.begin())]);
    }
}

void read_phases(const Json& phases, RunRecord& run) {
    for (std::size_t i = 0; i < phases.size(); ++i) {
        if (i >= run.phases.size()) run.phases.emplace_back();
        Phase& phase = run.phases[i];
        if (phase.name.empty()) phase.name = text(phases[i], "name");
        if (std::isfinite(number(phases[i], "epochs"))) phase.epochs = number(phases[i], "epochs");
        phase.steps = number(phases[i], "steps");
        phase.trained = text(phases[i], "trained");
        phase.frozen = text(phases[i], "frozen");
        phase.trained_parameters = number(phases[i], "trained_parameters");
        phase.frozen_parameters = number(phases[i], "frozen_parameters");
        phase.seconds = number(at(phases[i], "time"), "seconds");
    }
}

void read_data(const Json& result, RunRecord& run) {
    run.split = text(at(result, "data"), "split");
    read_class_counts(list(at(at(result, "data"), "class_counts"), "train"), run);
    for (const Json& l : list(result, "left_out")) run.left_out.emplace_back(text(l, "image"), text(l, "reason"));
    for (const Json& d : list(result, "duplicates")) {
        run.duplicates.push_back({text(d, "train"), text(d, "other"), at(d, "same_bytes") == Json(true)});
    }
    for (const Json& note : list(result, "notes")) run.notes.push_back(text(note));
}

void read_time(const Json& time, RunRecord& run) {
    run.started = text(time, "started");
    run.finished_at = text(time, "finished");
    run.seconds = number(time, "seconds");
    run.images_per_second = number(time, "images_per_second");
    run.wait_share = number(time, "wait_share");
    run.peak_memory_mb = number(time, "peak_memory_mb");
}

void read_result(const Json& result, RunRecord& run) {
    run.ended = text(result, "ended");
    run.set = text(result, "set");
    run.count = number(result, "count");
    run.top1 = number(result, "top1");
    run.top5 = number(result, "top5");
    run.loss = number(result, "loss");
    run.balanced_accuracy = number(result, "balanced_accuracy");
    run.macro_f1 = number(result, "macro_f1");
    run.majority_baseline = number(result, "majority_baseline");
    run.majority_class = text(result, "majority_class");
    const Json& validation = at(result, "validation");
    run.validation_top1 = number(validation, "top1");
    run.validation_balanced = number(validation, "balanced_accuracy");
    run.validation_f1 = number(validation, "macro_f1");
    run.validation_majority = number(validation, "majority_baseline");
    const Json& best = at(result, "best");
    run.best_epoch = number(best, "epoch");
    run.best_step = number(best, "step");
    run.best_top1 = number(best, "val_top1");
    run.best_balanced = number(best, "val_balanced_accuracy");
    if (!list(result, "classes").empty()) run.classes = strings(list(result, "classes"));
    read_confusion(list(result, "confusion"), run);
    read_per_class(list(result, "per_class"), run);
    for (const Json& m : list(result, "mistakes")) {
        run.mistakes.push_back({.index = number(m, "index"),
                                .probability = number(m, "probability"),
                                .image = text(m, "image"),
                                .truth = text(m, "truth"),
                                .predicted = text(m, "predicted")});
    }
    read_phases(list(result, "phases"), run);
    read_data(result, run);
    if (at(result, "machine").is_object()) flatten(at(result, "machine"), "", run.machine);
    read_time(at(result, "time"), run);
}

}  // namespace

RunRecord read_run(const fs::path& run) {
    RunRecord record;
    record.folder = (run / ".").lexically_normal().parent_path().filename().string();
    const std::optional<Json> config = read_json(run / "config.json");
    if (!config) fail("cannot read {}; is {} the folder of a run?", (run / "config.json").string(), run.string());
    read_config(*config, record);
    read_curves(run / "metrics.jsonl", record.curves);
    const std::optional<Json> result = read_json(run / "result.json");
    record.finished = result.has_value();
    if (result) read_result(*result, record);
    return record;
}

}  // namespace cambium::report
