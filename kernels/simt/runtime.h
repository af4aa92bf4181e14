// The scheduler's own view: one fiber per CUDA thread, grouped in warps and blocks, run by one worker (an OS thread). A
// worker holds one group of blocks at a time; a group is what must be resident together (one block, today).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/gpu.h"
#include "kernels/simt/simt.h"
#include "kernels/simt/site.h"

namespace cambium::simt {

inline constexpr unsigned kWarp = 32;
inline constexpr unsigned kMaxThreads = 1024;
inline constexpr unsigned kBarriers = 16;

enum class State : std::uint8_t { ready, barrier, collective, polling, done };

// One cp.async in flight; performed when waited for in the checked run, at once in the fast run.
struct AsyncCopy {
    void* shared;
    const void* global;
    unsigned bytes, source_bytes;
    std::uint32_t epoch;
};
struct AsyncState {
    std::vector<AsyncCopy> open;
    std::vector<std::vector<AsyncCopy>> groups;  // oldest first
    unsigned pending_groups = 0;
};

struct Fiber {
    void* context = nullptr;
    uint3 thread{}, block{};
    unsigned linear = 0, lane = 0, warp = 0;  // in the block; the warp in the group
    unsigned slot = 0;                        // of the block in the group
    State state = State::done;
    const char* operation = "";  // what it waits in
    SiteId site = kNoSite;
    std::uint32_t polls = 0;
    bool misaligned = false;  // it has made an access that the alignment check has reported
    std::uintptr_t stack_low = 0, stack_high = 0;
    AsyncState async;
};

struct Barrier {
    std::array<std::uint32_t, kMaxThreads / kWarp> waiting{}, arrived_only{};
    unsigned arrived = 0, expected = 0;
    bool whole = false;
    SiteId site = kNoSite;
    unsigned site_thread = 0;
    int count = 0;   // of true predicates
    int result = 0;  // of the phase that completed last
    Reduction reduction = Reduction::none;
};

struct Collective {
    std::uint32_t mask = 0, arrived = 0;
    const char* operation = "";
    bool aligned = false;  // the whole warp by definition, rather than lanes that a mask names
    SiteId site = kNoSite;
    std::array<void*, kWarp> argument{};
};

// A dev::Shared of the running block, for reports.
struct SharedArray {
    std::uintptr_t address;
    std::size_t bytes, bytes_with_red_zone;
    unsigned element_bytes;
    std::span<const int> extents;
};

struct Block {
    uint3 index{};
    unsigned threads = 0, live = 0, first_warp = 0, warps = 0;
    unsigned char* shared = nullptr;
    bool told_exit = false, told_divergence = false;
    SharedLayout layout{};         // as the kernel took shared memory first; bytes: the most that it took
    SiteId layout_site = kNoSite;  // where
    std::vector<SharedArray> arrays;
    std::array<std::uint32_t, kMaxThreads / kWarp> exited{};  // lanes by warp
    std::array<Barrier, kBarriers> barriers;
};

class Worker {
  public:
    explicit Worker(unsigned index);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void run_block(const Launch& launch, std::uint64_t linear_block, bool checked);

    // Called from fibers.
    void wait(State state, const char* operation, SiteId site);  // leaves the fiber until somebody makes it ready
    void poll(const char* operation, SiteId site);  // lets others run; many polls without progress: deadlock
    void make_ready(unsigned warp, std::uint32_t lanes) { ready_[warp] |= lanes; }
    [[noreturn]] void abandon();  // gives up the whole group after an error that cannot be survived
    void progress() { ++progress_; }

    Fiber& fiber(unsigned rank) { return fibers_[rank]; }
    std::vector<Fiber>& fibers() { return fibers_; }
    unsigned fiber_count() const { return fiber_count_; }
    Block& block() { return block_; }
    Collective* collectives(unsigned warp) { return &collectives_[warp * 4]; }
    std::uint32_t random();
    const Launch* launch() const { return launch_; }
    bool checked() const { return checked_; }
    std::uint64_t switches() const { return switches_; }
    bool has_seed() const { return seed_ != 0; }

  private:
    static void enter(void* worker);
    void fiber_loop();
    void prepare(std::uint64_t linear_block);
    void make_context(Fiber& fiber, unsigned rank);
    void switch_to(Fiber& target);
    void next();  // to any ready fiber; reports a deadlock if there is none
    int pick(bool others_first);
    int pick_at_random();
    void finish();  // the current fiber's kernel returned

    unsigned index_;
    unsigned char* stacks_ = nullptr;
    unsigned char* shared_ = nullptr;
    std::vector<Fiber> fibers_;
    unsigned fiber_count_ = 0;
    std::vector<std::uint32_t> ready_;
    std::vector<Collective> collectives_;
    Block block_;
    Fiber home_;
    const Launch* launch_ = nullptr;
    bool checked_ = false, abandoned_ = false;
    unsigned live_ = 0;
    std::uint64_t seed_ = 0, progress_ = 0, seen_progress_ = 0, idle_polls_ = 0, switches_ = 0;
    std::uint32_t random_state_ = 1;
};

// The fiber and the worker of this OS thread; null on the host side.
extern thread_local Fiber* current __attribute__((tls_model("initial-exec")));
extern thread_local Worker* worker __attribute__((tls_model("initial-exec")));

void complete_barrier(Worker& w, Barrier& barrier);
void thread_exited(Worker& w, Fiber& fiber);  // barriers and warp operations no longer wait for it
void report_deadlock(Worker& w);
void perform_all_copies(Fiber& fiber);  // cp.async in flight when its thread ends

// All lanes of `mask` meet; the last to arrive calls complete(arguments by lane, mask). `aligned`: they must stand at
// the same place in the source. Returns false when the lane cannot take part.
bool meet(unsigned mask, const char* operation, bool aligned, void* argument, void (*complete)(void**, unsigned),
          SiteId site);

// What options() returns, for the paths that every access takes.
extern constinit Options active_options;

// Layout of the address space that kernels may touch. Fixed, so that a region is told by the top bits of an address.
inline constexpr std::uintptr_t kGlobalBase = 0x200000000000, kGlobalBytes = std::uintptr_t{1} << 34;
inline constexpr std::uintptr_t kSharedBase = 0x300000000000, kSharedStride = 512 << 10;
inline constexpr std::uintptr_t kStackBase = 0x400000000000, kStackBytes = 256 << 10, kGuardBytes = 256 << 10;
inline constexpr std::uintptr_t kStackStride = kStackBytes + kGuardBytes;
inline constexpr std::uintptr_t kWorkerStacks = kStackStride * kMaxThreads;
inline constexpr std::size_t kSharedLimit = 227 << 10;  // sm_90: 227 KB a block

unsigned char* reserve(std::uintptr_t address, std::size_t bytes);  // fixed, without commitment

}  // namespace cambium::simt
