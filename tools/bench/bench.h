#pragma once

namespace cambium {

// cambium bench step: how fast a training step is.
int bench_command(int argc, char** argv);

}  // namespace cambium
