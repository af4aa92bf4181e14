// TrainingConfig: everything that decides a run's result, complete and free of defaults, as config.json keeps it. What
// a person asks for (Request) becomes one in plan.h; a resumed run reads it back and chooses nothing anew.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/images/augment.h"
#include "data/images/preprocessing.h"
#include "engine/optim/schedule.h"
#include "tools/training/patterns.h"
#include "tools/training/recipe.h"

namespace cambium {

// What the command line says; nothing where it says nothing.
struct Request {
    std::string data = "leaves";
    std::string model{}, weights{};  // empty: what goes with the data
    std::string recipe = "gradual";
    std::vector<std::string> freeze{}, train{};
    std::optional<int> epochs{}, batch{}, size{}, accumulate{}, patience{}, save_every{};
    std::optional<double> rate{}, weight_decay{}, layer_decay{}, momentum{}, label_smoothing{}, dropout{}, average{},
        clip{}, warmup{};
    std::optional<double> jitter{}, erase{}, mixup{}, cutmix{};
    std::string optimizer{}, schedule{};
    std::string device = "auto", precision{}, provider = "own";
    std::uint64_t seed = 0;
    enum class Augment : std::uint8_t { on, off } augment = Augment::on;
    enum class Balance : std::uint8_t { automatic, off } balance = Balance::automatic;
    enum class Norms : std::uint8_t { automatic, frozen, trained } norms = Norms::automatic;
};

// An automatic choice and why it fell that way.
struct Choice {
    std::string what, value, reason;
};

struct PhaseConfig {
    std::string name;
    Selection selection{};
    enum class Input : std::uint8_t { images, features } input = Input::images;  // features: of the frozen part, cached
    OptimizerKind optimizer = OptimizerKind::sgd;
    double momentum = 0.9;  // sgd, Nesterov's
    double weight_decay = 0, layer_decay = 1;
    bool norms_frozen = false;  // batch norms stay as in evaluation
    Schedule schedule{};        // over the phase's updates
    std::int64_t epochs = 0, batches_per_epoch = 0, updates_per_epoch = 0;
};

enum class Criterion : std::uint8_t { top1, balanced_accuracy };  // what "best" means

struct TrainingConfig {
    std::string data, model, weights, recipe, device, precision, provider = "own";
    std::uint64_t seed = 0;
    std::int64_t batch = 32, accumulate = 1, evaluation_batch = 16;
    bool drop_last_batch = false;
    Preprocessing preprocessing;  // for evaluation; its crop is the image size everywhere
    bool augment = true;
    Augmentation augmentation;
    std::vector<PhaseConfig> phases;
    double label_smoothing = 0, clip = 0, average_decay = 0;
    std::optional<double> dropout;
    std::vector<double> class_weights;  // empty: all equal
    Criterion criterion = Criterion::top1;
    std::int64_t patience = 0;    // epochs without a better one before a phase ends; 0: never
    std::int64_t log_every = 10;  // updates
    std::int64_t save_every = 1000;
    // What the data were, so that a resumed run can tell that they are the same.
    std::vector<std::string> classes;
    std::int64_t train_count = 0, validation_count = 0, test_count = 0;
    std::string data_digest;
    // The machine the bits belong to.
    std::string instruction_set;
    int threads = 0;
    std::vector<Choice> choices;
};

std::string to_json(const TrainingConfig& config);
TrainingConfig config_from_json(const std::string& text);  // throws Error naming what is wrong
TrainingConfig read_config(const std::filesystem::path& file);

}  // namespace cambium
