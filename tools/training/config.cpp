#include "tools/training/config.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/base/fail.h"
#include "models/source.h"

// A missing field is an error that names it, an unknown one is left alone.
namespace cambium {

using Json = nlohmann::json;

NLOHMANN_JSON_SERIALIZE_ENUM(OptimizerKind, {{OptimizerKind::sgd, "sgd"},
                                             {OptimizerKind::adam, "adam"},
                                             {OptimizerKind::adamw, "adamw"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Criterion,
                             {{Criterion::top1, "top1"}, {Criterion::balanced_accuracy, "balanced_accuracy"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Interpolation,
                             {{Interpolation::bilinear, "bilinear"}, {Interpolation::bicubic, "bicubic"}})
using PhaseInput = PhaseConfig::Input;
static void to_json(Json& json, PhaseInput input) { json = input == PhaseInput::features ? "features" : "images"; }
static void from_json(const Json& json, PhaseInput& input) {
    input = json.get<std::string>() == "features" ? PhaseInput::features : PhaseInput::images;
}
static void to_json(Json& json, const Schedule& s) {
    json = {{"kind", name_of(s.kind)},
            {"rate", s.rate},
            {"total_steps", s.total_steps},
            {"warmup_steps", s.warmup_steps},
            {"warmup_factor", s.warmup_factor},
            {"interval", s.interval},
            {"decay", s.decay},
            {"final_rate", s.final_rate},
            {"rise", s.rise},
            {"divisor", s.divisor},
            {"final_divisor", s.final_divisor}};
}
static void from_json(const Json& json, Schedule& s) {
    s = {.kind = schedule_kind(json.at("kind").get<std::string>()),
         .rate = json.at("rate"),
         .total_steps = json.at("total_steps"),
         .warmup_steps = json.at("warmup_steps"),
         .warmup_factor = json.at("warmup_factor"),
         .interval = json.at("interval"),
         .decay = json.at("decay"),
         .final_rate = json.at("final_rate"),
         .rise = json.at("rise"),
         .divisor = json.at("divisor"),
         .final_divisor = json.at("final_divisor")};
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Choice, what, value, reason)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Selection, train, freeze)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Range, low, high)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Augmentation, size, interpolation, crop_area, crop_ratio, flip, brightness, contrast,
                                   saturation, hue, erase, erase_area, erase_ratio, mixup, cutmix)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PhaseConfig, name, selection, input, optimizer, momentum, weight_decay, layer_decay,
                                   norms_frozen, schedule, epochs, batches_per_epoch, updates_per_epoch)

std::string to_json(const TrainingConfig& c) {
    Json json = {
        {"data", c.data},
        {"model", c.model},
        {"weights", c.weights},
        {"recipe", c.recipe},
        {"device", c.device},
        {"precision", c.precision},
        {"provider", c.provider},
        {"seed", c.seed},
        {"batch", c.batch},
        {"accumulate", c.accumulate},
        {"evaluation_batch", c.evaluation_batch},
        {"drop_last_batch", c.drop_last_batch},
        {"preprocessing", Json::parse(to_json(c.preprocessing))},
        {"augment", c.augment},
        {"augmentation", c.augmentation},
        {"phases", c.phases},
        {"label_smoothing", c.label_smoothing},
        {"clip", c.clip},
        {"average_decay", c.average_decay},
        {"dropout", c.dropout ? Json(*c.dropout) : Json(nullptr)},
        {"class_weights", c.class_weights},
        {"criterion", c.criterion},
        {"patience", c.patience},
        {"log_every", c.log_every},
        {"save_every", c.save_every},
        {"classes", c.classes},
        {"train_count", c.train_count},
        {"validation_count", c.validation_count},
        {"test_count", c.test_count},
        {"data_digest", c.data_digest},
        {"instruction_set", c.instruction_set},
        {"threads", c.threads},
        {"choices", c.choices},
    };
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// Whatever the JSON library finds wrong becomes a sentence of ours that names the field.
template <class T>
static void get(const Json& json, const char* name, T& field) {
    if (!json.is_object() || !json.contains(name)) fail("the field '{}' is missing", name);
    try {
        json.at(name).get_to(field);
    } catch (const nlohmann::json::exception&) {
        fail("the field '{}' lacks a part, or holds another kind of value than it should", name);
    } catch (const UsageError& error) {  // a name that stands for nothing
        fail("the field '{}': {}", name, error.what());
    }
}

static void require_at_least(std::int64_t least, const std::string& name, std::int64_t value) {
    if (value < least) fail("the field '{}' is {}, and must be at least {}", name, value, least);
}

static void require_usable(const TrainingConfig& c) {
    require_at_least(1, "batch", c.batch);
    require_at_least(1, "accumulate", c.accumulate);
    require_at_least(1, "evaluation_batch", c.evaluation_batch);
    require_at_least(0, "patience", c.patience);
    require_at_least(1, "log_every", c.log_every);
    require_at_least(1, "save_every", c.save_every);
    require_at_least(1, "threads", c.threads);
    require_at_least(1, "preprocessing.crop", c.preprocessing.crop);
    if (c.classes.size() < 2) fail("the field 'classes' names {}, and a classifier needs two", c.classes.size());
    if (!c.class_weights.empty() && c.class_weights.size() != c.classes.size()) {
        fail("the field 'class_weights' has {} values for {} classes", c.class_weights.size(), c.classes.size());
    }
    if (c.phases.empty()) fail("the field 'phases' is empty, so there is nothing to train");
    for (std::size_t i = 0; i < c.phases.size(); ++i) {
        const auto field = [&](const char* name) { return fmt::format("phases[{}].{}", i, name); };
        require_at_least(1, field("epochs"), c.phases[i].epochs);
        require_at_least(1, field("batches_per_epoch"), c.phases[i].batches_per_epoch);
        require_at_least(1, field("updates_per_epoch"), c.phases[i].updates_per_epoch);
    }
}

TrainingConfig config_from_json(const std::string& text) {
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded()) fail("it is not JSON, or was cut off");
    TrainingConfig c;
    const auto read = [&](const char* name, auto& field) { get(json, name, field); };
    read("data", c.data), read("model", c.model), read("weights", c.weights), read("recipe", c.recipe);
    read("device", c.device), read("precision", c.precision), read("seed", c.seed), read("batch", c.batch);
    read("accumulate", c.accumulate), read("evaluation_batch", c.evaluation_batch);
    read("drop_last_batch", c.drop_last_batch), read("augment", c.augment), read("augmentation", c.augmentation);
    read("phases", c.phases), read("label_smoothing", c.label_smoothing), read("clip", c.clip);
    read("average_decay", c.average_decay), read("class_weights", c.class_weights), read("criterion", c.criterion);
    read("patience", c.patience), read("log_every", c.log_every), read("save_every", c.save_every);
    read("classes", c.classes), read("train_count", c.train_count), read("validation_count", c.validation_count);
    read("test_count", c.test_count), read("data_digest", c.data_digest);
    read("instruction_set", c.instruction_set), read("threads", c.threads), read("choices", c.choices);
    if (json.contains("provider")) read("provider", c.provider);  // runs of earlier versions have none
    Json preprocessing, dropout;
    read("preprocessing", preprocessing), read("dropout", dropout);
    c.preprocessing = preprocessing_from_json(preprocessing.dump());
    if (!dropout.is_null()) get(json, "dropout", c.dropout.emplace());
    require_usable(c);
    return c;
}

TrainingConfig read_config(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) fail("cannot read {}; is {} the folder of a run?", file.string(), file.parent_path().string());
    std::stringstream text;
    text << stream.rdbuf();
    try {
        return config_from_json(text.str());
    } catch (const Error& error) {
        fail("cannot use {}: {}; put it back from a copy, or train again into another folder", file.string(),
             error.what());
    }
}

}  // namespace cambium
