// Compiled for plain x86-64.
#define CAMBIUM_MULTIPLY_TILE multiply_tile_v1
#include "kernels/simt/matrix_kernel.inc"
