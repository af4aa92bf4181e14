// The graphs of a phase: one training step (forward, loss, backward, update, running metrics in one graph),
// accumulation in two, evaluation, and the frozen part that computes features. All of them bind to one Store.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/graph/gradients.h"
#include "engine/graph/program.h"
#include "models/architectures.h"
#include "tools/training/config.h"

namespace cambium {

// A phase as its graphs see it; refers to what it is made from.
class PhaseGraphs {
  public:
    PhaseGraphs(const TrainingConfig& run, const PhaseConfig& own, const Architecture& model);

    const TrainingConfig& config;
    const PhaseConfig& phase;
    const Architecture& architecture;

    bool from_features() const { return phase.input == PhaseConfig::Input::features; }
    std::int64_t classes() const { return static_cast<std::int64_t>(config.classes.size()); }

    // Inputs: "images" u8 [batch, side, side, 3] or "features" f32 [batch, ...]; "labels" i32 [batch]; where photos are
    // augmented "table" f32 [batch, 20], and where they are mixed the loss's own "targets" f32 [batch, classes];
    // scalars "learning_rate", "dropout_step" and, with averages, "average_rate". With accumulation the update is
    // apply()'s.
    Graph train(std::int64_t batch, const Shape& feature) const;
    Graph apply() const;  // with accumulation only
    // Output "logits" [batch, classes]; input "images" or "features".
    Graph evaluate(std::int64_t batch, const Shape& feature) const;
    Graph features(std::int64_t batch) const;  // "images" -> output "features"

    // Shape of one sample's features.
    Shape feature_shape() const;
    // All parameters of the network, in the order of the forward pass.
    struct Parameters {
        std::vector<std::string> trained{}, frozen{};
        std::int64_t trained_count = 0, frozen_count = 0;  // scalars in them
    };
    Parameters parameters() const;
    bool augments() const;  // photos are changed as a table says
    bool mixes() const;     // mixup or cutmix: labels are shares of classes

  private:
    struct Built;
    bool trains(std::string_view parameter) const;
    Value photos(Graph& graph, std::int64_t batch, Mode mode) const;
    Built build(Graph& graph, std::int64_t batch, const Shape& feature, Mode mode) const;
    Value update(Graph& graph, std::span<const ParameterGradient> gradients, const Loss& loss) const;
    std::set<std::string, std::less<>> norms_;  // "layer1.0.bn1"
};

// The learning rate of each parameter relative to the last one's: `decay` to the power of the layers between;
// parameters stand in the order of the forward pass. A layer is the part of the name up to its first number ("layer1",
// "features.3") (Howard & Ruder 2018, discriminative fine-tuning).
std::map<std::string, double> layer_rate_factors(const std::vector<std::string>& parameters, double decay);

// Loss, right answers and samples since they were last taken; then zero.
struct WindowSums {
    double loss = 0, denominator = 0, right = 0, samples = 0;
    double mean_loss() const { return denominator > 0 ? loss / denominator : 0; }
    double top1() const { return samples > 0 ? right / samples : 0; }
};
WindowSums take_window(Store& store);

// A smaller last batch of `rows` photos cannot be trained on if it leaves a batch norm with one value per channel.
bool leaves_single_values(const Graph& train, std::int64_t batch, std::int64_t rows);

inline constexpr const char* images_input = "images";
inline constexpr const char* features_input = "features";
inline constexpr const char* table_input = "table";
inline constexpr const char* labels_input = "labels";
inline constexpr const char* targets_input = "targets";
inline constexpr const char* dropout_step_input = "dropout_step";

}  // namespace cambium
