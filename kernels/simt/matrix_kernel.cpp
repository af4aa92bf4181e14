// Chooses the arithmetic of mma tiles for this processor.
#include "kernels/simt/matrix_kernel.h"

namespace cambium::simt {

void multiply_tile(const MmaTile* const (&lanes)[32]) {
    static const MultiplyTile chosen =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? multiply_tile_v3 : multiply_tile_v1;
    chosen(lanes);
}

}  // namespace cambium::simt
