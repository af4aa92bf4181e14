// Order: what barriers, warp synchronisation, fences, atomics and streams make known to whom; and the life of
// operations, blocks and memory in the shadow.
#include "kernels/simt/detector.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/simt/counters.h"
#include "kernels/simt/state.h"

namespace cambium::simt {
namespace {

constexpr std::uintptr_t kStateBase = 0x480000000000, kCellBase = 0x500000000000;
constexpr std::size_t kCellsPerByteDivisor = 4;

Detector* the_detector = nullptr;  // spares every access the guard of a function's static

Detector& detector() {
    if (the_detector == nullptr) the_detector = &Detector::instance();
    return *the_detector;
}

}  // namespace

Detector& Detector::instance() {
    static Detector& detector = *new Detector;
    return detector;
}

Detector::Detector()
    : global_cells_(reinterpret_cast<Cell*>(reserve(kCellBase, kGlobalBytes / kCellsPerByteDivisor * sizeof(Cell)))),
      global_state_(reserve(kStateBase, kGlobalBytes)),
      shared_cells_(reinterpret_cast<Cell*>(reserve(0, kSharedStride / kCellsPerByteDivisor * sizeof(Cell)))),
      shared_state_(reserve(0, kSharedStride)) {}

Cell* Detector::cell_of(std::uintptr_t address) const {
    return address >= kSharedBase ? shared_cells_ + (address - kSharedBase) / 4
                                  : global_cells_ + (address - kGlobalBase) / 4;
}
std::uint8_t* Detector::state_of(std::uintptr_t address) const {
    return address >= kSharedBase ? shared_state_ + (address - kSharedBase) : global_state_ + (address - kGlobalBase);
}

// --- operations on streams
// --------------------------------------------------------------------------------------------

void Detector::begin_operation(std::uint32_t stream, const StreamClock& known, const void* kernel, const char* name,
                               dim3 grid, dim3 block) {
    known_streams_ = known;
    launch_start_ = ++now_;
    everything_before_ = launch_start_;
    for (const Operation& operation : operations_) {
        const Epoch seen = operation.stream < known.size() ? known[operation.stream] : 0;
        if (operation.last > seen && options().parts.streams) {
            everything_before_ = operation.first;
            break;
        }
    }
    constexpr std::size_t kRemembered = 4096;
    if (operations_.size() > kRemembered) operations_.erase(operations_.begin(), operations_.begin() + kRemembered / 2);
    operations_.push_back({launch_start_, launch_start_, stream, kernel, name, grid, block});
    const unsigned threads = block.x * block.y * block.z;
    padded_ = (threads + kWarp - 1) / kWarp * kWarp;
    block_start_ = base_ = launch_start_;
    copier_ = {};
    copier_.epoch = ++now_;
    variables_.clear();
    in_operation_ = true;
}

Epoch Detector::end_operation() {
    operations_.back().last = now_;
    in_operation_ = false;
    return now_;
}

const Operation* Detector::operation_of(Epoch epoch) const {
    auto next = std::upper_bound(operations_.begin(), operations_.end(), epoch,
                                 [](Epoch e, const Operation& operation) { return e < operation.first; });
    return next == operations_.begin() ? nullptr : &*--next;
}

bool Detector::ordered_operation(Epoch epoch) const {
    const Operation* operation = operation_of(epoch);
    if (operation == nullptr) return true;
    return operation->stream < known_streams_.size() && epoch <= known_streams_[operation->stream];
}

bool Detector::ordered(const Entry& entry, const ThreadClock& thread) const {
    if (entry.epoch < everything_before_) return true;
    if (entry.epoch < launch_start_) return ordered_operation(entry.epoch);
    if (entry.agent == thread.id) return true;
    if ((entry.agent & kAsyncAgent) == 0) {
        if (entry.epoch >= block_start_ && entry.epoch <= base_) return true;
    } else if (entry.epoch >= block_start_) {
        const AgentId issuer = entry.agent & ~kAsyncAgent;
        const ThreadClock& issuing = threads_[issuer - block_number_ * padded_];
        if (entry.epoch <= issuing.async_seen) return true;
        if (issuer == thread.id) return entry.epoch <= thread.async_done;
        return thread.known != nullptr && thread.known->covers(entry.agent, 0, ~0u, entry.epoch);
    }
    return thread.known != nullptr &&
           thread.known->covers(entry.agent, warp_of(entry.agent), block_of(entry.agent), entry.epoch);
}

// --- what the threads of the running block know
// -------------------------------------------------------------------------

// All that the thread knows and has done, as something another may learn.
ClockRef Detector::snapshot(const ThreadClock& thread) const {
    Clock clock = thread.known == nullptr ? Clock{} : *thread.known;
    learn(clock.blocks, block_number_, base_);
    learn(clock.agents, thread.id, thread.epoch);
    if (thread.async_done != 0) learn(clock.agents, thread.id | kAsyncAgent, thread.async_done);
    return std::make_shared<const Clock>(std::move(clock));
}

void Detector::join_block(Worker& w) {
    ClockRef joined;
    const ClockRef* last = nullptr;
    for (unsigned t = 0; t < w.fiber_count(); ++t) {
        const ClockRef& known = threads_[t].known;
        if (known == nullptr || (last != nullptr && *last == known)) continue;
        joined = join(joined, known);
        last = &known;
    }
    if (joined != nullptr) {  // what was known of this block itself is covered by the new base
        Clock rest = *joined;
        std::erase_if(rest.blocks, [&](const Knowledge& k) { return k.key == block_number_; });
        std::erase_if(rest.warps, [&](const Knowledge& k) { return k.key / (padded_ / kWarp) == block_number_; });
        std::erase_if(rest.agents, [&](const Knowledge& k) { return block_of(k.key) == block_number_; });
        joined = rest.is_empty() ? nullptr : std::make_shared<const Clock>(std::move(rest));
    }
    base_ = now_;
    const Epoch epoch = ++now_;
    for (unsigned t = 0; t < w.fiber_count(); ++t) {
        ThreadClock& thread = threads_[t];
        thread.async_seen = thread.async_done;
        thread.known = joined;
        thread.epoch = epoch;
    }
}

// Those in `publish` tell what they did; those in `learn_too` get to know it. whole_warp >= 0: they are all of that
// warp.
void Detector::join_members(Worker&, const std::vector<unsigned>& publish, const std::vector<unsigned>& learn_too,
                            std::int64_t whole_warp) {
    ClockRef joined;
    for (const unsigned t : publish) joined = join(joined, threads_[t].known);
    Clock clock = joined == nullptr ? Clock{} : *joined;
    const std::uint32_t first = block_number_ * padded_;
    if (whole_warp >= 0) {
        const std::uint32_t warp = first / kWarp + static_cast<std::uint32_t>(whole_warp);
        std::erase_if(clock.agents,
                      [&](const Knowledge& k) { return (k.key & kAsyncAgent) == 0 && k.key / kWarp == warp; });
        learn(clock.warps, warp, now_);
    }
    for (const unsigned t : publish) {
        const ThreadClock& thread = threads_[t];
        if (whole_warp < 0) learn(clock.agents, thread.id, thread.epoch);
        if (thread.async_done > thread.async_seen) learn(clock.agents, thread.id | kAsyncAgent, thread.async_done);
    }
    const ClockRef shared = std::make_shared<const Clock>(std::move(clock));
    const Epoch epoch = ++now_;
    for (const unsigned t : publish) threads_[t].epoch = epoch;
    for (const unsigned t : learn_too) threads_[t].known = join(threads_[t].known, shared);
}

void on_barrier(Worker& w, const Barrier& barrier) {
    std::vector<unsigned> publish, learn_too;
    for (unsigned warp = 0; warp < w.block().warps; ++warp) {
        for (std::uint32_t rest = barrier.waiting[warp] | barrier.arrived_only[warp]; rest != 0; rest &= rest - 1) {
            publish.push_back(warp * kWarp + static_cast<unsigned>(std::countr_zero(rest)));
        }
        for (std::uint32_t rest = barrier.waiting[warp]; rest != 0; rest &= rest - 1) {
            learn_too.push_back(warp * kWarp + static_cast<unsigned>(std::countr_zero(rest)));
        }
    }
    if (barrier.whole) {
        flush_counters(w);
        detector().join_block(w);
    } else {
        detector().join_members(w, publish, learn_too, -1);
    }
}

void on_warp_sync(Worker& w, unsigned warp, std::uint32_t lanes) {
    std::vector<unsigned> members;
    for (std::uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
        members.push_back(warp * kWarp + static_cast<unsigned>(std::countr_zero(rest)));
    }
    const unsigned existing = std::min(kWarp, w.fiber_count() - warp * kWarp);
    detector().join_members(w, members, members, members.size() == existing ? static_cast<std::int64_t>(warp) : -1);
}

void on_fence(Worker&, dev::Scope scope) {
    Detector& d = detector();
    ThreadClock& thread = d.thread(current->linear);
    const bool wide = scope != dev::Scope::block || !options().parts.scopes;
    thread.known = join(thread.known, thread.pending_block);
    thread.pending_block = nullptr;
    if (wide) {
        thread.known = join(thread.known, thread.pending_device);
        thread.pending_device = nullptr;
    }
    thread.fence_block = d.snapshot(thread);
    if (wide) thread.fence_device = thread.fence_block;
    thread.epoch = d.tick();
}

namespace {

// C11 by clocks: a release publishes the thread's clock, a relaxed write only what its last fence saw; an acquire
// learns at once, a relaxed read at the next fence.
void order_by_atomic(std::uintptr_t address, bool reads, bool writes, bool plain_store, dev::Order order,
                     dev::Scope scope) {
    Detector& d = detector();
    const Parts& parts = options().parts;
    ThreadClock& thread = d.thread(current->linear);
    const bool wide = scope != dev::Scope::block || !parts.scopes;
    if (!parts.fences) order = dev::Order::acquire_release;
    const bool acquires = order == dev::Order::acquire || order == dev::Order::acquire_release;
    const bool releases = order == dev::Order::release || order == dev::Order::acquire_release;
    SyncVariable& variable = d.variables_[address];
    const bool same_block = variable.block_number == d.block_number_ + 1;
    if (reads) {
        if (same_block) {
            ClockRef& to = acquires ? thread.known : thread.pending_block;
            to = join(to, variable.block);
        }
        if (wide) {
            ClockRef& to = acquires ? thread.known : thread.pending_device;
            to = join(to, variable.device);
        }
    }
    if (!writes) return;
    const ClockRef now = releases ? d.snapshot(thread) : nullptr;
    const ClockRef narrow = releases ? now : thread.fence_block;
    const ClockRef broad = !wide ? nullptr : releases ? now : thread.fence_device;
    variable.block = plain_store || !same_block ? narrow : join(variable.block, narrow);
    variable.device = plain_store ? broad : join(variable.device, broad);
    variable.block_number = d.block_number_ + 1;
    if (releases) thread.epoch = d.tick();
}

}  // namespace

bool check_atomic(Worker&, void* pointer, unsigned bytes, Atomic operation, dev::Order order, dev::Scope scope,
                  SiteId site) {
    const auto address = reinterpret_cast<std::uintptr_t>(pointer);
    const bool writes = operation != Atomic::load, plain_store = operation == Atomic::store;
    const bool in_arena = address - kGlobalBase < kGlobalBytes || address - kSharedBase < kSharedStride;
    if (in_arena && !plain_store && operation != Atomic::exchange) {
        detector().check_initialised(address, bytes, Access::atomic_read, site);
    }
    const ThreadClock& thread = detector().thread(current->linear);
    const bool releases = order == dev::Order::release || order == dev::Order::acquire_release;
    const bool announces = releases || (address >= kSharedBase ? thread.fence_block : thread.fence_device) != nullptr;
    std::uint32_t flags = scope == dev::Scope::block && address < kSharedBase ? kBlockScope : 0u;
    if (writes && !plain_store) flags |= kUpdate;
    if (announces) flags |= kAnnounces;
    if (!detector().check(address, bytes, writes ? Access::atomic_write : Access::atomic_read, site, flags, 0))
        return false;
    order_by_atomic(address, !plain_store, writes, plain_store, order, scope);
    return true;
}

bool check_access(std::uintptr_t address, unsigned bytes, Access access, SiteId site) {
    if (active_options.count) count_access(*worker, address, bytes, access, site);
    return detector().check(address, bytes, access, site, 0, 0);
}

// --- cp.async
// -----------------------------------------------------------------------------------------------------------

bool issue_copy(Worker& w, AsyncCopy& copy, SiteId site) {
    Detector& d = detector();
    ThreadClock& thread = d.thread(current->linear);
    if (!check_copy_alignment(copy, site)) return true;
    const auto target = reinterpret_cast<std::uintptr_t>(copy.shared),
               source = reinterpret_cast<std::uintptr_t>(copy.global);
    count_access(w, source, copy.source_bytes, Access::async_read, site);
    count_access(w, target, copy.bytes, Access::async_write, site);
    if (!options().parts.async_agents) {
        return (copy.source_bytes == 0 || d.check(source, copy.source_bytes, Access::read, site, 0, 0)) &&
               d.check(target, copy.bytes, Access::write, site, 0, 0);
    }
    copy.epoch = d.tick();
    if (copy.source_bytes != 0 && !d.check(source, copy.source_bytes, Access::async_read, site, 0, copy.epoch))
        return false;
    if (!d.check(target, copy.bytes, Access::async_write, site, 0, copy.epoch)) return false;
    thread.epoch = d.tick();  // what the thread does from here on is not before the copy
    return true;
}

void copy_waited_for(Worker&, const AsyncCopy& copy) {
    ThreadClock& thread = detector().thread(current->linear);
    thread.async_done = std::max(thread.async_done, copy.epoch);
}

// --- blocks and memory
// --------------------------------------------------------------------------------------------------

void begin_block(Worker& w, std::uint64_t linear_block) {
    if (!w.checked()) return;
    Detector& d = detector();
    d.block_number_ = static_cast<std::uint32_t>(linear_block);
    d.block_start_ = ++d.now_;
    d.base_ = d.block_start_ - 1;
    const Epoch epoch = ++d.now_;
    d.threads_.assign(w.fiber_count(), {});
    for (unsigned t = 0; t < w.fiber_count(); ++t) {
        d.threads_[t].id = d.block_number_ * d.padded_ + t;
        d.threads_[t].epoch = epoch;
    }
    std::memset(d.state_of(kSharedBase), kNowhere, kSharedStride);  // until the kernel takes it
    std::memset(w.block().shared, 0xff, w.launch()->shared_bytes);  // NaN in every float format
}

void on_shared_memory_taken(Worker& w, std::size_t begin, std::size_t end) {
    const auto shared = reinterpret_cast<std::uintptr_t>(w.block().shared);
    const std::size_t exists = options().parts.bounds ? end : w.launch()->shared_bytes;
    std::memset(detector().state_of(shared + begin), kFresh, exists - begin);
}

void end_block(Worker& w) {
    if (!w.checked()) return;
    flush_counters(w);
    std::erase_if(detector().variables_, [](const auto& entry) { return entry.first >= kSharedBase; });
}

void shared_array_made(const void* array, std::size_t bytes, unsigned element_bytes, const int* extents, int rank) {
    if (current == nullptr) return;
    SharedArray a{reinterpret_cast<std::uintptr_t>(array), element_bytes, bytes, element_bytes,
                  std::span(extents, static_cast<std::size_t>(rank))};
    for (const int extent : a.extents) a.bytes *= static_cast<std::size_t>(extent);
    if (options().parts.bounds) std::memset(detector().state_of(a.address + a.bytes), kRed, bytes - a.bytes);
    worker->block().arrays.push_back(a);
}

void on_allocate(std::uintptr_t address, std::size_t bytes) {
    if (!is_checked()) return;
    std::memset(detector().state_of(address), kFresh, bytes);
    std::memset(reinterpret_cast<void*>(address), 0xff, bytes);
}

void on_release(std::uintptr_t address, std::size_t bytes) {
    if (!is_checked()) return;
    detector().forget_cells(address, bytes);
    std::memset(detector().state_of(address), kFreed, bytes);
}

void on_reusable(std::uintptr_t address, std::size_t bytes) {
    if (is_checked()) std::memset(detector().state_of(address), kNowhere, bytes);
}

}  // namespace cambium::simt
