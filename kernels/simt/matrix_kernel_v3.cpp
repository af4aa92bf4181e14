// Compiled with -march=x86-64-v3; called only where the processor has it.
#define CAMBIUM_MULTIPLY_TILE multiply_tile_v3
#include "kernels/simt/matrix_kernel.inc"
