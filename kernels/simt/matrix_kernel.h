// The arithmetic of one warp's mma tile, chosen once for the processor.
#pragma once

#include "kernels/gpu/matrix.h"

namespace cambium::simt {

// C += A B on the fragments of 32 lanes (layout: kernels/gpu/matrix.h). Sums run in f32 over k in order; the products
// are exact, so every instruction set gives the same bits.
using MultiplyTile = void (*)(const MmaTile* const (&lanes)[32]);
void multiply_tile(const MmaTile* const (&lanes)[32]);
void multiply_tile_v1(const MmaTile* const (&lanes)[32]);
void multiply_tile_v3(const MmaTile* const (&lanes)[32]);

}  // namespace cambium::simt
