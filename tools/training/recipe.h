// Recipes: ways to train, as data. A recipe is a list of phases; each says what trains, with which optimizer and how
// fast. Numbers of epochs and rates that depend on the photos are chosen in plan.h.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/optim/schedule.h"

namespace cambium {

enum class OptimizerKind : std::uint8_t { sgd, adam, adamw };
std::string_view name_of(OptimizerKind kind);
OptimizerKind optimizer_kind(std::string_view name);  // throws UsageError naming the optimizers there are

enum class Scope : std::uint8_t { head, everything };

struct RecipePhase {
    std::string_view name;
    Scope scope = Scope::everything;
    OptimizerKind optimizer = OptimizerKind::sgd;
    double rate = 0.01;       // at the reference batch of 32
    double weight_decay = 0;  // of matrices and filters
    double layer_decay = 1;   // the rate of each layer, relative to that of the layer after it
    double warmup = 0;        // share of the phase's steps
    // Epochs: a fixed number, or (0) as many as `budget` floating-point operations pay for, within [least, most].
    int epochs = 0;
    int least = 5, most = 60;
};

struct Recipe {
    std::string_view name;
    std::string_view summary;  // one sentence, for people
    enum class Start : std::uint8_t { pretrained, random } start = Start::pretrained;
    std::vector<RecipePhase> phases;
};

std::span<const Recipe> recipes();
const Recipe& recipe(std::string_view name);  // throws UsageError naming the nearest

}  // namespace cambium
