#include "kernels/conv/launch.cuh"

void cambium::conv::launch_dgrad(const Launch& launch) { launch_direction<Direction::dgrad>(launch); }
