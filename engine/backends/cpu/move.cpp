// Moving elements: concatenation, slices, padding, transposition, repetition. All but concatenation are one loop: the
// output is walked in order while a position in the input follows by strides.
#include <cstring>

#include "engine/backends/cpu/prepare.h"
#include "engine/backends/cpu/tiled.h"

namespace cambium::cpu {
namespace {

using i64 = std::int64_t;
constexpr int max_rank = Shape::max_rank;
using Strides = std::array<i64, max_rank>;

// Elements of `shape` as a walk: the strides are those of another tensor. Both are aligned to the last axis.
struct Walk {
    Strides extent{}, stride{};
    int rank = 0;

    i64 lines() const {
        i64 count = 1;
        for (int axis = 0; axis + 1 < rank; ++axis) count *= extent[static_cast<std::size_t>(axis)];
        return count;
    }
    i64 length() const { return extent[static_cast<std::size_t>(rank - 1)]; }
    i64 step() const { return stride[static_cast<std::size_t>(rank - 1)]; }
    // Where a line (all axes but the last, counted in order) begins in the other tensor.
    i64 offset(i64 line) const {
        i64 at = 0;
        for (int axis = rank - 2; axis >= 0; --axis) {
            const auto a = static_cast<std::size_t>(axis);
            at += line % extent[a] * stride[a];
            line /= extent[a];
        }
        return at;
    }
};

Strides dense_strides(const Shape& shape) {
    Strides strides{};
    i64 stride = 1;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
        strides[static_cast<std::size_t>(axis)] = stride;
        stride *= shape[axis];
    }
    return strides;
}

Walk walk_over(const Shape& shape) {
    Walk walk{.rank = std::max(1, shape.rank())};
    walk.extent[0] = 1;
    for (int axis = 0; axis < shape.rank(); ++axis) walk.extent[static_cast<std::size_t>(axis)] = shape[axis];
    return walk;
}

// Elements are moved as unsigned integers of their size.
template <class Body>
Run by_size(DType dtype, Body body) {
    switch (size_of(dtype)) {
        case 1:
            return body(std::uint8_t{});
        case 2:
            return body(std::uint16_t{});
        case 4:
            return body(std::uint32_t{});
        default:
            return body(std::uint64_t{});
    }
}

template <class Body>
void for_lines(const Walk& walk, Body body) {
    const i64 grain = std::max<i64>(1, 16384 / std::max<i64>(1, walk.length()));
    parallel_for(walk.length() == 0 ? 0 : walk.lines(), grain, [&](i64 begin, i64 end) {
        for (i64 line = begin; line < end; ++line) body(line, walk.offset(line));
    });
}

// The output's elements in order, each from where `walk` points to in the input.
template <class T>
Run gather(const Walk& walk, i64 start) {
    return [walk, start](const Operands& o) {
        for_lines(walk, [&](i64 line, i64 offset) {
            const T* from = o.in<T>(0) + start + offset;
            T* to = o.out<T>(0) + line * walk.length();
            if (walk.step() == 1) {
                std::copy_n(from, walk.length(), to);
            } else {
                for (i64 i = 0; i < walk.length(); ++i) to[i] = from[i * walk.step()];
            }
        });
    };
}

// The input's elements in order, each to where `walk` points to in an output of zeros.
template <class T>
Run scatter(const Walk& walk, i64 start, i64 count) {
    return [walk, start, count](const Operands& o) {
        std::memset(o.outputs[0], 0, static_cast<std::size_t>(count) * sizeof(T));
        for_lines(walk, [&](i64 line, i64 offset) {
            const T* from = o.in<T>(0) + line * walk.length();
            T* to = o.out<T>(0) + start + offset;
            if (walk.step() == 1) {
                std::copy_n(from, walk.length(), to);
            } else {
                for (i64 i = 0; i < walk.length(); ++i) to[i * walk.step()] = from[i];
            }
        });
    };
}

Prepared prepare_gather(const NodeSpec& node, const Walk& walk, i64 start) {
    return make_step(
        node, by_size(node.inputs[0].tensor.dtype, [&](auto tag) { return gather<decltype(tag)>(walk, start); }));
}

// Each input contributes `bytes` to each of `outer` runs of the output.
struct Piece {
    std::size_t input, bytes, before;
};

}  // namespace

