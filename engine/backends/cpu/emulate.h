// bf16 on a processor without instructions for it: operands are widened, the operator runs in f32, the result is
// rounded once. Slow, and right.
#pragma once

#include <functional>

#include "engine/backends/backend.h"

namespace cambium::cpu {

// The node with every bf16 operand as f32, all plain.
NodeSpec in_f32(const NodeSpec& node);

using Reorder = std::function<std::unique_ptr<Executable>(const OperandSpec& from, const Layout& to)>;

// inner runs in_f32(node); the layouts it wants are made here, so that all operands of the node are plain.
std::unique_ptr<Executable> emulate(const NodeSpec& node, std::unique_ptr<Executable> inner, const Reorder& reorder);

}  // namespace cambium::cpu
