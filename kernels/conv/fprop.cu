#include "kernels/conv/launch.cuh"

void cambium::conv::launch_fprop(const Launch& launch) { launch_direction<Direction::fprop>(launch); }
