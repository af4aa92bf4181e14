#include "tools/training/recipe.h"

#include <algorithm>
#include <array>

#include "engine/base/fail.h"
#include "models/nearest.h"

namespace cambium {
namespace {

constexpr std::array<std::string_view, 3> optimizer_names = {"sgd", "adam", "adamw"};

// A head on fixed features is a convex problem: Adam reaches its optimum in a few hundred small steps, whatever the
// scale of the features.
constexpr RecipePhase head_phase(int epochs) {
    return {.name = "head",
            .scope = Scope::head,
            .optimizer = OptimizerKind::adamw,
            .rate = 1e-3,
            .weight_decay = 1e-2,
            .epochs = epochs};
}

constexpr RecipePhase whole_network(std::string_view name, double rate, double layer_decay) {
    return {.name = name,
            .optimizer = OptimizerKind::sgd,
            .rate = rate,
            .weight_decay = 1e-4,
            .layer_decay = layer_decay,
            .warmup = 0.1};
}

// `gradual` trains all layers at a third of `full`'s rate: it starts from a head that fits already, and large steps would
// distort the features that it fits (Kumar et al. 2022).
const std::vector<Recipe>& all() {
    static const std::vector<Recipe> recipes = [] {
        RecipePhase scratch = whole_network("all", 0.05, 1);
        scratch.weight_decay = 5e-4;
        scratch.least = 20;
        scratch.most = 60;
        return std::vector<Recipe>{
            {.name = "head",
             .summary = "the pretrained network stays as it is; only a new head is trained, on features computed once",
             .phases = {head_phase(30)}},
            {.name = "full",
             .summary = "the whole pretrained network is trained from the first step",
             .phases = {whole_network("all", 0.01, 1)}},
            {.name = "gradual",
             .summary = "first a new head on fixed features, then everything, the slower the further from the head",
             .phases = {head_phase(20), whole_network("all", 0.003, 0.7)}},
            {.name = "scratch",
             .summary = "random weights, for comparison with what pretraining gains",
             .start = Recipe::Start::random,
             .phases = {scratch}},
        };
    }();
    return recipes;
}

}  // namespace

std::string_view name_of(OptimizerKind kind) { return optimizer_names[static_cast<std::size_t>(kind)]; }

OptimizerKind optimizer_kind(std::string_view name) {
    const auto found = std::find(optimizer_names.begin(), optimizer_names.end(), name);
    if (found == optimizer_names.end()) {
        fail_usage("there is no optimizer '{}'; {}", name, did_you_mean(name, optimizer_names));
    }
    return static_cast<OptimizerKind>(found - optimizer_names.begin());
}

std::span<const Recipe> recipes() { return all(); }

const Recipe& recipe(std::string_view name) {
    std::vector<std::string_view> names;
    for (const Recipe& candidate : all()) {
        if (candidate.name == name) return candidate;
        names.push_back(candidate.name);
    }
    fail_usage("there is no recipe '{}'; {}", name, did_you_mean(name, names));
}

}  // namespace cambium
