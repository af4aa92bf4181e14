// One function per operator that makes it ready to run; the file that defines it is named after the operator's header
// in engine/ops. None checks what the table (support.cpp) has checked.
#pragma once

#include "engine/backends/gpu/executable.h"

namespace cambium::gpu {

// conv.cpp
Prepared prepare(const ops::Conv2d& op, const NodeSpec& node, const Context& context);
Prepared prepare(const ops::Conv2dInputGradient& op, const NodeSpec& node, const Context& context);
Prepared prepare(const ops::Conv2dFilterGradient& op, const NodeSpec& node, const Context& context);

// matmul.cpp
Prepared prepare(const ops::MatMul& op, const NodeSpec& node, const Context& context);
// norm.cpp
Prepared prepare(const ops::BatchNorm& op, const NodeSpec& node, const Context& context);
Prepared prepare(const ops::BatchNormGradient& op, const NodeSpec& node, const Context& context);
Prepared prepare(const ops::BatchNormScale& op, const NodeSpec& node, const Context& context);
Prepared prepare(const ops::BatchNormShift& op, const NodeSpec& node, const Context& context);
Prepared prepare(const ops::ScaleFilter& op, const NodeSpec& node, const Context& context);
// pool.cpp
Prepared prepare(const ops::MaxPool2d& op, const NodeSpec& node, const Context& context);
Prepared prepare(const ops::MaxPool2dGradient& op, const NodeSpec& node, const Context& context);
Prepared prepare(const ops::AvgPool2d& op, const NodeSpec& node, const Context& context);
Prepared prepare(const ops::AvgPool2dGradient& op, const NodeSpec& node, const Context& context);
Prepared prepare(const ops::AdaptiveAvgPool2d& op, const NodeSpec& node, const Context& context);
Prepared prepare(const ops::AdaptiveAvgPool2dGradient& op, const NodeSpec& node, const Context& context);
// reduce.cpp
Prepared prepare(const ops::ReduceSum& op, const NodeSpec& node, const Context& context);
Prepared prepare(const ops::ChannelDot& op, const NodeSpec& node, const Context& context);
Prepared prepare(const ops::GlobalNorm& op, const NodeSpec& node, const Context& context);

}  // namespace cambium::gpu
