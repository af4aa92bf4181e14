// cp.async. The fast run copies at once. In the checked run a copy is an agent of its own, performed as late as allowed
// (at the wait, or with a seed at a random earlier moment), so that a missing wait reads what was there before.
#include <cstring>

#include "kernels/simt/detector.h"
#include "kernels/simt/runtime.h"

namespace cambium::simt {
namespace {

void perform(const AsyncCopy& copy) {
    if (copy.source_bytes != 0) std::memcpy(copy.shared, copy.global, copy.source_bytes);
    std::memset(static_cast<unsigned char*>(copy.shared) + copy.source_bytes, 0, copy.bytes - copy.source_bytes);
}

}  // namespace

void cp_async(void* shared, const void* global, unsigned bytes, unsigned source_bytes, dev::Site where) {
    AsyncCopy copy{shared, global, bytes, source_bytes, 0};
    if (!worker->checked()) {
        perform(copy);
        return;
    }
    const SiteId site = site_of(where);
    count_instruction(*worker, "cp.async", site);
    if (!issue_copy(*worker, copy, site)) worker->abandon();
    if (!options().parts.async_agents) {
        perform(copy);
        return;
    }
    current->async.open.push_back(copy);
}

void cp_async_commit(dev::Site) {
    if (!worker->checked()) return;
    AsyncState& async = current->async;
    async.groups.push_back(std::move(async.open));
    async.open.clear();
}

void cp_async_wait(unsigned groups_in_flight, dev::Site) {
    if (!worker->checked()) return;
    AsyncState& async = current->async;
    while (async.groups.size() > groups_in_flight) {
        for (const AsyncCopy& copy : async.groups.front()) {
            perform(copy);
            copy_waited_for(*worker, copy);
        }
        async.groups.erase(async.groups.begin());
    }
}

void perform_all_copies(Fiber& fiber) {
    for (const auto& group : fiber.async.groups) {
        for (const AsyncCopy& copy : group) perform(copy);
    }
    for (const AsyncCopy& copy : fiber.async.open) perform(copy);
    fiber.async.groups.clear();
    fiber.async.open.clear();
}

}  // namespace cambium::simt
