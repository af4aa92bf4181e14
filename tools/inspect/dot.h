// A graph in DOT, the language of Graphviz: `cambium inspect --graph resnet18 --dot | dot -Tsvg > resnet18.svg`.
#pragma once

#include <string>

#include "engine/graph/graph.h"

namespace cambium {

// One box a node, labelled with operator, attributes and layer; edges carry shapes, parameters are ellipses.
std::string to_dot(const Graph& graph, const std::string& name);

}  // namespace cambium
