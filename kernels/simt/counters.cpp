// Warp-wide accesses gathered per place, costed at barriers; totals per place and kind of access.
#include "kernels/simt/counters.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <unordered_map>

#include "kernels/simt/report_log.h"
#include "kernels/simt/state.h"

namespace cambium::simt {
namespace {

struct LaneAccess {
    std::uintptr_t address;
    unsigned bytes;
};

// What the lanes of one warp did at one place since the last flush.
struct Log {
    Access access;
    bool shared;
    std::array<std::vector<LaneAccess>, kWarp> lanes;
};

struct Total {
    std::string kernel;
    std::uint64_t instructions = 0, cost = 0, ideal = 0;
};

std::unordered_map<std::uint64_t, Log> logs;                           // by warp and place
std::map<std::tuple<const void*, SiteId, std::string>, Total> totals;  // by kernel, place and kind of access

Total& total_of(SiteId site, const char* operation) {
    Total& total = totals[{running_kernel(), site, operation}];
    if (total.kernel.empty()) total.kernel = kernel_name();
    return total;
}

std::uint64_t key_of(unsigned warp, SiteId site, bool shared) {
    return static_cast<std::uint64_t>(warp) << 40 | static_cast<std::uint64_t>(shared ? 1 : 0) << 39 | site;
}

template <class T>
std::size_t distinct(std::vector<T>& values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return values.size();
}

// Shared memory serves 32 banks of 4 bytes at a time: a pass costs as many wavefronts as the fullest bank has distinct
// words.
void add_shared(Total& total, const std::vector<LaneAccess>& pass) {
    std::vector<std::uintptr_t> words;
    for (const LaneAccess& a : pass) {
        for (std::uintptr_t w = a.address / 4; w <= (a.address + a.bytes - 1) / 4; ++w) words.push_back(w);
    }
    std::array<unsigned, 32> banks{};
    const std::size_t count = distinct(words);
    for (const std::uintptr_t w : words) ++banks[w % 32];
    total.cost += *std::max_element(banks.begin(), banks.end());
    total.ideal += (count + 31) / 32;
}

void add_global(Total& total, const std::vector<LaneAccess>& warp) {
    std::vector<std::uintptr_t> sectors, bytes;
    for (const LaneAccess& a : warp) {
        for (std::uintptr_t s = a.address / 32; s <= (a.address + a.bytes - 1) / 32; ++s) sectors.push_back(s);
        for (std::uintptr_t b = a.address; b < a.address + a.bytes; ++b) bytes.push_back(b);
    }
    total.cost += distinct(sectors);
    total.ideal += (distinct(bytes) + 31) / 32;
}

const char* operation_name(const Log& log) {
    const bool writes = log.access == Access::write || log.access == Access::async_write;
    if (log.access == Access::async_read) return "cp.async source";
    if (log.access == Access::async_write) return "cp.async target";
    if (log.shared) return writes ? "shared write" : "shared read";
    return writes ? "global write" : "global read";
}

void flush_log(SiteId site, const Log& log) {
    Total& total = total_of(site, operation_name(log));
    std::size_t executions = 0;
    for (const auto& lane : log.lanes) executions = std::max(executions, lane.size());
    for (std::size_t k = 0; k < executions; ++k) {
        std::vector<LaneAccess> warp;
        std::array<std::vector<LaneAccess>, 4> quarters;  // 16 bytes and ldmatrix: 8 lanes a pass; 8 bytes: 16 lanes
        unsigned bytes = 0;
        for (unsigned lane = 0; lane < kWarp; ++lane) {
            if (k >= log.lanes[lane].size()) continue;
            const LaneAccess& a = log.lanes[lane][k];
            warp.push_back(a);
            bytes = std::max(bytes, a.bytes);
            quarters[a.bytes >= 16 ? lane / 8 : a.bytes == 8 ? lane / 16 : 0].push_back(a);
        }
        ++total.instructions;
        if (!log.shared) {
            add_global(total, warp);
            continue;
        }
        for (const auto& pass : quarters) {
            if (!pass.empty()) add_shared(total, pass);
        }
    }
}

}  // namespace

void count_access(Worker&, std::uintptr_t address, unsigned bytes, Access access, SiteId site) {
    if (!active_options.count || bytes == 0) return;
    const bool shared = address - kSharedBase < kSharedStride;
    if (!shared && address - kGlobalBase >= kGlobalBytes) return;
    Log& log = logs[key_of(current->warp, site, shared)];
    log.access = access;
    log.shared = shared;
    log.lanes[current->lane].push_back({address, bytes});
}

void flush_counters(Worker&) {
    if (logs.empty()) return;
    for (const auto& [key, log] : logs) flush_log(static_cast<SiteId>(key & 0x7fffffffffu), log);
    logs.clear();
}

// Called by every lane; a warp-wide instruction is counted once, by its first lane.
void count_instruction(Worker&, const char* operation, SiteId site, unsigned times) {
    if (!active_options.count || current->lane != 0) return;
    total_of(site, operation).instructions += times;
}

std::vector<Counter> counters() {
    std::vector<Counter> result;
    for (const auto& [key, total] : totals) {
        const auto& [kernel, site, operation] = key;
        result.push_back({place_of(site), total.kernel, operation, total.instructions, total.cost, total.ideal});
    }
    std::sort(result.begin(), result.end(), [](const Counter& a, const Counter& b) {
        return std::tie(a.kernel, a.place.file, a.place.line, a.operation) <
               std::tie(b.kernel, b.place.file, b.place.line, b.operation);
    });
    return result;
}

void reset_counters() {
    totals.clear();
    logs.clear();
}

}  // namespace cambium::simt
