#pragma once

#include <string>

namespace cambium {

// "cambium 0.1.0 (448165e), built by GCC 12.2.0; oneDNN 2.6.3; loops for x86-64-v4": for reports of faults.
std::string version_text();

}  // namespace cambium
