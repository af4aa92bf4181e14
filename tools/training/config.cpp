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

TrainingConfig config_from_json(const std::string& text) {
    try {
        const Json json = Json::parse(text);
        TrainingConfig c;
        const auto get = [&](const char* name, auto& field) { json.at(name).get_to(field); };
        get("data", c.data), get("model", c.model), get("weights", c.weights), get("recipe", c.recipe);
        get("device", c.device), get("precision", c.precision), get("seed", c.seed), get("batch", c.batch);
        get("accumulate", c.accumulate), get("evaluation_batch", c.evaluation_batch);
        get("drop_last_batch", c.drop_last_batch), get("augment", c.augment), get("augmentation", c.augmentation);
        get("phases", c.phases), get("label_smoothing", c.label_smoothing), get("clip", c.clip);
        get("average_decay", c.average_decay), get("class_weights", c.class_weights), get("criterion", c.criterion);
        get("patience", c.patience), get("log_every", c.log_every), get("save_every", c.save_every);
        get("classes", c.classes), get("train_count", c.train_count), get("validation_count", c.validation_count);
        get("test_count", c.test_count), get("data_digest", c.data_digest);
        get("instruction_set", c.instruction_set), get("threads", c.threads), get("choices", c.choices);
        c.preprocessing = preprocessing_from_json(json.at("preprocessing").dump());
        if (!json.at("dropout").is_null()) c.dropout = json.at("dropout").get<double>();
        return c;
    } catch (const nlohmann::json::exception& error) {
        fail("not the configuration of a run: {}", error.what());
    }
}

TrainingConfig read_config(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) fail("cannot read {}; is {} the folder of a run?", file.string(), file.parent_path().string());
    std::stringstream text;
    text << stream.rdbuf();
    try {
        return config_from_json(text.str());
    } catch (const Error& error) {
        fail("{}: {}", file.string(), error.what());
    }
}

}  // namespace cambium
