// Where threads of a block meet: barriers, warp operations. The last to arrive does the work and makes the others
// ready.
#include <bit>

#include "kernels/simt/detector.h"
#include "kernels/simt/runtime.h"

namespace cambium::simt {

uint3 thread_index() noexcept { return current->thread; }
uint3 block_index() noexcept { return current->block; }
dim3 block_dimensions() noexcept { return worker->launch()->block; }
dim3 grid_dimensions() noexcept { return worker->launch()->grid; }
unsigned thread_rank() noexcept { return current->linear; }

// --- barriers
// ---------------------------------------------------------------------------------------------------------

void complete_barrier(Worker& w, Barrier& barrier) {
    switch (barrier.reduction) {
        case Reduction::none:
            break;
        case Reduction::count:
            barrier.result = barrier.count;
            break;
        case Reduction::conjunction:
            barrier.result = barrier.count == static_cast<int>(barrier.arrived) ? 1 : 0;
            break;
        case Reduction::disjunction:
            barrier.result = barrier.count > 0 ? 1 : 0;
            break;
    }
    if (w.checked()) on_barrier(w, barrier);
    for (unsigned warp = 0; warp < w.block().warps; ++warp) {
        w.make_ready(warp, barrier.waiting[warp]);
        barrier.waiting[warp] = barrier.arrived_only[warp] = 0;
    }
    barrier.arrived = 0;
    barrier.count = 0;
    barrier.whole = false;
    barrier.site = kNoSite;
    w.progress();
}

int block_barrier(Reduction reduction, bool predicate, dev::Site where) {
    Worker& w = *worker;
    Fiber& fiber = *current;
    Block& block = w.block();
    Barrier& barrier = block.barriers[0];
    const SiteId site = site_of(where);
    if (w.checked()) {
        count_instruction(w, "barrier", site);
        check_block_barrier(w, barrier, site);
    }
    if (barrier.arrived == 0) {
        barrier.site = site;
        barrier.site_thread = fiber.linear;
    }
    barrier.whole = true;
    barrier.reduction = reduction;
    barrier.waiting[fiber.warp] |= 1u << fiber.lane;
    barrier.count += predicate ? 1 : 0;
    if (++barrier.arrived >= block.live) {
        complete_barrier(w, barrier);
    } else {
        w.wait(State::barrier, "__syncthreads", site);
    }
    return barrier.result;
}

void named_barrier(unsigned id, unsigned threads, bool wait, dev::Site where) {
    Worker& w = *worker;
    Fiber& fiber = *current;
    const SiteId site = site_of(where);
    if (id >= kBarriers || threads == 0 || threads % kWarp != 0 || threads > kMaxThreads) {
        report_invalid_barrier(id, threads, site);
        w.abandon();
    }
    if (w.checked()) count_instruction(w, "barrier", site);
    Barrier& barrier = w.block().barriers[id];
    if (barrier.arrived == 0) barrier.expected = threads;
    if (w.checked() && barrier.expected != threads) report_barrier_counts(barrier, id, threads, site);
    if (barrier.arrived == 0) {
        barrier.site = site;
        barrier.site_thread = fiber.linear;
    }
    (wait ? barrier.waiting : barrier.arrived_only)[fiber.warp] |= 1u << fiber.lane;
    if (++barrier.arrived >= barrier.expected) {
        complete_barrier(w, barrier);
    } else if (wait) {
        w.wait(State::barrier, "barrier_sync", site);
    }
}

// --- warp operations
// --------------------------------------------------------------------------------------------------

namespace {

// Lanes that the block does not have (its size is no multiple of 32) take part in nothing and are nobody's fault.
std::uint32_t existing_lanes(const Worker& w, unsigned warp) {
    const unsigned threads = w.fiber_count() - warp * kWarp;
    return threads >= kWarp ? 0xffffffffu : (1u << threads) - 1u;
}

Collective& find_collective(Worker& w, unsigned warp, unsigned mask) {
    Collective* const slots = w.collectives(warp);
    Collective* unused = nullptr;
    for (unsigned i = 0; i < 4; ++i) {
        if (slots[i].arrived != 0 && slots[i].mask == mask) return slots[i];
        if (slots[i].arrived == 0 && unused == nullptr) unused = &slots[i];
    }
    if (unused == nullptr) {
        report_deadlock(w);
        w.abandon();
    }
    return *unused;
}

}  // namespace

bool meet(unsigned mask, const char* operation, bool aligned, void* argument, void (*complete)(void**, unsigned),
          SiteId site) {
    Worker& w = *worker;
    Fiber& fiber = *current;
    mask &= existing_lanes(w, fiber.warp);
    mask = w.checked() ? check_mask(w, mask, operation, site) : mask & ~w.block().exited[fiber.warp];
    if ((mask >> fiber.lane & 1u) == 0) return false;
    Collective& slot = find_collective(w, fiber.warp, mask);
    if (slot.arrived == 0) {
        slot.mask = mask;
        slot.operation = operation;
        slot.aligned = aligned;
        slot.site = site;
    } else if (w.checked()) {
        check_same_instruction(w, slot, operation, aligned, site);
    }
    slot.arrived |= 1u << fiber.lane;
    slot.argument[fiber.lane] = argument;
    if (slot.arrived != mask) {
        w.wait(State::collective, operation, site);
        return true;
    }
    if (complete != nullptr) complete(slot.argument.data(), mask);
    slot.arrived = 0;
    w.make_ready(fiber.warp, mask);
    w.progress();
    return true;
}

void thread_exited(Worker& w, Fiber& fiber) {
    Block& block = w.block();
    block.exited[fiber.warp] |= 1u << fiber.lane;
    Barrier& barrier = block.barriers[0];
    if (barrier.whole && barrier.arrived != 0) {
        if (w.checked()) report_exit_before_barrier(w, fiber, barrier);
        if (barrier.arrived == block.live) complete_barrier(w, barrier);  // since sm_70 exited threads no longer count
    }
    Collective* const slots = w.collectives(fiber.warp);
    for (unsigned i = 0; i < 4; ++i) {
        Collective& slot = slots[i];
        if (slot.arrived == 0 || (slot.mask >> fiber.lane & 1u) == 0) continue;
        if (w.checked()) report_exited_lane(w, fiber, slot);
        slot.mask &= ~(1u << fiber.lane);
        // The waiting lanes go on without the operation's effect: whatever they read from this lane is undefined
        // anyway.
        if (slot.arrived == slot.mask) {
            w.make_ready(fiber.warp, slot.arrived);
            slot.arrived = 0;
        }
    }
}

void warp_barrier(unsigned mask, dev::Site where) {
    struct Argument {
        Worker* w;
        unsigned warp;
    } argument{worker, current->warp};
    meet(
        mask, "__syncwarp", false, &argument,
        [](void** arguments, unsigned lanes) {
            const auto& a = *static_cast<Argument*>(arguments[std::countr_zero(lanes)]);
            if (a.w->checked()) on_warp_sync(*a.w, a.warp, lanes);
        },
        site_of(where));
}

namespace {

struct ShuffleArgument {
    std::uint64_t bits, result;
    int argument, width;
    Shuffle kind;
    SiteId site;
};

// The lane that `lane` reads, or its own where the source lies outside its sub-warp (Data Movement: shfl.sync,
// pseudocode).
int shuffle_source(const ShuffleArgument& a, int lane) {
    const int first = lane & ~(a.width - 1), last = first | (a.width - 1);
    int source = lane;
    switch (a.kind) {
        case Shuffle::index:
            source = first | (a.argument & (a.width - 1));
            break;
        case Shuffle::up:
            source = lane - a.argument;
            break;
        case Shuffle::down:
            source = lane + a.argument;
            break;
        case Shuffle::exclusive_or:
            source = lane ^ a.argument;
            break;
    }
    const bool inside = a.kind == Shuffle::up ? source >= first : source <= last;
    return inside && source >= 0 && source < static_cast<int>(kWarp) ? source : lane;
}

void complete_shuffle(void** arguments, unsigned lanes) {
    for (std::uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
        const int lane = std::countr_zero(rest);
        auto& a = *static_cast<ShuffleArgument*>(arguments[lane]);
        const int source = shuffle_source(a, lane);
        if ((lanes >> source & 1u) != 0) {
            a.result = static_cast<ShuffleArgument*>(arguments[source])->bits;
        } else if (worker->checked()) {
            report_shuffle_source(*worker, static_cast<unsigned>(lane), static_cast<unsigned>(source), lanes, a.site);
        }
    }
}

}  // namespace

std::uint64_t shuffle(Shuffle kind, unsigned mask, std::uint64_t bits, unsigned size, int argument, int width,
                      dev::Site where) {
    const SiteId site = site_of(where);
    if (worker->checked()) {
        count_instruction(*worker, "shuffle", site);
        check_register(bits, size, "shuffle", site);
    }
    ShuffleArgument a{bits, bits, argument, width, kind, site};
    meet(mask, "shuffle", false, &a, complete_shuffle, site);
    return a.result;
}

unsigned match(unsigned mask, std::uint64_t bits, dev::Site where) {
    struct Argument {
        std::uint64_t bits;
        unsigned lanes;
    } a{bits, 0};
    meet(
        mask, "match", false, &a,
        [](void** arguments, unsigned lanes) {
            const auto at = [&](unsigned lane) { return static_cast<Argument*>(arguments[lane]); };
            for (std::uint32_t i = lanes; i != 0; i &= i - 1) {
                Argument& mine = *at(static_cast<unsigned>(std::countr_zero(i)));
                for (std::uint32_t j = lanes; j != 0; j &= j - 1) {
                    const auto other = static_cast<unsigned>(std::countr_zero(j));
                    if (at(other)->bits == mine.bits) mine.lanes |= 1u << other;
                }
            }
        },
        site_of(where));
    return a.lanes;
}

namespace {

std::uint32_t combine(WarpReduction kind, bool is_signed, std::uint32_t a, std::uint32_t b) {
    const bool less = is_signed ? static_cast<std::int32_t>(a) < static_cast<std::int32_t>(b) : a < b;
    switch (kind) {
        case WarpReduction::add:
            return a + b;
        case WarpReduction::minimum:
            return less ? a : b;
        case WarpReduction::maximum:
            return less ? b : a;
        case WarpReduction::and_:
            return a & b;
        case WarpReduction::or_:
            return a | b;
        case WarpReduction::xor_:
            return a ^ b;
    }
    return a;
}

}  // namespace

std::uint32_t warp_reduce(WarpReduction kind, bool is_signed, unsigned mask, std::uint32_t bits, dev::Site where) {
    struct Argument {
        WarpReduction kind;
        bool is_signed;
        std::uint32_t bits;
    } a{kind, is_signed, bits};
    const SiteId site = site_of(where);
    if (worker->checked()) check_register(bits, 4, "redux", site);
    meet(
        mask, "redux", false, &a,
        [](void** arguments, unsigned lanes) {
            const auto at = [&](unsigned lane) { return static_cast<Argument*>(arguments[lane]); };
            const auto first = static_cast<unsigned>(std::countr_zero(lanes));
            std::uint32_t result = at(first)->bits;
            for (std::uint32_t rest = lanes & (lanes - 1); rest != 0; rest &= rest - 1) {
                const Argument& other = *at(static_cast<unsigned>(std::countr_zero(rest)));
                result = combine(other.kind, other.is_signed, result, other.bits);
            }
            for (std::uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
                at(static_cast<unsigned>(std::countr_zero(rest)))->bits = result;
            }
        },
        site);
    return a.bits;
}

unsigned active_lanes() { return 1u << current->lane; }
void sleep(dev::Site where) { worker->poll("a polling loop", site_of(where)); }

unsigned vote(Vote kind, unsigned mask, bool predicate, dev::Site where) {
    struct Argument {
        bool predicate;
        unsigned result;
    } a{predicate, 0};
    meet(
        mask, "vote", false, &a,
        [](void** arguments, unsigned lanes) {
            unsigned ballot = 0;
            for (unsigned lane = 0; lane < kWarp; ++lane) {
                if ((lanes >> lane & 1u) != 0 && static_cast<Argument*>(arguments[lane])->predicate)
                    ballot |= 1u << lane;
            }
            for (unsigned lane = 0; lane < kWarp; ++lane) {
                if ((lanes >> lane & 1u) != 0) static_cast<Argument*>(arguments[lane])->result = ballot;
            }
        },
        site_of(where));
    switch (kind) {
        case Vote::ballot:
            return a.result;
        case Vote::any:
            return a.result != 0 ? 1u : 0u;
        case Vote::all:
            return a.result == (mask & existing_lanes(*worker, current->warp)) ? 1u : 0u;
    }
    return 0;
}

}  // namespace cambium::simt