// Along channels or images a blocked layout is kept: blocks of channels lie one after the other within an image.
Prepared prepare(const ops::Concat& op, const NodeSpec& node) {
    const TensorSpec& y = node.outputs[0].tensor;
    const int rank = y.shape.rank();
    const int axis = op.axis < 0 ? op.axis + rank : op.axis;
    int block = block_of(offered_layout(node));
    for (const OperandSpec& input : node.inputs) {
        const bool blocks = axis == 0 || (rank == 4 && axis == 3);
        if (!blocks || block == 0 || input.tensor.shape[-1] % block != 0) block = 0;
    }
    i64 outer = 1;
    for (int a = 0; a < (block != 0 && axis == 3 ? 1 : axis); ++a) outer *= y.shape[a];
    std::vector<Piece> pieces;
    std::size_t run = 0;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const std::size_t bytes = outer == 0 ? 0 : node.inputs[i].tensor.bytes() / static_cast<std::size_t>(outer);
        pieces.push_back({i, bytes, run});
        run += bytes;
    }
    auto step = make_step(node, [=](const Operands& o) {
        const i64 grain = std::max<i64>(1, 65536 / static_cast<i64>(std::max<std::size_t>(1, run)));
        parallel_for(outer, grain, [&](i64 begin, i64 end) {
            for (i64 i = begin; i < end; ++i) {
                const auto at = static_cast<std::size_t>(i);
                for (const Piece& piece : pieces) {
                    if (piece.bytes == 0) continue;
                    std::memcpy(o.out<char>(0) + at * run + piece.before, o.in<char>(piece.input) + at * piece.bytes,
                                piece.bytes);
                }
            }
        });
    });
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        step->input_layouts[i] = blocked_layout(node.inputs[i].tensor, block);
    }
    step->output_layouts[0] = blocked_layout(y, block);
    return step;
}

Prepared prepare(const ops::Slice& op, const NodeSpec& node) {
    Walk walk = walk_over(node.outputs[0].tensor.shape);
    const Strides strides = dense_strides(node.inputs[0].tensor.shape);
    i64 start = 0;
    for (std::size_t axis = 0; axis < op.begin.size(); ++axis) {
        walk.stride[axis] = strides[axis] * op.step[axis];
        start += op.begin[axis] * strides[axis];
    }
    return prepare_gather(node, walk, start);
}

Prepared prepare(const ops::Pad& op, const NodeSpec& node) {
    Walk walk = walk_over(node.inputs[0].tensor.shape);
    const Strides strides = dense_strides(node.outputs[0].tensor.shape);
    i64 start = 0;
    for (std::size_t axis = 0; axis < op.before.size(); ++axis) {
        walk.stride[axis] = strides[axis] * op.step[axis];
        start += op.before[axis] * strides[axis];
    }
    const i64 count = node.outputs[0].tensor.shape.count();
    return make_step(node, by_size(node.inputs[0].tensor.dtype,
                                   [&](auto tag) { return scatter<decltype(tag)>(walk, start, count); }));
}

Prepared prepare(const ops::Reshape&, const NodeSpec& node) {
    const std::size_t bytes = node.outputs[0].tensor.bytes();
    auto step = make_step(node, [bytes](const Operands& o) {
        if (o.inputs[0] == o.outputs[0]) return;
        parallel_for(static_cast<i64>(bytes), 65536, [&](i64 begin, i64 end) {
            std::memcpy(o.out<char>(0) + begin, o.in<char>(0) + begin, static_cast<std::size_t>(end - begin));
        });
    });
    step->aliases.push_back({});
    return step;
}

Prepared prepare(const ops::Transposition& op, const NodeSpec& node) {
    Walk walk = walk_over(node.outputs[0].tensor.shape);
    const Strides strides = dense_strides(node.inputs[0].tensor.shape);
    for (std::size_t axis = 0; axis < op.permutation.size(); ++axis) {
        walk.stride[axis] = strides[static_cast<std::size_t>(op.permutation[axis])];
    }
    return prepare_gather(node, walk, 0);
}

Prepared prepare(const ops::Broadcast& op, const NodeSpec& node) {
    Walk walk = walk_over(op.shape);
    const Strides strides = dense_strides(node.inputs[0].tensor.shape);
    std::size_t from = 0;
    for (int axis = 0; axis < op.shape.rank(); ++axis) {
        const bool repeated = std::ranges::find(op.axes, axis) != op.axes.end();
        walk.stride[static_cast<std::size_t>(axis)] = repeated ? 0 : strides[from++];
    }
    return prepare_gather(node, walk, 0);
}

}  // namespace cambium::cpu
