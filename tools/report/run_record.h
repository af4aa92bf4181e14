// RunRecord: what a run's folder says, read once into plain values, so that the sections of the report deal with
// neither files nor JSON. A number that is missing is NaN, a text that is missing is empty.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace cambium::report {

inline constexpr double missing = std::numeric_limits<double>::quiet_NaN();

struct Point {
    double step = 0, value = 0;  // a value that was not finite stays here as NaN
};

struct Curves {
    std::vector<Point> train_loss, val_loss, val_top1, val_balanced, rate;
    struct Mark {
        double step = 0;
        std::string label;
    };
    std::vector<Mark> phases;  // where each begins
    double last_step = missing, last_epoch = missing;
    int damaged_lines = 0;
};

struct Choice {
    std::string what, value, reason;
};

struct Phase {
    std::string name{}, optimizer{}, schedule{}, input{}, train{}, freeze{};  // as configured
    double rate = missing, layer_decay = missing;
    std::string trained{}, frozen{};  // as it happened
    double epochs = missing, steps = missing, trained_parameters = missing, frozen_parameters = missing;
    double seconds = missing;
};

struct ClassResult {
    std::string name;
    double support = 0, train_count = missing;
    double precision = missing, recall = missing, f1 = missing;
};

struct MistakeResult {
    double index = missing, probability = missing;
    std::string image{}, truth{}, predicted{};
};

struct SharedResult {
    std::string train, other;
    bool same_bytes = false;
};

struct RunRecord {
    std::string folder;  // of the run, its last part
    std::string data, model, weights, recipe, criterion;
    double train_count = missing, validation_count = missing, test_count = missing;
    std::vector<Choice> choices;
    std::vector<Phase> phases;
    std::vector<std::pair<std::string, std::string>> settings;  // all of config.json, "augmentation.flip" -> "0.5"
    Curves curves;

    bool finished = false;  // there is a result.json; what follows is from it
    std::string ended, set, majority_class;
    double count = missing, top1 = missing, top5 = missing, loss = missing, balanced_accuracy = missing;
    double macro_f1 = missing, majority_baseline = missing;
    double validation_top1 = missing, validation_balanced = missing, validation_f1 = missing;  // of the best state
    double validation_majority = missing;
    double best_epoch = missing, best_step = missing, best_top1 = missing, best_balanced = missing;
    std::vector<std::string> classes;
    std::vector<double> confusion;  // [true class, predicted class]; empty where it is not known
    std::vector<ClassResult> per_class;
    std::vector<MistakeResult> mistakes;
    std::string split;
    std::vector<std::pair<std::string, std::string>> left_out;  // image, reason
    std::vector<SharedResult> duplicates;
    std::vector<std::string> notes;
    std::vector<std::pair<std::string, std::string>> machine;  // "cpu" -> ...
    std::string started, finished_at;
    double seconds = missing, images_per_second = missing, wait_share = missing, peak_memory_mb = missing;
};

// The fields are those of report.h. Throws Error if config.json cannot be read, or if it or result.json is not JSON.
RunRecord read_run(const std::filesystem::path& run);

}  // namespace cambium::report
