// A whole training step as one graph: what `bench step` times and `inspect --graph MODEL --training` shows.
#pragma once

#include "models/architectures.h"

namespace cambium {

// Inputs "images" u8 [batch, side, side, 3], "labels" i32 [batch], "learning_rate"; output "loss" (mean). Forward,
// softmax cross-entropy, backward and SGD with momentum 0.9, all parameters trained.
void trace_training_step(Graph& graph, const Architecture& architecture, std::int64_t batch, std::int64_t classes,
                         const Preprocessing& preprocessing);

}  // namespace cambium
