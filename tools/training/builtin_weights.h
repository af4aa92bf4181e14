// Where the weights shipped with the program are: in the source tree it was built from, or beside the installed
// program.
#pragma once

#include <filesystem>
#include <string>

namespace cambium {

// Throws Error naming the places that were looked at.
std::filesystem::path builtin_weights(const std::string& name);

}  // namespace cambium
