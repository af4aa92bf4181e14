// How much memory this process may still take.
#pragma once

#include <cstddef>

namespace cambium {

// The smaller of what the machine has available (MemAvailable) and what a control group leaves; 0 if unknown.
std::size_t available_memory();

}  // namespace cambium
