#include "kernels/conv/launch.cuh"

void cambium::conv::launch_wgrad(const Launch& launch) { launch_direction<Direction::wgrad>(launch); }
