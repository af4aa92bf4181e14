#pragma once

namespace cambium {

// cambium sheet DATA: the first photos of each class side by side in one PNG.
int sheet_command(int argc, char** argv);

}  // namespace cambium
