// Whether a batch fits into memory, known before anything is made for it. Memory grows in a straight line with the
// batch, so that programs for two small ones tell what a large one would take.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "engine/graph/graph.h"
#include "tools/common/device.h"

namespace cambium {

// Appends the graph for a batch of that size.
using TraceBatch = std::function<void(Graph& graph, std::int64_t batch)>;

// Throws Error if a run of the graph for `batch` takes more memory than this process may have: "bench step of resnet50
// with batch 65536 needs 5.1 TB of memory, and 20.1 GB are available; --batch 250 fits". `what` is its beginning.
void require_memory(std::string_view what, const TraceBatch& trace, std::int64_t batch, Device& device);

// The same for a program that is compiled but never run, which holds the graph's inputs and entries only.
void require_compile_memory(std::string_view what, const Graph& graph, std::int64_t batch);

}  // namespace cambium
