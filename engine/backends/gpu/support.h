// What this backend runs, as one table: operators, the dtypes of their operands, and which take an epilogue.
#pragma once

#include <optional>
#include <string>

#include "engine/backends/gpu/gpu_backend.h"

namespace cambium::gpu {

// Nothing if the table has the node, else what it lacks.
std::optional<std::string> missing_from_table(const NodeSpec& node, const Options& options);

}  // namespace cambium::gpu
