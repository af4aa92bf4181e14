#pragma once

namespace cambium {

// cambium predict SOURCE IMAGE...: the likeliest classes of each photo.
int predict_command(int argc, char** argv);

}  // namespace cambium
