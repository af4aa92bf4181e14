#include "engine/backends/cpu/tiled.h"
#include "engine/base/fail.h"

#include <algorithm>
#include <array>

namespace cambium::cpu {
namespace {

constexpr std::size_t max_inputs = 4;

// The f32 buffers one thread needs while it walks over tiles; empty where all operands are f32.
class TileBuffers {
  public:
    TileBuffers(std::size_t buffers, std::size_t tile) : tile_(tile), memory_(buffers * tile) {}
    float* operator[](std::size_t i) { return memory_.data() + i * tile_; }

  private:
    std::size_t tile_;
    std::vector<float> memory_;
};

}  // namespace

const float* widened(const void* data, DType dtype, std::int64_t offset, std::int64_t n, float* buffer) {
    if (dtype == DType::f32) return static_cast<const float*>(data) + offset;
    kernels().elementwise.widen(static_cast<const bf16*>(data) + offset, buffer, n);
    return buffer;
}

Epilogue::Epilogue(const NodeSpec& node) : steps_(node.epilogue) {
    for (const OperandSpec& input : node.inputs) dtypes_.push_back(input.tensor.dtype);
}

void Epilogue::apply(const Operands& operands, const Tile& tile, float* y, float* buffer) const {
    const ElementwiseKernels& elementwise = kernels().elementwise;
    const ChannelKernels& channel = kernels().channel;
    for (const EpilogueStep& step : steps_) {
        const auto operand = static_cast<std::size_t>(step.operand);
        switch (step.kind) {
            case EpilogueStep::Kind::relu:
                elementwise.relu(y, y, tile.count());
                break;
            case EpilogueStep::Kind::gelu:
                elementwise.gelu(y, y, tile.count());
                break;
            case EpilogueStep::Kind::add:
                elementwise.add(y,
                                widened(operands.inputs[operand], dtypes_[operand], tile.offset, tile.count(), buffer),
                                y, tile.count());
                break;
            case EpilogueStep::Kind::add_bias:
                channel.add_bias(y, operands.in<float>(operand) + tile.channel, y, tile.rows, tile.c);
                break;
            case EpilogueStep::Kind::scale_shift: {
                const float* shift = nullptr;
                if (step.second_operand >= 0) {
                    shift = operands.in<float>(static_cast<std::size_t>(step.second_operand)) + tile.channel;
                }
                channel.scale_shift(y, operands.in<float>(operand) + tile.channel, shift, y, tile.rows, tile.c);
                break;
            }
            case EpilogueStep::Kind::moments:
                fail("the table of operands should have refused moments");
        }
    }
}

void run_tiled(const Operands& operands, const NodeSpec& node, std::span<const std::size_t> inputs, std::size_t output,
               const ChannelView& view, const Epilogue& epilogue, const TileFunction& function) {
    const DType result = node.outputs[output].tensor.dtype;
    bool wide = result == DType::f32;
    for (const OperandSpec& input : node.inputs) wide = wide && input.tensor.dtype != DType::bf16;
    const std::size_t buffers = wide ? 0 : inputs.size() + 2;
    parallel_tiles(view, [&] {
        return [&, memory = TileBuffers(buffers, view.tile_count())](const Tile& tile) mutable {
            std::array<const float*, max_inputs> x{};
            for (std::size_t i = 0; i < inputs.size(); ++i) {
                x[i] = widened(operands.inputs[inputs[i]], node.inputs[inputs[i]].tensor.dtype, tile.offset,
                               tile.count(), memory[i]);
            }
            float* y = result == DType::f32 ? operands.out<float>(output) + tile.offset : memory[inputs.size()];
            function(operands, tile, x.data(), y);
            if (!epilogue.empty()) epilogue.apply(operands, tile, y, memory[buffers == 0 ? 0 : inputs.size() + 1]);
            if (result == DType::bf16) {
                kernels().elementwise.narrow(y, operands.out<bf16>(output) + tile.offset, tile.count());
            }
        };
    });
}

std::unique_ptr<Executable> make_tiled(const NodeSpec& node, std::size_t full, Channels channels,
                                       TileFunction function) {
    const Layout layout = offered_layout(node);
    std::vector<std::size_t> inputs(full);
    for (std::size_t i = 0; i < full; ++i) inputs[i] = i;
    const Epilogue epilogue(node);
    const bool adds =
        std::ranges::any_of(node.epilogue, [](const EpilogueStep& e) { return e.kind == EpilogueStep::Kind::add; });
    const bool flat = channels == Channels::none && epilogue.empty();
    const ChannelView view =
        flat ? flat_view(node.outputs[0].tensor.shape.count()) : channel_view(node.outputs[0].tensor, layout);
    auto step = make_step(node, [=, function = std::move(function)](const Operands& operands) {
        run_tiled(operands, node, inputs, 0, view, epilogue, function);
    });
    for (const std::size_t input : inputs) {
        step->input_layouts[input] = layout;
        const bool same = node.inputs[input].tensor.dtype == node.outputs[0].tensor.dtype;
        // A summand is read after the result's first form was written, and may be the same value as an input.
        if (same && !adds) step->aliases.push_back({.output = 0, .input = static_cast<int>(input)});
    }
    for (const EpilogueStep& e : node.epilogue) {
        if (e.kind == EpilogueStep::Kind::add) step->input_layouts[static_cast<std::size_t>(e.operand)] = layout;
    }
    step->output_layouts[0] = layout;
    return step;
}

void finish_plain(const Operands& operands, const NodeSpec& node, const Epilogue& epilogue) {
    if (epilogue.empty()) return;
    const ChannelView view = channel_view(node.outputs[0].tensor, {});
    parallel_tiles(view, [&] {
        return [&, buffer = std::vector<float>(view.tile_count())](const Tile& tile) mutable {
            epilogue.apply(operands, tile, operands.out<float>(0) + tile.offset, buffer.data());
        };
    });
}

}  // namespace cambium::cpu
