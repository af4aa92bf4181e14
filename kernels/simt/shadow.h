// The shadow of memory: for every four bytes a cell that remembers the last plain write, the atomics and the reads
// since, each as (agent, epoch, place); for every byte whether it exists and has been written.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "kernels/simt/clock.h"
#include "kernels/simt/site.h"

namespace cambium::simt {

struct Entry {
    AgentId agent = 0;
    Epoch epoch = 0;  // 0: none
    std::uint32_t site = 0;
};
// Flags of an atomic's site. kUpdate: it reads and writes at once, so it has seen all updates before it. kAnnounces:
// its thread has fenced at a scope that fits, so that this atomic tells others to go on.
inline constexpr std::uint32_t kLoadOnly = 1u << 31, kBlockScope = 1u << 30, kUpdate = 1u << 29, kAnnounces = 1u << 28;
inline constexpr std::uint32_t kSiteMask = kAnnounces - 1;

struct alignas(64) Cell {
    Entry write;     // last plain write
    Entry reads[2];  // plain reads that nothing orders with one another
    Entry atomic;    // last atomic access, kept apart: it must not hide an earlier plain write
    std::uint32_t read_set = 0, atomic_set = 0;  // more of them; index + 1 into the pool
    std::uint32_t split = 0;                     // four cells, one per byte; index + 1 into the pool
    std::uint32_t unused = 0;
};
static_assert(sizeof(Cell) == 64);

// Accesses of one kind to one cell: those of the current block since its last barrier, sorted by agent; and one, the
// last, of each earlier block or phase.
struct EntrySet {
    std::vector<Entry> recent, old;
    Epoch base = 0;
    Cell* owner = nullptr;
};

struct SplitCell {
    std::array<Cell, 4> bytes;
    Cell* owner = nullptr;
};

enum : std::uint8_t { kNowhere = 0, kFresh = 1, kReady = 3, kFreed = 4, kRed = 8 };

// Pools of what few cells need.
template <class T>
class Pool {
  public:
    std::uint32_t take() {
        if (free_.empty()) {
            items_.emplace_back();
            return static_cast<std::uint32_t>(items_.size());
        }
        const std::uint32_t index = free_.back();
        free_.pop_back();
        return index;
    }
    void give_back(std::uint32_t index) { free_.push_back(index); }
    T& operator[](std::uint32_t index) { return items_[index - 1]; }
    std::size_t used() const { return items_.size() - free_.size(); }
    std::deque<T>& all() { return items_; }

  private:
    std::deque<T> items_;
    std::vector<std::uint32_t> free_;
};

}  // namespace cambium::simt
