// One function per operator that makes it ready to run; the file that defines it is named after the operator's header
// in engine/ops. None checks what unsupported() has checked.
#pragma once

#include "engine/backends/cpu/executable.h"

namespace cambium::cpu {

using Prepared = std::unique_ptr<Executable>;

// elementwise.cpp
Prepared prepare(const ops::Convert& op, const NodeSpec& node);
Prepared prepare(const ops::Normalize& op, const NodeSpec& node);
Prepared prepare(const ops::Add& op, const NodeSpec& node);
Prepared prepare(const ops::Multiply& op, const NodeSpec& node);
Prepared prepare(const ops::Scale& op, const NodeSpec& node);
Prepared prepare(const ops::Lerp& op, const NodeSpec& node);
Prepared prepare(const ops::AddBias& op, const NodeSpec& node);
Prepared prepare(const ops::ScaleShift& op, const NodeSpec& node);
Prepared prepare(const ops::Relu& op, const NodeSpec& node);
Prepared prepare(const ops::ReluGradient& op, const NodeSpec& node);
Prepared prepare(const ops::Gelu& op, const NodeSpec& node);
Prepared prepare(const ops::GeluGradient& op, const NodeSpec& node);
Prepared prepare(const ops::Dropout& op, const NodeSpec& node);
Prepared prepare(const ops::Guard& op, const NodeSpec& node);
Prepared prepare(const ops::Increment& op, const NodeSpec& node);
// norm.cpp
Prepared prepare(const ops::BatchNorm& op, const NodeSpec& node);
Prepared prepare(const ops::BatchNormApply& op, const NodeSpec& node);
Prepared prepare(const ops::BatchNormGradient& op, const NodeSpec& node);
Prepared prepare(const ops::BatchNormReluGradient& op, const NodeSpec& node);
Prepared prepare(const ops::BatchNormScale& op, const NodeSpec& node);
Prepared prepare(const ops::BatchNormShift& op, const NodeSpec& node);
Prepared prepare(const ops::ScaleFilter& op, const NodeSpec& node);
Prepared prepare(const ops::LayerNorm& op, const NodeSpec& node);
Prepared prepare(const ops::LayerNormGradient& op, const NodeSpec& node);
// attention.cpp
Prepared prepare(const ops::Attention& op, const NodeSpec& node);
Prepared prepare(const ops::AttentionGradient& op, const NodeSpec& node);
// augment.cpp
Prepared prepare(const ops::Augment& op, const NodeSpec& node);
// embedding.cpp
Prepared prepare(const ops::Embedding& op, const NodeSpec& node);
Prepared prepare(const ops::EmbeddingGradient& op, const NodeSpec& node);
// pool.cpp
Prepared prepare(const ops::MaxPool2d& op, const NodeSpec& node);
Prepared prepare(const ops::MaxPool2dGradient& op, const NodeSpec& node);
Prepared prepare(const ops::AvgPool2d& op, const NodeSpec& node);
Prepared prepare(const ops::AvgPool2dGradient& op, const NodeSpec& node);
Prepared prepare(const ops::AdaptiveAvgPool2d& op, const NodeSpec& node);
Prepared prepare(const ops::AdaptiveAvgPool2dGradient& op, const NodeSpec& node);
// move.cpp
Prepared prepare(const ops::Concat& op, const NodeSpec& node);
Prepared prepare(const ops::Slice& op, const NodeSpec& node);
Prepared prepare(const ops::Pad& op, const NodeSpec& node);
Prepared prepare(const ops::Reshape& op, const NodeSpec& node);
Prepared prepare(const ops::Transposition& op, const NodeSpec& node);
Prepared prepare(const ops::Broadcast& op, const NodeSpec& node);
// reduce.cpp
Prepared prepare(const ops::ReduceSum& op, const NodeSpec& node);
Prepared prepare(const ops::ChannelDot& op, const NodeSpec& node);
Prepared prepare(const ops::GlobalNorm& op, const NodeSpec& node);
// loss.cpp
Prepared prepare(const ops::Softmax& op, const NodeSpec& node);
Prepared prepare(const ops::SoftmaxGradient& op, const NodeSpec& node);
Prepared prepare(const ops::SoftmaxCrossEntropy& op, const NodeSpec& node);
Prepared prepare(const ops::SoftmaxCrossEntropyGradient& op, const NodeSpec& node);
Prepared prepare(const ops::TopKCount& op, const NodeSpec& node);
// optimizer.cpp
Prepared prepare(const ops::ClipScale& op, const NodeSpec& node);
Prepared prepare(const ops::SgdUpdate& op, const NodeSpec& node);
Prepared prepare(const ops::AdamUpdate& op, const NodeSpec& node);
// conv.cpp and matmul.cpp: f32 only, plain operands
Prepared prepare(const ops::Conv2d& op, const NodeSpec& node);
Prepared prepare(const ops::Conv2dInputGradient& op, const NodeSpec& node);
Prepared prepare(const ops::Conv2dFilterGradient& op, const NodeSpec& node);
Prepared prepare(const ops::MatMul& op, const NodeSpec& node);

}  // namespace cambium::cpu
