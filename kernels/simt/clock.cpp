// Joining of sparse clocks: a merge of sorted lists, taking the later epoch.
#include "kernels/simt/clock.h"

#include <algorithm>

namespace cambium::simt {
namespace {

auto position(std::vector<Knowledge>& map, std::uint32_t key) {
    return std::lower_bound(map.begin(), map.end(), key, [](const Knowledge& k, std::uint32_t v) { return k.key < v; });
}

bool knows(const std::vector<Knowledge>& map, std::uint32_t key, Epoch epoch) {
    const auto at =
        std::lower_bound(map.begin(), map.end(), key, [](const Knowledge& k, std::uint32_t v) { return k.key < v; });
    return at != map.end() && at->key == key && epoch <= at->epoch;
}

std::vector<Knowledge> merge(const std::vector<Knowledge>& a, const std::vector<Knowledge>& b) {
    std::vector<Knowledge> result;
    result.reserve(a.size() + b.size());
    auto i = a.begin(), j = b.begin();
    while (i != a.end() || j != b.end()) {
        if (j == b.end() || (i != a.end() && i->key < j->key)) {
            result.push_back(*i++);
        } else if (i == a.end() || j->key < i->key) {
            result.push_back(*j++);
        } else {
            result.push_back({i->key, std::max(i->epoch, j->epoch)});
            ++i;
            ++j;
        }
    }
    return result;
}

}  // namespace

bool Clock::covers(AgentId agent, std::uint32_t warp, std::uint32_t block, Epoch epoch) const {
    if (knows(agents, agent, epoch) || knows(blocks, block, epoch)) return true;
    return (agent & kAsyncAgent) == 0 && knows(warps, warp, epoch);
}

void learn(std::vector<Knowledge>& map, std::uint32_t key, Epoch epoch) {
    const auto at = position(map, key);
    if (at != map.end() && at->key == key) {
        at->epoch = std::max(at->epoch, epoch);
    } else {
        map.insert(at, {key, epoch});
    }
}

ClockRef join(const ClockRef& a, const ClockRef& b) {
    if (a == b || b == nullptr) return a;
    if (a == nullptr) return b;
    return std::make_shared<const Clock>(
        Clock{merge(a->blocks, b->blocks), merge(a->warps, b->warps), merge(a->agents, b->agents)});
}

}  // namespace cambium::simt
