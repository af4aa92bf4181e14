// The oracle: every operator as plain loops in double precision. Nothing here is fast or clever, so that it can be
// believed; the other backends are held against it. One overload of run() per operator, one file per family.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/ops/op.h"

namespace cambium::reference {

// The operands of one node: specs as inferred (reals in f64), and addresses. Outputs that nobody reads have none.
struct Operands {
    std::vector<TensorSpec> inputs, outputs;
    std::vector<void*> input_data, output_data;

    template <class T = double>
    const T* in(std::size_t i) const {
        return static_cast<const T*>(input_data[i]);
    }
    template <class T = double>
    T* out(std::size_t i = 0) const {  // null where nobody reads it
        return static_cast<T*>(output_data[i]);
    }
    const Shape& shape(std::size_t input) const { return inputs[input].shape; }
    std::int64_t count(std::size_t input = 0) const { return inputs[input].shape.count(); }
    double scalar(std::size_t input) const { return *in(input); }
};

// The last axis, which holds channels or classes, and the number of rows before it.
struct Rows {
    explicit Rows(const Shape& shape) : columns(shape[-1]), count(columns == 0 ? 0 : shape.count() / columns) {}
    std::int64_t columns, count;
};

// An axis-by-axis walk through `shape` in row-major order: visit(coordinates) for each element.
template <class Visit>
void for_each_position(const Shape& shape, Visit visit) {
    std::vector<std::int64_t> at(static_cast<std::size_t>(shape.rank()), 0);
    for (std::int64_t i = 0; i < shape.count(); ++i) {
        visit(at);
        for (std::size_t axis = at.size(); axis-- > 0;) {
            if (++at[axis] < shape[static_cast<int>(axis)]) break;
            at[axis] = 0;
        }
    }
}

// The index of an element in a row-major array of `shape`.
inline std::int64_t flat_index(const Shape& shape, const std::vector<std::int64_t>& at) {
    std::int64_t index = 0;
    for (std::size_t axis = 0; axis < at.size(); ++axis) index = index * shape[static_cast<int>(axis)] + at[axis];
    return index;
}

void run(const ops::Conv2d&, const Operands&);
void run(const ops::Conv2dInputGradient&, const Operands&);
void run(const ops::Conv2dFilterGradient&, const Operands&);
void run(const ops::MatMul&, const Operands&);

void run(const ops::Convert&, const Operands&);
void run(const ops::Normalize&, const Operands&);
void run(const ops::Augment&, const Operands&);
void run(const ops::Add&, const Operands&);
void run(const ops::Multiply&, const Operands&);
void run(const ops::Scale&, const Operands&);
void run(const ops::Lerp&, const Operands&);
void run(const ops::AddBias&, const Operands&);
void run(const ops::ScaleShift&, const Operands&);
void run(const ops::ChannelDot&, const Operands&);
void run(const ops::Relu&, const Operands&);
void run(const ops::ReluGradient&, const Operands&);
void run(const ops::Gelu&, const Operands&);
void run(const ops::GeluGradient&, const Operands&);
void run(const ops::Dropout&, const Operands&);
void run(const ops::Guard&, const Operands&);
void run(const ops::Increment&, const Operands&);

void run(const ops::BatchNorm&, const Operands&);
void run(const ops::BatchNormApply&, const Operands&);
void run(const ops::BatchNormGradient&, const Operands&);
void run(const ops::BatchNormReluGradient&, const Operands&);
void run(const ops::BatchNormScale&, const Operands&);
void run(const ops::BatchNormShift&, const Operands&);
void run(const ops::ScaleFilter&, const Operands&);
void run(const ops::LayerNorm&, const Operands&);
void run(const ops::LayerNormGradient&, const Operands&);

void run(const ops::Attention&, const Operands&);
void run(const ops::AttentionGradient&, const Operands&);
void run(const ops::Embedding&, const Operands&);
void run(const ops::EmbeddingGradient&, const Operands&);

void run(const ops::MaxPool2d&, const Operands&);
void run(const ops::MaxPool2dGradient&, const Operands&);
void run(const ops::AvgPool2d&, const Operands&);
void run(const ops::AvgPool2dGradient&, const Operands&);
void run(const ops::AdaptiveAvgPool2d&, const Operands&);
void run(const ops::AdaptiveAvgPool2dGradient&, const Operands&);

void run(const ops::Concat&, const Operands&);
void run(const ops::Slice&, const Operands&);
void run(const ops::Pad&, const Operands&);
void run(const ops::Reshape&, const Operands&);
void run(const ops::Transposition&, const Operands&);

void run(const ops::ReduceSum&, const Operands&);
void run(const ops::Broadcast&, const Operands&);
void run(const ops::GlobalNorm&, const Operands&);

void run(const ops::Softmax&, const Operands&);
void run(const ops::SoftmaxGradient&, const Operands&);
void run(const ops::SoftmaxCrossEntropy&, const Operands&);
void run(const ops::SoftmaxCrossEntropyGradient&, const Operands&);
void run(const ops::TopKCount&, const Operands&);

void run(const ops::ClipScale&, const Operands&);
void run(const ops::SgdUpdate&, const Operands&);
void run(const ops::AdamUpdate&, const Operands&);

}  // namespace cambium::reference
