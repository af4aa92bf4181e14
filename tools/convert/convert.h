#pragma once

namespace cambium {

// cambium convert IN OUT: weights between safetensors and PyTorch files.
int convert_command(int argc, char** argv);

}  // namespace cambium
