// The detector's state: clocks of the block that runs, of launches and streams, and the shadow. One instance; the
// checked run is single-threaded.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "kernels/simt/detector.h"
#include "kernels/simt/shadow.h"

namespace cambium::simt {

// What one thread of the running block knows.
struct ThreadClock {
    AgentId id = 0;
    Epoch epoch = 0;
    Epoch async_done = 0;                    // its copies up to here have been waited for by itself
    Epoch async_seen = 0;                    // ... and everybody in the block knows
    ClockRef known;                          // beyond the block's base
    ClockRef fence_block, fence_device;      // snapshots taken by its last fence, published by its relaxed atomics
    ClockRef pending_block, pending_device;  // read by relaxed atomics, known from its next fence on
};

// What an atomic variable carries from writers to readers.
struct SyncVariable {
    ClockRef device, block;
    std::uint32_t block_number = 0;
};

using StreamClock = std::vector<Epoch>;  // by stream: everything it did up to here is ordered before

struct Operation {  // a launch or a copy
    Epoch first = 0, last = 0;
    std::uint32_t stream = 0;
    const void* kernel = nullptr;  // null: a copy
    const char* name = "";
    dim3 grid, block;
};

class Detector {
  public:
    static Detector& instance();

    // Operations on streams.
    void begin_operation(std::uint32_t stream, const StreamClock& known, const void* kernel, const char* name,
                         dim3 grid, dim3 block);
    Epoch end_operation();
    void check_initialised(std::uintptr_t address, unsigned bytes, Access access, SiteId site);
    void check_declared(std::uintptr_t address, unsigned bytes, Access access, SiteId site);
    void check_copy(std::uintptr_t address, std::size_t bytes, bool write, SiteId site);

    bool ordered(const Entry& entry, const ThreadClock& thread) const;
    const Operation* operation_of(Epoch epoch) const;

    ThreadClock& thread(unsigned linear) { return threads_[linear]; }
    std::uint32_t warp_of(AgentId agent) const { return (agent & ~kAsyncAgent) / kWarp; }
    std::uint32_t block_of(AgentId agent) const { return (agent & ~kAsyncAgent) / padded_; }
    ClockRef snapshot(const ThreadClock& thread) const;
    Epoch tick() { return ++now_; }
    void join_members(Worker& w, const std::vector<unsigned>& publish, const std::vector<unsigned>& learn_too,
                      std::int64_t whole_warp);
    void join_block(Worker& w);

    // Cells.
    bool check(std::uintptr_t address, unsigned bytes, Access access, SiteId site, std::uint32_t flags,
               Epoch async_epoch);
    Cell* cell_of(std::uintptr_t address) const;
    std::uint8_t* state_of(std::uintptr_t address) const;
    void forget_cells(std::uintptr_t address, std::size_t bytes);

    Epoch now_ = 1, everything_before_ = 1, launch_start_ = 1, block_start_ = 1, base_ = 0;
    std::uint32_t block_number_ = 0, padded_ = kWarp;
    std::vector<ThreadClock> threads_;
    std::unordered_map<std::uintptr_t, SyncVariable> variables_;
    std::vector<Operation> operations_;
    StreamClock known_streams_;  // of the running operation
    Pool<EntrySet> sets_;
    Pool<SplitCell> splits_;
    std::vector<std::pair<std::uintptr_t, std::uintptr_t>> read_only_;  // what the launch declared as only read
    std::uintptr_t argument_low_ = 0, argument_high_ = 0;
    bool in_operation_ = false;
    ThreadClock copier_;  // who performs the host's copies
    std::uint64_t accesses_ = 0;

  private:
    Detector();
    bool ordered_operation(Epoch epoch) const;
    struct Actor {  // who touches memory
        const ThreadClock& thread;
        AgentId agent;
        Epoch epoch;
        std::uint32_t site;  // with flags
    };
    struct Conflict {
        Entry other;
        bool other_wrote = false, other_atomic = false;
    };
    bool conflicts(const Entry& entry, const Actor& actor, bool shared) const;
    const Entry* conflicting(std::uint32_t set, const Actor& actor, bool shared, bool writers_only);
    void add_to_set(std::uint32_t index, const Entry& entry);
    void forget_observed(Cell& cell, const Actor& actor);
    void drop_sets(Cell& cell);
    bool is_same_again(const Cell& cell, const Actor& actor, Access access) const;
    bool touch(Cell& cell, const Actor& actor, Access access, bool shared, Conflict& conflict);
    bool touch_read(Cell& cell, const Actor& actor, bool shared, Conflict& conflict);
    bool touch_write(Cell& cell, const Actor& actor, bool shared, Conflict& conflict);
    bool touch_atomic(Cell& cell, const Actor& actor, bool writes, bool shared, Conflict& conflict);
    void record_read(Cell& cell, const Actor& actor, bool shared);
    SplitCell& split(Cell& cell);
    void merge(Cell& cell);
    bool check_races(std::uintptr_t address, unsigned bytes, const Actor& actor, Access access, bool shared);
    bool check_bounds(std::uintptr_t address, unsigned bytes, Access access, SiteId site);
    bool is_readable_host(std::uintptr_t address, unsigned bytes) const;
    bool check_elsewhere(std::uintptr_t address, unsigned bytes, Access access, SiteId site);
    void report_race(std::uintptr_t address, unsigned bytes, const Actor& actor, Access access,
                     const Conflict& conflict);

    Cell* global_cells_;
    std::uint8_t* global_state_;
    Cell* shared_cells_;
    std::uint8_t* shared_state_;
};

const char* verb(Access access);

}  // namespace cambium::simt
