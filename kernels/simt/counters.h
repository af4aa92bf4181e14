// Bank conflicts and sectors, counted as the hardware serves them: the k-th execution of one place by the lanes of one
// warp is one warp-wide access.
#pragma once

#include "kernels/simt/detector.h"

namespace cambium::simt {

void count_access(Worker& w, std::uintptr_t address, unsigned bytes, Access access, SiteId site);
void flush_counters(Worker& w);  // at barriers and at the end of a block

}  // namespace cambium::simt
