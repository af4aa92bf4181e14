// Cases beside those of engine/cases, whose small random shapes seldom or never reach some kernels: rows that a block
// shares, heads of attention beyond 64, accesses of 16 bytes, each way to transpose, types that few programs have.
#pragma once

#include <vector>

#include "engine/cases/case.h"

namespace cambium {

// For the tuned kernels. Each draws shapes of one kind only, so that its first shape reaches what it is there for.
std::vector<cases::OpCase> kernel_cases();

}  // namespace cambium
