// Operators that work tile by tile: operands are widened to f32 in the nearest cache, the operator and the epilogue are
// applied there, and the result is rounded once when it leaves. f32 operands are used where they lie.
#pragma once

#include <vector>

#include "engine/backends/cpu/executable.h"
#include "engine/backends/cpu/kernels.h"
#include "engine/backends/cpu/layout.h"

namespace cambium::cpu {

// The elements [offset, offset + n) of an f32 or bf16 tensor as f32, in `buffer` where they need widening.
const float* widened(const void* data, DType dtype, std::int64_t offset, std::int64_t n, float* buffer);

// The steps of a NodeSpec's epilogue, applied to f32 results in place.
class Epilogue {
  public:
    explicit Epilogue(const NodeSpec& node);
    bool empty() const { return steps_.empty(); }
    // y holds the tile of the output; buffer has room for a tile.
    void apply(const Operands& operands, const Tile& tile, float* y, float* buffer) const;

  private:
    std::vector<EpilogueStep> steps_;
    std::vector<DType> dtypes_;  // of the operands
};

// x: the tile's elements of the first `full` inputs. y: where the result goes.
using TileFunction = std::function<void(const Operands&, const Tile&, const float* const* x, float* y)>;

// An operator whose first `full` inputs have the output's shape, all in one layout, and whose output may overwrite any
// of them of its own dtype. With Channels::none the rows are cut without regard to the last axis.
enum class Channels : std::uint8_t { none, last_axis };
std::unique_ptr<Executable> make_tiled(const NodeSpec& node, std::size_t full, Channels channels,
                                       TileFunction function);

// A loop over the tiles of `view` that applies function and epilogue; the body of make_tiled().
void run_tiled(const Operands& operands, const NodeSpec& node, std::span<const std::size_t> inputs, std::size_t output,
               const ChannelView& view, const Epilogue& epilogue, const TileFunction& function);

// Applies the epilogue to an f32 result that lies in output 0 already.
void finish_plain(const Operands& operands, const NodeSpec& node, const Epilogue& epilogue);

}  // namespace cambium::cpu
