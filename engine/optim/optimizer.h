// Optimizers as functions that append to a graph: update, clipping, step counters, gradient accumulation and weight
// averages are nodes like any other, so one replayed program is the whole training step.
//
// Everything here takes gradients *summed* over the batch and the loss as sum and denominator; one ClipScale divides
// and clips. Where it is not finite, every entry keeps its value and only `optimizer.attempts` moves on.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/graph/gradients.h"
#include "engine/ops/functions.h"

namespace cambium {

// What differs from parameter to parameter (PyTorch's parameter groups).
struct ParameterOptions {
    double rate_factor = 1;  // multiplies the learning rate
    double weight_decay = 0;
};
using ParameterTable = std::function<ParameterOptions(const EntrySpec& parameter)>;

// Decay for matrices and filters only: normalisation and biases have rank 1.
ParameterTable decay_matrices(double weight_decay);

struct SgdOptions {
    double momentum = 0;
    ops::SgdUpdate::Momentum kind = ops::SgdUpdate::Momentum::heavy_ball;
    double max_norm = 0;          // of the mean gradient over all parameters; 0: no clipping
    ParameterTable parameters{};  // none: factor 1 and no decay
};

struct AdamOptions {
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    double max_norm = 0;
    ParameterTable parameters{};
};

// What a step leaves for other nodes of its graph.
struct Update {
    Value norm;   // f32 []: of the summed gradients, before clipping
    Value scale;  // f32 []: what gradients were multiplied by. Not finite where the step was skipped, so it is the
                  // guard of whatever else this step assigns.
};

// Each declares the scalar input "learning_rate", the optimizer state of every parameter and two counters, i32 []:
// `optimizer.steps`, the updates made, and `optimizer.attempts`, the runs; their difference is what was skipped.
// Throws Error if there is no gradient.
Update sgd(Graph& graph, std::span<const ParameterGradient> gradients, const Loss& loss, const SgdOptions& options);
Update adam(Graph& graph, std::span<const ParameterGradient> gradients, const Loss& loss, const AdamOptions& options);
Update adamw(Graph& graph, std::span<const ParameterGradient> gradients, const Loss& loss, const AdamOptions& options);

inline constexpr const char* learning_rate_input = "learning_rate";
inline constexpr const char* optimizer_steps = "optimizer.steps";
inline constexpr const char* optimizer_attempts = "optimizer.attempts";

// Gradient accumulation: a program with accumulate() runs once for each micro-batch, then one with accumulated() runs
// the optimizer on the sums of all of them and sets the accumulators back to zero.
void accumulate(Graph& graph, std::span<const ParameterGradient> gradients, const Loss& loss);
struct Accumulated {
    std::vector<ParameterGradient> gradients;
    Loss loss;
};
Accumulated accumulated(Graph& graph, std::span<const EntrySpec> parameters);

// Exponential moving averages of everything the graph has assigned so far to parameters and statistics:
//   average += (1 - decay) * (new value - average),  1 - decay being the scalar input "average_rate".
// Nothing moves where `guard` is not finite. start_averages() gives the entries their first value, that of their
// source.
void average_weights(Graph& graph, Value guard);
void start_averages(const Graph& graph, Store& store);
std::string average_of(const std::string& entry);  // the name of its average

inline constexpr const char* average_rate_input = "average_rate";

}  // namespace cambium
