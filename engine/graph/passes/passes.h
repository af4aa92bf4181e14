// The passes of the compiler, in the order in which compile() applies them. Each is a function from graph to graph that
// keeps its meaning; ids of values that remain do not change.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/graph/graph.h"

namespace cambium::passes {

// Removes nodes that neither an output nor an assign needs.
void drop_dead_nodes(Graph& graph);

// f32 becomes f64 throughout: for the reference backend.
void widen_to_f64(Graph& graph);

// conv -> (add_bias) -> scale_shift with filter, bias, scale and shift all frozen, and nothing else reading the
// convolution's output, becomes conv with a scaled filter -> add_bias. The scaled filter is computed from the store
// alone, hence once and not in each run.
void fold_frozen_norms(Graph& graph);

// Activations and their gradients, and the operands of convolutions and matrix products, become bf16; parameters,
// statistics, filter gradients, logits, losses and optimizer state stay f32. Converts are inserted where both meet.
void place_casts(Graph& graph);

// Appends add_bias, scale_shift, add, relu and gelu to the epilogue of the convolution, matrix product or batch norm
// before them, as far as `supported` accepts the fused node.
void fuse_epilogues(Graph& graph, const std::function<bool(const NodeSpec&)>& supported);

// conv -> batch_norm becomes conv with moments -> batch_norm_apply, as far as `supported` accepts both, so that nobody
// reads the convolution's result for its moments alone. After fuse_epilogues(). A batch norm of whose results only the
// moments are read stays as it is.
void fuse_moments(Graph& graph, const std::function<bool(const NodeSpec&)>& supported);

// relu_gradient -> batch_norm_gradient becomes batch_norm_relu_gradient, as far as `supported` accepts it.
void fuse_relu_gradients(Graph& graph, const std::function<bool(const NodeSpec&)>& supported);

// For each value: whether it can be computed from the store and constants alone.
std::vector<bool> store_only(const Graph& graph);

// The node as a backend sees it before any layout is chosen.
NodeSpec node_spec(const Graph& graph, const Node& node);

// Places intervals of life into one arena so that no two that overlap in time overlap in space. Largest first, each at
// the lowest offset that is free for its whole life (Pisarchyk & Lee 2020, greedy by size).
struct Interval {
    std::size_t bytes = 0;
    int first = 0, last = 0;  // steps, both included
    std::size_t offset = 0;   // set by plan_memory
};
std::size_t plan_memory(std::vector<Interval>& intervals);  // returns the arena's size

}  // namespace cambium::passes
