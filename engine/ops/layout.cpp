#include "engine/ops/layout.h"

#include <numeric>

#include "engine/ops/rules.h"

namespace cambium::ops {
namespace {

int axis_of(const Concat& op, const Shape& shape) { return op.axis < 0 ? op.axis + shape.rank() : op.axis; }

void require_axes(std::size_t given, const Shape& shape) {
    require(given == static_cast<std::size_t>(shape.rank()), "{} axes are given for {}", given, to_string(shape));
}

}  // namespace

std::vector<TensorSpec> infer(const Concat& op, Specs inputs) {
    require(!inputs.empty(), "there is nothing to join");
    const int axis = axis_of(op, inputs[0].shape);
    require(axis >= 0 && axis < inputs[0].shape.rank(), "{} has no axis {}", to_string(inputs[0].shape), op.axis);
    std::int64_t total = 0;
    for (const TensorSpec& spec : inputs) {
        require(spec.shape.rank() == inputs[0].shape.rank() && spec.dtype == inputs[0].dtype &&
                    spec.shape.with(axis, 1) == inputs[0].shape.with(axis, 1),
                "{} and {} differ beyond axis {}", to_string(inputs[0]), to_string(spec), axis);
        total += spec.shape[axis];
    }
    return {{inputs[0].shape.with(axis, total), inputs[0].dtype}};
}
void differentiate(const Concat& op, Backward& b) {
    const Shape whole = b.output().shape();
    const int axis = axis_of(op, whole);
    Slice part{std::vector<std::int64_t>(static_cast<std::size_t>(whole.rank())),
               {whole.extents().begin(), whole.extents().end()},
               std::vector<std::int64_t>(static_cast<std::size_t>(whole.rank()), 1)};
    std::int64_t start = 0;
    for (int i = 0; i < b.inputs(); ++i) {
        const std::int64_t extent = b.input(i).shape()[axis];
        part.begin[static_cast<std::size_t>(axis)] = start;
        part.end[static_cast<std::size_t>(axis)] = start + extent;
        start += extent;
        if (b.wanted(i)) b.set(i, slice(b.gradient(), part));
    }
}
double cost(const Concat&, Specs, Specs) { return 0; }
std::string attributes(const Concat& op) { return fmt::format("axis={}", op.axis); }

std::vector<TensorSpec> infer(const Slice& op, Specs inputs) {
    require_inputs(inputs, 1, 1);
    const Shape& x = inputs[0].shape;
    require_axes(op.begin.size(), x);
    require_axes(op.end.size(), x);
    require_axes(op.step.size(), x);
    Shape y = x;
    for (int axis = 0; axis < x.rank(); ++axis) {
        const auto i = static_cast<std::size_t>(axis);
        require(0 <= op.begin[i] && op.begin[i] <= op.end[i] && op.end[i] <= x[axis] && op.step[i] >= 1,
                "axis {} of {} has no range {}:{}:{}", axis, to_string(x), op.begin[i], op.end[i], op.step[i]);
        y = y.with(axis, (op.end[i] - op.begin[i] + op.step[i] - 1) / op.step[i]);
    }
    return {{y, inputs[0].dtype}};
}
void differentiate(const Slice& op, Backward& b) {
    const Shape &x = b.input(0).shape(), &y = b.output().shape();
    Pad back{op.begin, {}, op.step};
    for (int axis = 0; axis < x.rank(); ++axis) {
        const auto i = static_cast<std::size_t>(axis);
        const std::int64_t covered = y[axis] == 0 ? 0 : (y[axis] - 1) * op.step[i] + 1;
        back.after.push_back(x[axis] - op.begin[i] - covered);
    }
    b.set(0, pad(b.gradient(), back));
}
double cost(const Slice&, Specs, Specs) { return 0; }
std::string attributes(const Slice& op) {
    return fmt::format("begin={} end={} step={}", list(op.begin), list(op.end), list(op.step));
}

std::vector<TensorSpec> infer(const Pad& op, Specs inputs) {
    require_inputs(inputs, 1, 1);
    const Shape& x = inputs[0].shape;
    require_axes(op.before.size(), x);
    require_axes(op.after.size(), x);
    require_axes(op.step.size(), x);
    Shape y = x;
    for (int axis = 0; axis < x.rank(); ++axis) {
        const auto i = static_cast<std::size_t>(axis);
        require(op.before[i] >= 0 && op.after[i] >= 0 && op.step[i] >= 1, "axis {} cannot be padded by {} and {}", axis,
                op.before[i], op.after[i]);
        y = y.with(axis, op.before[i] + op.after[i] + (x[axis] == 0 ? 0 : (x[axis] - 1) * op.step[i] + 1));
    }
    return {{y, inputs[0].dtype}};
}
void differentiate(const Pad& op, Backward& b) {
    const Shape &x = b.input(0).shape(), &y = b.output().shape();
    Slice back{op.before, {}, op.step};
    for (int axis = 0; axis < x.rank(); ++axis) {
        const auto i = static_cast<std::size_t>(axis);
        back.end.push_back(x[axis] == 0 ? op.before[i] : y[axis] - op.after[i]);
    }
    b.set(0, slice(b.gradient(), back));
}
double cost(const Pad&, Specs, Specs) { return 0; }
std::string attributes(const Pad& op) {
    return fmt::format("before={} after={} step={}", list(op.before), list(op.after), list(op.step));
}

std::vector<TensorSpec> infer(const Reshape& op, Specs inputs) {
    require_inputs(inputs, 1, 1);
    require(op.shape.count() == inputs[0].shape.count(), "{} elements do not fit into {}", inputs[0].shape.count(),
            to_string(op.shape));
    return {{op.shape, inputs[0].dtype}};
}
void differentiate(const Reshape&, Backward& b) { b.set(0, reshape(b.gradient(), b.input(0).shape())); }
double cost(const Reshape&, Specs, Specs) { return 0; }
std::string attributes(const Reshape& op) { return fmt::format("shape={}", to_string(op.shape)); }

std::vector<TensorSpec> infer(const Transposition& op, Specs inputs) {
    require_inputs(inputs, 1, 1);
    const Shape& x = inputs[0].shape;
    require_axes(op.permutation.size(), x);
    std::vector<int> sorted = op.permutation, expected(op.permutation.size());
    std::sort(sorted.begin(), sorted.end());
    std::iota(expected.begin(), expected.end(), 0);
    require(sorted == expected, "{} is not a permutation of the axes", list(op.permutation));
    Shape y = x;
    for (int axis = 0; axis < x.rank(); ++axis) y = y.with(axis, x[op.permutation[static_cast<std::size_t>(axis)]]);
    return {{y, inputs[0].dtype}};
}
void differentiate(const Transposition& op, Backward& b) {
    std::vector<int> inverse(op.permutation.size());
    for (std::size_t i = 0; i < inverse.size(); ++i)
        inverse[static_cast<std::size_t>(op.permutation[i])] = static_cast<int>(i);
    b.set(0, transpose(b.gradient(), inverse));
}
double cost(const Transposition&, Specs, Specs) { return 0; }
std::string attributes(const Transposition& op) { return fmt::format("permutation={}", list(op.permutation)); }

}  // namespace cambium::ops
