// What is wrong where threads meet, in words: divergent barriers, masks, warp instructions, deadlocks, registers.
#include <fmt/core.h>

#include <bit>
#include <cstring>
#include <map>

#include "kernels/simt/report_log.h"
#include "kernels/simt/state.h"

namespace cambium::simt {
namespace {

void report(Kind kind, SiteId site, std::string action, std::optional<Party> second, SiteId second_site,
            std::string detail, std::string advice) {
    if (is_repeated(kind, site, second_site)) return;
    add_report({.kind = kind,
                .first_site = site,
                .second_site = second_site,
                .first = party_of(*current, std::move(action), site),
                .second = std::move(second),
                .object = "",
                .detail = std::move(detail),
                .advice = std::move(advice)});
}

}  // namespace

void check_block_barrier(Worker& w, Barrier& barrier, SiteId site) {
    if (!options().parts.barriers) return;
    Block& block = w.block();
    if (options().exit_counts && block.live != block.threads && !block.told_exit) {
        block.told_exit = true;
        report(
            Kind::exit_before_barrier, site, "__syncthreads", std::nullopt, kNoSite,
            fmt::format("{} of the block's {} threads had already exited", block.threads - block.live, block.threads),
            "let every thread reach every barrier: guard the work, not the barrier");
    }
    if (barrier.arrived != 0 && barrier.site != site && !block.told_divergence) {
        block.told_divergence = true;
        const Fiber& other = w.fiber(barrier.site_thread);
        report(Kind::divergent_barrier, site, "__syncthreads", party_of(other, "__syncthreads", barrier.site),
               barrier.site, "threads of one block wait at different barriers",
               "all threads of a block must reach the same __syncthreads: move it out of the condition");
    }
}

void report_exit_before_barrier(Worker& w, const Fiber& fiber, const Barrier& barrier) {
    Block& block = w.block();
    if (!options().parts.barriers || !options().exit_counts || block.told_exit) return;
    block.told_exit = true;
    if (is_repeated(Kind::exit_before_barrier, barrier.site)) return;
    const Fiber& waiting = w.fiber(barrier.site_thread);
    Party leaver = party_of(fiber, "exit", kNoSite);
    add_report({.kind = Kind::exit_before_barrier,
                .first_site = barrier.site,
                .first = party_of(waiting, "__syncthreads", barrier.site),
                .second = std::move(leaver),
                .object = "",
                .detail = fmt::format("a thread exits while {} of the block's {} threads wait", barrier.arrived,
                                      block.threads),
                .advice = "let every thread reach every barrier: guard the work, not the barrier"});
}

void report_invalid_barrier(unsigned id, unsigned threads, SiteId site) {
    report(Kind::deadlock, site, "barrier", std::nullopt, kNoSite,
           fmt::format("barrier {} for {} threads: there are 16 barriers, and the count is a multiple of 32 up to 1024",
                       id, threads),
           "round the count up to whole warps");
}

void report_barrier_counts(const Barrier& barrier, unsigned id, unsigned threads, SiteId site) {
    report(Kind::divergent_barrier, site, "barrier",
           party_of(worker->fiber(barrier.site_thread), "barrier", barrier.site), barrier.site,
           fmt::format("barrier {} is expected by {} threads here and by {} there", id, threads, barrier.expected),
           "use the same count wherever a barrier is used in one phase");
}

// The mask as it can be met: without lanes that have exited, and with the caller where the caller left itself out.
std::uint32_t check_mask(Worker& w, std::uint32_t mask, const char* operation, SiteId site) {
    const Fiber& fiber = *current;
    if (!options().parts.masks) return mask | 1u << fiber.lane;
    if ((mask >> fiber.lane & 1u) == 0) {
        report(Kind::wrong_mask, site, operation, std::nullopt, kNoSite,
               fmt::format("lane {} is not in its own mask {:#010x}", fiber.lane, mask),
               "a lane may call a *_sync operation only with a mask that names it");
        return 0;
    }
    const std::uint32_t exited = mask & w.block().exited[fiber.warp];
    if (exited != 0 && options().exit_counts) {
        report(Kind::wrong_mask, site, operation, std::nullopt, kNoSite,
               fmt::format("the mask {:#010x} names lanes {:#010x} that have exited", mask, exited),
               "keep every lane of the mask alive until the last *_sync operation");
    }
    const Collective* const slots = w.collectives(fiber.warp);
    for (unsigned i = 0; i < 4; ++i) {
        const Collective& slot = slots[i];
        // Different masks are no fault in themselves: a part of the warp may meet while the others wait for it. But two
        // lanes that each wait for the other never will.
        const bool waits_for_us = (slot.mask >> fiber.lane & 1u) != 0, awaited = (slot.arrived & mask) != 0;
        if (!waits_for_us || !awaited || slot.mask == (mask & ~exited)) continue;
        const Fiber& other = w.fiber(fiber.warp * kWarp + static_cast<unsigned>(std::countr_zero(slot.arrived)));
        report(
            Kind::wrong_mask, site, operation, party_of(other, slot.operation, slot.site), slot.site,
            fmt::format("lanes that wait for each other name different masks, {:#010x} and {:#010x}", mask, slot.mask),
            "all lanes that take part give the same mask, and it names exactly them");
    }
    return mask & ~exited;
}

void check_same_instruction(Worker& w, const Collective& slot, const char* operation, bool aligned, SiteId site) {
    if (!options().parts.masks) return;
    const bool same_operation = std::strcmp(slot.operation, operation) == 0;
    if (same_operation && (!aligned || slot.site == site)) return;
    const Fiber& other = w.fiber(current->warp * kWarp + static_cast<unsigned>(std::countr_zero(slot.arrived)));
    report(Kind::divergent_instruction, site, operation, party_of(other, slot.operation, slot.site), slot.site,
           same_operation ? "an .aligned instruction is executed at two places by lanes of one warp"
                          : "lanes of one warp meet in different instructions",
           "let the whole warp execute one instruction: move it out of the condition");
}

void report_exited_lane(Worker&, const Fiber& fiber, const Collective& slot) {
    if (!options().parts.masks || !options().exit_counts) return;
    if (is_repeated(Kind::wrong_mask, slot.site)) return;
    const Fiber& waiting = worker->fiber(fiber.warp * kWarp + static_cast<unsigned>(std::countr_zero(slot.arrived)));
    add_report({.kind = Kind::wrong_mask,
                .first_site = slot.site,
                .first = party_of(waiting, slot.operation, slot.site),
                .second = party_of(fiber, "exit", kNoSite),
                .object = "",
                .detail = fmt::format("the mask {:#010x} names lane {}, which exits without taking part", slot.mask,
                                      fiber.lane),
                .advice = "keep every lane of the mask alive until the last *_sync operation"});
}

void report_shuffle_source(Worker& w, unsigned lane, unsigned source, std::uint32_t lanes, SiteId site) {
    if (!options().parts.masks || is_repeated(Kind::wrong_mask, site)) return;
    const Fiber& reader = w.fiber(current->warp * kWarp + lane);
    add_report(
        {.kind = Kind::wrong_mask,
         .first_site = site,
         .first = party_of(reader, "shuffle", site),
         .second = std::nullopt,
         .object = "",
         .detail = fmt::format("lane {} reads from lane {}, which takes no part (mask {:#010x})", lane, source, lanes),
         .advice = "read only from lanes in the mask; what another lane holds is undefined"});
}

namespace {

// "5", "0 to 7", "0, 32, 64 ... 224"
std::string list_of(const std::vector<unsigned>& threads) {
    if (threads.size() == 1) return std::to_string(threads[0]);
    if (threads.back() - threads.front() == threads.size() - 1) {
        return fmt::format("{} to {}", threads.front(), threads.back());
    }
    std::string text;
    for (std::size_t i = 0; i < std::min<std::size_t>(3, threads.size()); ++i) {
        text += fmt::format("{}{}", i == 0 ? "" : ", ", threads[i]);
    }
    return threads.size() > 3 ? fmt::format("{} ... {}", text, threads.back()) : text;
}

// Lanes wait in an operation whose mask names others of their warp, which wait elsewhere.
bool report_lanes_elsewhere(Worker& w) {
    if (!options().parts.masks) return false;
    for (unsigned warp = 0; warp < w.block().warps; ++warp) {
        for (unsigned i = 0; i < 4; ++i) {
            const Collective& slot = w.collectives(warp)[i];
            const std::uint32_t missing = slot.mask & ~slot.arrived;
            if (slot.arrived == 0 || slot.aligned || missing == 0) continue;
            const Fiber& here = w.fiber(warp * kWarp + static_cast<unsigned>(std::countr_zero(slot.arrived)));
            const Fiber& there = w.fiber(warp * kWarp + static_cast<unsigned>(std::countr_zero(missing)));
            if (there.state != State::barrier && there.state != State::collective) continue;
            if (is_repeated(Kind::wrong_mask, slot.site, there.site)) return true;
            const Place place = place_of(there.site);
            add_report({.kind = Kind::wrong_mask,
                        .first_site = slot.site,
                        .second_site = there.site,
                        .first = party_of(here, slot.operation, slot.site),
                        .second = party_of(there, there.operation, there.site),
                        .object = "",
                        .detail = fmt::format("the mask {:#010x} names lanes {:#010x}, which do not take part: they "
                                              "wait in {} at {}:{}",
                                              slot.mask, missing, there.operation, place.file, place.line),
                        .advice = "move the operation out of the condition, or name only the lanes that enter it: "
                                  "__ballot_sync(0xffffffff, condition) before the branch"});
            return true;
        }
    }
    return false;
}

}  // namespace

void report_deadlock(Worker& w) {
    if (report_lanes_elsewhere(w)) return;
    struct Group {
        State state;
        const char* operation;
        SiteId site;
        bool operator<(const Group& o) const { return std::tie(state, site) < std::tie(o.state, o.site); }
    };
    std::map<Group, std::vector<unsigned>> groups;
    for (unsigned t = 0; t < w.fiber_count(); ++t) {
        const Fiber& fiber = w.fiber(t);
        if (fiber.state == State::ready) continue;
        const bool done = fiber.state == State::done;
        groups[{fiber.state, done ? "exited" : fiber.operation, done ? kNoSite : fiber.site}].push_back(t);
    }
    std::string detail = "no thread can go on:";
    const Fiber* blamed[2] = {nullptr, nullptr};
    for (const auto& [group, members] : groups) {
        const Place place = place_of(group.site);
        detail += fmt::format(
            "\n  {} thread{} ({}) {}", members.size(), members.size() == 1 ? "" : "s", list_of(members),
            group.state == State::done ? "exited"
                                       : fmt::format("wait in {} at {}:{}", group.operation, place.file, place.line));
        if (group.state == State::done) continue;
        if (blamed[0] == nullptr) {
            blamed[0] = &w.fiber(members.front());
        } else if (blamed[1] == nullptr) {
            blamed[1] = &w.fiber(members.front());
        }
    }
    if (blamed[0] == nullptr || is_repeated(Kind::deadlock, blamed[0]->site)) return;
    Finding finding{
        .kind = Kind::deadlock,
        .first_site = blamed[0]->site,
        .first = party_of(*blamed[0], blamed[0]->operation, blamed[0]->site),
        .second = std::nullopt,
        .object = "",
        .detail = std::move(detail),
        .advice = "every thread must reach what the others wait for; blocks must not wait for later blocks"};
    if (blamed[1] != nullptr) {
        finding.second = party_of(*blamed[1], blamed[1]->operation, blamed[1]->site);
        finding.second_site = blamed[1]->site;
    }
    add_report(std::move(finding));
}

// --- registers
// ----------------------------------------------------------------------------------------------------------

namespace {

void report_poison(const char* operation, SiteId site) {
    report(Kind::uninitialised_register, site, operation, std::nullopt, kNoSite,
           "a register that nobody has written reaches the instruction",
           "initialise the variable where it is declared");
}

}  // namespace

void check_register(std::uint64_t bits, unsigned bytes, const char* operation, SiteId site) {
    if (!options().parts.register_poison) return;
    constexpr std::uint64_t kPoison = 0xfefefefefefefefe;  // -ftrivial-auto-var-init=pattern
    const std::uint64_t wanted = bytes == 4 ? kPoison & 0xffffffffu : kPoison;
    if (bits == wanted) report_poison(operation, site);
}

void check_fragments(const MmaTile& tile, SiteId site) {
    if (!options().parts.register_poison) return;
    const auto poisoned = [&](std::uint32_t bits) {
        if (tile.type == MmaType::tf32) return bits == 0xfefefefeu;
        return (bits & 0xffffu) == 0xfefeu || bits >> 16 == 0xfefeu;
    };
    bool bad = false;
    for (int i = 0; i < 4 * tile.mi; ++i) bad |= poisoned(tile.a[i]);
    for (int i = 0; i < 2 * tile.nj; ++i) bad |= poisoned(tile.b[i]);
    for (int i = 0; i < 4 * tile.mi * tile.nj; ++i) {
        std::uint32_t bits;
        std::memcpy(&bits, &tile.c[i], sizeof bits);
        bad |= bits == 0xfefefefeu;
    }
    if (bad) report_poison("mma", site);
}

}  // namespace cambium::simt
