#include "engine/backends/cpu/layout.h"

#include <cstring>
#include <string>

#include "engine/backends/cpu/executable.h"

namespace cambium::cpu {

int block_of(const Layout& layout) {
    if (layout.key == "nChw16c") return 16;
    if (layout.key == "nChw8c") return 8;
    return layout.key == "nChw1c" ? 1 : 0;
}

Layout blocked_layout(const TensorSpec& tensor, int block) {
    const Shape& shape = tensor.shape;
    if (block == 0 || shape.rank() != 4 || shape[3] % block != 0) return {};
    if ((shape[3] == block && block > 1) || shape[1] * shape[2] == 1) return {};  // the same order of elements
    return {.key = "nChw" + std::to_string(block) + "c", .bytes = tensor.bytes()};
}

Layout offered_layout(const NodeSpec& node) {
    for (const OperandSpec& input : node.inputs) {
        if (const int block = block_of(input.layout)) return blocked_layout(input.tensor, block);
    }
    return {};
}

namespace {

// Runs of one block of channels trade places: [N, H * W, blocks, run] to [N, blocks, H * W, run], or back.
struct BlockMove {
    std::int64_t images, outer, inner;  // of the source
    std::size_t run;                    // bytes

    void operator()(const Operands& o) const {
        parallel_for(
            images * inner, std::max<std::int64_t>(1, 4096 / outer), [&](std::int64_t begin, std::int64_t end) {
                char* to = o.out<char>(0) + static_cast<std::size_t>(begin * outer) * run;
                for (std::int64_t i = begin; i < end; ++i) {
                    const std::int64_t first = i / inner * inner * outer + i % inner;
                    const char* from = o.in<char>(0) + static_cast<std::size_t>(first) * run;
                    for (std::int64_t j = 0; j < outer; ++j, to += run, from += static_cast<std::size_t>(inner) * run) {
                        std::memcpy(to, from, run);
                    }
                }
            });
    }
};

}  // namespace

std::unique_ptr<Executable> reorder_blocked(const OperandSpec& from, const Layout& to) {
    const int source = block_of(from.layout), target = block_of(to);
    if ((source == 0) == (target == 0) || !(from.layout.plain() || to.plain())) return nullptr;
    const Shape& shape = from.tensor.shape;
    const std::int64_t block = std::max(source, target), pixels = shape[1] * shape[2], blocks = shape[3] / block;
    const BlockMove move{.images = shape[0],
                         .outer = target != 0 ? pixels : blocks,
                         .inner = target != 0 ? blocks : pixels,
                         .run = static_cast<std::size_t>(block) * size_of(from.tensor.dtype)};
    auto step =
        make_step({.op = ops::Reshape{}, .inputs = {from}, .outputs = {{from.tensor, to}}, .epilogue = {}}, move);
    step->input_layouts = {from.layout};
    step->output_layouts = {to};
    return step;
}

ChannelView channel_view(const TensorSpec& tensor, const Layout& layout) {
    const Shape& shape = tensor.shape;
    if (shape.rank() == 0) return {};
    const std::int64_t c = shape[-1], count = shape.count();
    if (const int block = block_of(layout)) return {shape[0], c / block, shape[1] * shape[2], block};
    return {.rows = c > 0 ? count / c : 0, .c = c};
}

}  // namespace cambium::cpu
