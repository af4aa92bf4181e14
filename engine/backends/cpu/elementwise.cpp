#include <array>
#include <cmath>
#include <cstring>

#include "engine/backends/cpu/prepare.h"
#include "engine/backends/cpu/tiled.h"
#include "engine/base/philox.h"

namespace cambium::cpu {
namespace {

const ElementwiseKernels& table() { return kernels().elementwise; }

// A function of one f32 tile, for operators without attributes.
using Unary = void (*)(const float*, float*, std::int64_t);
using Binary = void (*)(const float*, const float*, float*, std::int64_t);

Prepared unary(const NodeSpec& node, Unary function) {
    return make_tiled(node, 1, Channels::none,
                      [function](const Operands&, const Tile& tile, const float* const* x, float* y) {
                          function(x[0], y, tile.count());
                      });
}

Prepared binary(const NodeSpec& node, Binary function) {
    return make_tiled(node, 2, Channels::none,
                      [function](const Operands&, const Tile& tile, const float* const* x, float* y) {
                          function(x[0], x[1], y, tile.count());
                      });
}

void copy(const float* x, float* y, std::int64_t n) {
    if (x != y) std::copy_n(x, n, y);
}

// Integers to f32; labels and pixels are small enough to be exact.
template <class T>
Prepared from_integer(const NodeSpec& node) {
    const std::int64_t count = node.outputs[0].tensor.shape.count();
    return make_step(node, [count](const Operands& operands) {
        const T* x = operands.in<T>(0);
        float* y = operands.out<float>(0);
        parallel_for(count, 16384, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) y[i] = static_cast<float>(x[i]);
        });
    });
}

}  // namespace

Prepared prepare(const ops::Convert&, const NodeSpec& node) {
    switch (node.inputs[0].tensor.dtype) {
        case DType::i32:
            return from_integer<std::int32_t>(node);
        case DType::u8:
            return from_integer<std::uint8_t>(node);
        default:
            return unary(node, copy);
    }
}

Prepared prepare(const ops::Normalize& op, const NodeSpec& node) {
    const std::array<int, 3> channels = op.order == ops::ChannelOrder::rgb ? std::array{0, 1, 2} : std::array{2, 1, 0};
    const ChannelView view = channel_view(node.outputs[0].tensor, {});
    return make_step(node, [=, epilogue = Epilogue(node)](const Operands& operands) {
        run_tiled(operands, node, {}, 0, view, epilogue,
                  [&](const Operands&, const Tile& tile, const float* const*, float* y) {
                      table().normalize(operands.in<std::uint8_t>(0) + tile.offset, y, tile.rows, op.scale.data(),
                                        op.shift.data(), channels.data());
                  });
    });
}

Prepared prepare(const ops::Add&, const NodeSpec& node) { return binary(node, table().add); }
Prepared prepare(const ops::Multiply&, const NodeSpec& node) { return binary(node, table().multiply); }
Prepared prepare(const ops::Relu&, const NodeSpec& node) { return unary(node, table().relu); }
Prepared prepare(const ops::ReluGradient&, const NodeSpec& node) { return binary(node, table().relu_gradient); }
Prepared prepare(const ops::Gelu&, const NodeSpec& node) { return unary(node, table().gelu); }
Prepared prepare(const ops::GeluGradient&, const NodeSpec& node) { return binary(node, table().gelu_gradient); }

Prepared prepare(const ops::Scale& op, const NodeSpec& node) {
    const auto factor = static_cast<float>(op.factor);
    return make_tiled(node, 1, Channels::none,
                      [factor](const Operands&, const Tile& tile, const float* const* x, float* y) {
                          table().scale(x[0], factor, y, tile.count());
                      });
}

Prepared prepare(const ops::Lerp&, const NodeSpec& node) {
    return make_tiled(node, 2, Channels::none,
                      [](const Operands& operands, const Tile& tile, const float* const* x, float* y) {
                          table().lerp(x[0], x[1], *operands.in<float>(2), y, tile.count());
                      });
}

Prepared prepare(const ops::AddBias&, const NodeSpec& node) {
    return make_tiled(node, 1, Channels::last_axis,
                      [](const Operands& operands, const Tile& tile, const float* const* x, float* y) {
                          kernels().channel.add_bias(x[0], operands.in<float>(1) + tile.channel, y, tile.rows, tile.c);
                      });
}

Prepared prepare(const ops::ScaleShift&, const NodeSpec& node) {
    std::size_t operator_inputs = node.inputs.size();
    for (const EpilogueStep& step : node.epilogue) {
        operator_inputs -= static_cast<std::size_t>((step.operand >= 0) + (step.second_operand >= 0));
    }
    const bool shifted = operator_inputs > 2;
    return make_tiled(node, 1, Channels::last_axis,
                      [shifted](const Operands& operands, const Tile& tile, const float* const* x, float* y) {
                          const float* scale = operands.in<float>(1) + tile.channel;
                          const float* shift = shifted ? operands.in<float>(2) + tile.channel : nullptr;
                          kernels().channel.scale_shift(x[0], scale, shift, y, tile.rows, tile.c);
                      });
}

// Which elements are kept depends on their plain index, so the layout is plain.
Prepared prepare(const ops::Dropout& op, const NodeSpec& node) {
    DropoutDraw draw{.seed = op.seed,
                     .stream = hash_name(op.layer.data(), op.layer.size()),
                     .step = 0,
                     .rate = static_cast<float>(op.rate),
                     .factor = static_cast<float>(1.0 / (1.0 - op.rate))};
    NodeSpec plain = node;
    for (OperandSpec& input : plain.inputs) input.layout = {};
    return make_tiled(plain, 1, Channels::none,
                      [draw](const Operands& operands, const Tile& tile, const float* const* x, float* y) {
                          DropoutDraw now = draw;
                          now.step = static_cast<std::uint64_t>(*operands.in<std::int32_t>(1));
                          table().dropout(x[0], y, tile.offset, tile.count(), now);
                      });
}

Prepared prepare(const ops::Guard&, const NodeSpec& node) {
    const Layout layout = offered_layout(node);
    const std::size_t bytes = node.outputs[0].tensor.bytes();
    auto step = make_step(node, [bytes](const Operands& o) {
        const char* from = o.in<char>(std::isfinite(*o.in<float>(2)) ? 1 : 0);
        if (from == o.outputs[0]) return;
        parallel_for(static_cast<std::int64_t>(bytes), 65536, [&](std::int64_t begin, std::int64_t end) {
            std::memcpy(o.out<char>(0) + begin, from + begin, static_cast<std::size_t>(end - begin));
        });
    });
    step->aliases = {{.output = 0, .input = 0}, {.output = 0, .input = 1}};
    step->input_layouts[0] = step->input_layouts[1] = layout;
    step->output_layouts[0] = layout;
    return step;
}

Prepared prepare(const ops::Increment&, const NodeSpec& node) {
    auto step = make_step(
        node, [](const Operands& operands) { *operands.out<std::int32_t>(0) = *operands.in<std::int32_t>(0) + 1; });
    step->aliases.push_back({});
    return step;
}

}  // namespace cambium::cpu
