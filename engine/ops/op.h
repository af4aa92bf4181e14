// Op: the closed set of operators. The dispatchers below visit it, so an operator without one of its rules does not
// compile.
#pragma once

#include <variant>

#include "engine/ops/attention.h"
#include "engine/ops/augment.h"
#include "engine/ops/conv.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/embedding.h"
#include "engine/ops/layout.h"
#include "engine/ops/loss.h"
#include "engine/ops/matmul.h"
#include "engine/ops/norm.h"
#include "engine/ops/optimizer.h"
#include "engine/ops/pool.h"
#include "engine/ops/reduce.h"
#include "engine/ops/source.h"

namespace cambium {

using OpVariant =
    std::variant<ops::Input, ops::Read, ops::Assign, ops::Fill,                                  //
                 ops::Conv2d, ops::Conv2dInputGradient, ops::Conv2dFilterGradient, ops::MatMul,  //
                 ops::Convert, ops::Normalize, ops::Augment, ops::Add, ops::Multiply, ops::Scale, ops::Lerp,
                 ops::AddBias,  //
                 ops::ScaleShift, ops::ChannelDot, ops::Relu, ops::ReluGradient, ops::Gelu, ops::GeluGradient,
                 ops::Dropout, ops::Guard,
                 ops::Increment,  //
                 ops::BatchNorm, ops::BatchNormApply, ops::BatchNormGradient, ops::BatchNormReluGradient,
                 ops::BatchNormScale, ops::BatchNormShift, ops::ScaleFilter, ops::LayerNorm, ops::LayerNormGradient,  //
                 ops::Attention, ops::AttentionGradient, ops::Embedding, ops::EmbeddingGradient,                      //
                 ops::MaxPool2d, ops::MaxPool2dGradient, ops::AvgPool2d, ops::AvgPool2dGradient,                      //
                 ops::AdaptiveAvgPool2d, ops::AdaptiveAvgPool2dGradient,                                              //
                 ops::Concat, ops::Slice, ops::Pad, ops::Reshape, ops::Transposition,                                 //
                 ops::ReduceSum, ops::Broadcast, ops::GlobalNorm,                                                     //
                 ops::Softmax, ops::SoftmaxGradient, ops::SoftmaxCrossEntropy, ops::SoftmaxCrossEntropyGradient,
                 ops::TopKCount,  //
                 ops::ClipScale, ops::SgdUpdate, ops::AdamUpdate>;

// A variant whose copies are made in op.cpp: dozens of alternatives would otherwise cost every file that copies a node
// seconds of compilation. std::visit, std::get_if and std::holds_alternative work on it as on its base.
struct Op : OpVariant {
    using OpVariant::OpVariant;
    Op(const Op& other);
    Op(Op&& other) noexcept;
    Op& operator=(const Op& other);
    Op& operator=(Op&& other) noexcept;
    ~Op();
};

std::string_view name_of(const Op& op);
std::vector<TensorSpec> infer(const Op& op, ops::Specs inputs);
double cost(const Op& op, ops::Specs inputs, ops::Specs outputs);  // floating-point operations
std::string attributes(const Op& op);
std::string describe(const Op& op, ops::Specs inputs);  // "conv2d stride=2x2 (f32 [8, 224, 224, 3], f32 [64, 7, 7, 3])"

}  // namespace cambium
