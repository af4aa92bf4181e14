// The convolutions' kernels without the swizzle, in place of fprop.cu, dgrad.cu and wgrad.cu.
#include "kernels/conv/launch.cuh"

namespace cambium::conv {

void launch_fprop(const Launch& launch) { launch_direction<Direction::fprop, false>(launch); }
void launch_dgrad(const Launch& launch) { launch_direction<Direction::dgrad, false>(launch); }
void launch_wgrad(const Launch& launch) { launch_direction<Direction::wgrad, false>(launch); }

}  // namespace cambium::conv
