// Vector clocks, sparse: what a thread knows of others, as "everything this block / this warp / this agent did up to
// epoch e". Epochs come from one counter, so a block's barrier is one number. Flanagan and Freund, "FastTrack" (PLDI
// 2009).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace cambium::simt {

using Epoch = std::uint32_t;
using AgentId = std::uint32_t;                    // a thread's number in its launch
inline constexpr AgentId kAsyncAgent = 1u << 31;  // added to the issuer's number: its copies in flight

struct Knowledge {
    std::uint32_t key;
    Epoch epoch;
};

// Three maps, each sorted by key.
struct Clock {
    std::vector<Knowledge> blocks, warps, agents;

    bool covers(AgentId agent, std::uint32_t warp, std::uint32_t block, Epoch epoch) const;
    bool is_empty() const { return blocks.empty() && warps.empty() && agents.empty(); }
};
using ClockRef = std::shared_ptr<const Clock>;  // immutable, shared by all who learned the same; null: nothing

void learn(std::vector<Knowledge>& map, std::uint32_t key, Epoch epoch);
ClockRef join(const ClockRef& a, const ClockRef& b);

}  // namespace cambium::simt
