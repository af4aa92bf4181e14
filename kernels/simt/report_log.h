// Where reports go: equal ones (same kind, same two places) are counted, the rest kept for the launch to throw or for a
// Collect to gather.
#pragma once

#include <optional>
#include <string>

#include "kernels/simt/runtime.h"

namespace cambium::simt {

// True where this finding has been reported before; it is then counted.
bool is_repeated(Kind kind, SiteId first, SiteId second = kNoSite);

struct Finding {
    Kind kind;
    SiteId first_site, second_site = kNoSite;
    Party first;
    std::optional<Party> second;
    std::string object, detail, advice;
};
void add_report(Finding finding);

Party party_of(const Fiber& fiber, std::string action, SiteId site);  // a thread of the running block
const void* running_kernel();                                         // null outside of a launch
std::string kernel_name();                                            // of the running launch

// Throws what has gathered since the last call, unless a Collect lives.
void throw_reports();
const std::vector<Report>& thrown_reports();  // in the life of the process

}  // namespace cambium::simt
