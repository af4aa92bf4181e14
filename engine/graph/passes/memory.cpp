// The memory plan: offsets for values whose lives are known.
#include <algorithm>
#include <numeric>

#include "engine/graph/passes/passes.h"

namespace cambium::passes {
namespace {

constexpr std::size_t alignment = 64;

bool alive_together(const Interval& a, const Interval& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

std::size_t plan_memory(std::vector<Interval>& intervals) {
    std::vector<std::size_t> order(intervals.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return intervals[a].bytes > intervals[b].bytes; });
    std::vector<std::size_t> placed;  // by ascending offset
    std::size_t total = 0;
    for (const std::size_t index : order) {
        Interval& interval = intervals[index];
        const std::size_t bytes = (interval.bytes + alignment - 1) / alignment * alignment;
        std::size_t offset = 0;
        for (const std::size_t other : placed) {
            const Interval& taken = intervals[other];
            if (!alive_together(interval, taken)) continue;
            if (taken.offset >= offset + bytes) break;  // the gap before it is large enough
            offset = std::max(offset, taken.offset + (taken.bytes + alignment - 1) / alignment * alignment);
        }
        interval.offset = offset;
        total = std::max(total, offset + bytes);
        const auto position = std::upper_bound(placed.begin(), placed.end(), offset,
                                               [&](std::size_t at, std::size_t i) { return at < intervals[i].offset; });
        placed.insert(position, index);
    }
    return total;
}

}  // namespace cambium::passes
