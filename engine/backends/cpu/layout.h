// The layouts of activations: plain NHWC, or blocked as oneDNN has it, [N, C / b, H, W, b] with b = 8 or 16 channels.
// To every kernel both are the same thing, a ChannelView: runs of c channels, so no kernel is written twice.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/backends/backend.h"
#include "engine/base/parallel.h"

namespace cambium::cpu {

// 16 or 8 for the blocked layouts (1 for NCHW, the same with single channels), 0 for the plain one.
int block_of(const Layout& layout);
// `block` channels together, or the plain layout where that makes no difference or does not fit (rank, channel count).
Layout blocked_layout(const TensorSpec& tensor, int block);
// The blocked layout among those in which the inputs are offered, else the plain one.
Layout offered_layout(const NodeSpec& node);

// Element (image, block, row, k) lies at ((image * blocks + block) * rows + row) * c + k and belongs to channel
// block * c + k. Plain tensors are one image of one block.
struct ChannelView {
    std::int64_t images = 1, blocks = 1, rows = 1, c = 1;

    std::int64_t channels() const { return blocks * c; }
    std::int64_t count() const { return images * blocks * rows * c; }
    std::int64_t tile_rows() const {
        return std::max<std::int64_t>(1, std::min(rows, 2048 / std::max<std::int64_t>(1, c)));
    }
    std::size_t tile_count() const { return static_cast<std::size_t>(tile_rows() * c); }
};

ChannelView channel_view(const TensorSpec& tensor, const Layout& layout);
// Between the plain and a blocked layout; null for any others.
std::unique_ptr<Executable> reorder_blocked(const OperandSpec& from, const Layout& to);
// Elements without channels.
inline ChannelView flat_view(std::int64_t count) { return {.rows = count}; }

// Some rows of one block: what a kernel is called for while its operands stay in the nearest cache.
struct Tile {
    std::int64_t offset, rows, c, channel;
    std::int64_t count() const { return rows * c; }
};

// Calls body(tile) for the rows begin .. end - 1 of all images * blocks * rows.
template <class Body>
void for_tiles(const ChannelView& view, std::int64_t begin, std::int64_t end, Body body) {
    const std::int64_t step = view.tile_rows();
    while (begin < end) {
        const std::int64_t panel = begin / view.rows, row = begin % view.rows;
        const std::int64_t rows = std::min({step, view.rows - row, end - begin});
        body(Tile{begin * view.c, rows, view.c, panel % view.blocks * view.c});
        begin += rows;
    }
}

// As above for all rows, on several threads; body is made anew, by make(), for each of them.
template <class Make>
void parallel_tiles(const ChannelView& view, Make make) {
    const std::int64_t grain = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, view.c));
    parallel_for(view.images * view.blocks * view.rows, grain,
                 [&](std::int64_t begin, std::int64_t end) { for_tiles(view, begin, end, make()); });
}

// Reductions are cut into parts that depend on the tensor only, so that sums have the same bits for any thread count.
// A part holds all blocks of its images, or some rows of a plain tensor.
class ReductionParts {
  public:
    explicit ReductionParts(const ChannelView& view) : view_(view) {
        const std::int64_t units = view.blocks > 1 ? view.images : view.images * view.rows;
        const std::int64_t wanted = std::max<std::int64_t>(1, view.count() / 32768);
        count_ = std::max<std::int64_t>(1, std::min({units, wanted, std::int64_t{64}}));
        units_ = units;
    }
    std::int64_t count() const { return count_; }
    // Calls make(part)(tile); the tiles of a part come in order, on one thread.
    template <class Make>
    void run(Make make) const {
        const std::int64_t rows_per_unit = view_.blocks > 1 ? view_.blocks * view_.rows : 1;
        parallel_for(count_, 1, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t part = first; part < last; ++part) {
                const std::int64_t begin = units_ * part / count_, end = units_ * (part + 1) / count_;
                for_tiles(view_, begin * rows_per_unit, end * rows_per_unit, make(part));
            }
        });
    }

  private:
    ChannelView view_;
    std::int64_t units_ = 1, count_ = 1;
};

}  // namespace cambium::cpu
