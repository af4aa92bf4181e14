// Races: what a read, a write or an atomic conflicts with in its cell, and what it leaves behind. An entry that is
// ordered before the newcomer may be replaced by it, since whoever is ordered after the newcomer is ordered after both
// (FastTrack).
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "kernels/simt/state.h"

namespace cambium::simt {

bool Detector::conflicts(const Entry& entry, const Actor& actor, bool shared) const {
    if (entry.epoch == 0 || (shared && entry.epoch < block_start_)) return false;
    return !ordered(entry, actor.thread);
}

const Entry* Detector::conflicting(std::uint32_t set, const Actor& actor, bool shared, bool writers_only) {
    if (set == 0) return nullptr;
    EntrySet& s = sets_[set];
    for (const auto* list : {&s.recent, &s.old}) {
        for (const Entry& entry : *list) {
            if (writers_only && (entry.site & kLoadOnly) != 0) continue;
            if (conflicts(entry, actor, shared)) return &entry;
        }
    }
    return nullptr;
}

void Detector::add_to_set(std::uint32_t index, const Entry& entry) {
    constexpr std::size_t kOld = 8;
    EntrySet& set = sets_[index];
    if (set.base != base_) {  // a new phase: of each earlier block keep the last entry
        for (const Entry& e : set.recent) {
            if (e.epoch >= block_start_ && (e.epoch > base_ || (e.agent & kAsyncAgent) != 0)) {
                set.old.push_back(e);
                continue;
            }
            const auto same = std::find_if(set.old.begin(), set.old.end(), [&](const Entry& o) {
                return o.epoch >= launch_start_ && e.epoch >= launch_start_ && block_of(o.agent) == block_of(e.agent) &&
                       (o.agent & kAsyncAgent) == (e.agent & kAsyncAgent);
            });
            if (same == set.old.end()) {
                if (set.old.size() >= kOld) set.old.erase(set.old.begin() + 1);
                set.old.push_back(e);
            } else if (same->epoch < e.epoch) {
                *same = e;
            }
        }
        set.recent.clear();
        set.base = base_;
        std::erase_if(set.old, [&](const Entry& e) { return e.epoch < everything_before_; });
    }
    const auto at = std::lower_bound(set.recent.begin(), set.recent.end(), entry.agent,
                                     [](const Entry& e, AgentId agent) { return e.agent < agent; });
    if (at != set.recent.end() && at->agent == entry.agent) {
        *at = entry;
    } else {
        set.recent.insert(at, entry);
    }
}

void Detector::drop_sets(Cell& cell) {
    for (std::uint32_t* index : {&cell.read_set, &cell.atomic_set}) {
        if (*index == 0) continue;
        EntrySet& set = sets_[*index];
        set.recent.clear();
        set.old.clear();
        set.owner = nullptr;
        sets_.give_back(*index);
        *index = 0;
    }
}

void Detector::record_read(Cell& cell, const Actor& actor, bool shared) {
    const Entry mine{actor.agent, actor.epoch, actor.site};
    if (cell.read_set != 0) {
        add_to_set(cell.read_set, mine);
        return;
    }
    for (Entry& slot : cell.reads) {
        if (slot.epoch == 0 || slot.agent == mine.agent || !conflicts(slot, actor, shared)) {
            slot = mine;
            return;
        }
    }
    if (!active_options.parts.read_sets) {
        cell.reads[1] = mine;
        return;
    }
    cell.read_set = sets_.take();
    EntrySet& set = sets_[cell.read_set];
    set.base = base_;
    set.owner = &cell;
    for (const Entry& e : cell.reads) add_to_set(cell.read_set, e);
    add_to_set(cell.read_set, mine);
}

bool Detector::touch_read(Cell& cell, const Actor& actor, bool shared, Conflict& conflict) {
    bool bad = false;
    if (conflicts(cell.write, actor, shared)) {
        conflict = {cell.write, true, false};
        bad = true;
    } else if ((cell.atomic.site & kLoadOnly) == 0 && conflicts(cell.atomic, actor, shared)) {
        conflict = {cell.atomic, true, true};
        bad = true;
    } else if (const Entry* other = conflicting(cell.atomic_set, actor, shared, true)) {
        conflict = {*other, true, true};
        bad = true;
    }
    record_read(cell, actor, shared);
    return bad;
}

bool Detector::touch_write(Cell& cell, const Actor& actor, bool shared, Conflict& conflict) {
    bool bad = true;
    const Entry* other = nullptr;
    if (conflicts(cell.write, actor, shared)) {
        conflict = {cell.write, true, false};
    } else if (conflicts(cell.reads[0], actor, shared)) {
        conflict = {cell.reads[0], false, false};
    } else if (conflicts(cell.reads[1], actor, shared)) {
        conflict = {cell.reads[1], false, false};
    } else if ((other = conflicting(cell.read_set, actor, shared, false)) != nullptr) {
        conflict = {*other, false, false};
    } else if (conflicts(cell.atomic, actor, shared)) {
        conflict = {cell.atomic, (cell.atomic.site & kLoadOnly) == 0, true};
    } else if ((other = conflicting(cell.atomic_set, actor, shared, false)) != nullptr) {
        conflict = {*other, (other->site & kLoadOnly) == 0, true};
    } else {
        bad = false;
    }
    drop_sets(cell);
    cell.write = {actor.agent, actor.epoch, actor.site};
    cell.reads[0] = cell.reads[1] = cell.atomic = {};
    return bad;
}

// A chain of atomic updates: whoever comes after the last in the chain comes after them all, without a fence (PTX,
// Memory Consistency Model, "Causality order", rule 2), so the last stands for the earlier. That is what allows the
// last block to arrive to set the counter back by a plain store. The manual asks for no fence at all; here only a chain
// whose threads announce something counts, else a plain read that merely happened to run last would go unreported.
void Detector::forget_observed(Cell& cell, const Actor& actor) {
    constexpr std::uint32_t kWanted = kUpdate | kAnnounces;
    const auto observed = [](const Entry& entry) { return (entry.site & (kWanted | kBlockScope)) == kWanted; };
    if ((actor.site & (kUpdate | kBlockScope)) != kUpdate || !active_options.parts.fences) return;
    if (observed(cell.atomic)) cell.atomic = {};
    if (cell.atomic_set == 0) return;
    EntrySet& set = sets_[cell.atomic_set];
    std::erase_if(set.recent, observed);
    std::erase_if(set.old, observed);
}

bool Detector::touch_atomic(Cell& cell, const Actor& actor, bool writes, bool shared, Conflict& conflict) {
    bool bad = true;
    const Entry* other = nullptr;
    const bool narrow = (actor.site & kBlockScope) != 0 || (cell.atomic.site & kBlockScope) != 0;
    if (conflicts(cell.write, actor, shared)) {
        conflict = {cell.write, true, false};
    } else if (writes && conflicts(cell.reads[0], actor, shared)) {
        conflict = {cell.reads[0], false, false};
    } else if (writes && conflicts(cell.reads[1], actor, shared)) {
        conflict = {cell.reads[1], false, false};
    } else if (writes && (other = conflicting(cell.read_set, actor, shared, false)) != nullptr) {
        conflict = {*other, false, false};
    } else if (narrow && active_options.parts.scopes && !shared && conflicts(cell.atomic, actor, shared) &&
               cell.atomic.epoch < block_start_) {
        conflict = {cell.atomic, true, true};  // both atomic, but one of them only within its block
    } else {
        bad = false;
    }
    forget_observed(cell, actor);
    const Entry mine{actor.agent, actor.epoch, actor.site | (writes ? 0u : kLoadOnly)};
    if (!active_options.parts.atomics_apart) {
        drop_sets(cell);
        cell.write = {};
        cell.reads[0] = cell.reads[1] = {};
        cell.atomic = mine;
        return bad;
    }
    if (cell.atomic_set == 0 && conflicts(cell.atomic, actor, shared) && cell.atomic.agent != actor.agent) {
        cell.atomic_set = sets_.take();
        sets_[cell.atomic_set].base = base_;
        sets_[cell.atomic_set].owner = &cell;
        add_to_set(cell.atomic_set, cell.atomic);
    }
    if (cell.atomic_set != 0) add_to_set(cell.atomic_set, mine);
    cell.atomic = mine;
    return bad;
}

// The same thread has done the same since anything it knows has changed, and nobody else came between.
bool Detector::is_same_again(const Cell& cell, const Actor& actor, Access access) const {
    if (access == Access::read) return cell.reads[0].agent == actor.agent && cell.reads[0].epoch == actor.epoch;
    if (access != Access::write) return false;
    return cell.write.agent == actor.agent && cell.write.epoch == actor.epoch && cell.reads[0].epoch == 0 &&
           cell.atomic.epoch == 0;
}

bool Detector::touch(Cell& cell, const Actor& actor, Access access, bool shared, Conflict& conflict) {
    if (is_same_again(cell, actor, access)) return false;
    switch (access) {
        case Access::read:
        case Access::async_read:
            return touch_read(cell, actor, shared, conflict);
        case Access::write:
        case Access::async_write:
            return touch_write(cell, actor, shared, conflict);
        case Access::atomic_read:
            return touch_atomic(cell, actor, false, shared, conflict);
        case Access::atomic_write:
            return touch_atomic(cell, actor, true, shared, conflict);
    }
    return false;
}

SplitCell& Detector::split(Cell& cell) {
    if (cell.split != 0) return splits_[cell.split];
    const std::uint32_t index = splits_.take();
    SplitCell& s = splits_[index];
    s.owner = &cell;
    for (Cell& byte : s.bytes) {
        byte = cell;
        for (std::uint32_t* set : {&byte.read_set, &byte.atomic_set}) {
            if (*set == 0) continue;
            const std::uint32_t copy = sets_.take();
            sets_[copy] = sets_[*set];
            sets_[copy].owner = &cell;
            *set = copy;
        }
    }
    drop_sets(cell);
    cell = {};
    cell.split = index;
    return s;
}

void Detector::merge(Cell& cell) {
    SplitCell& s = splits_[cell.split];
    for (Cell& byte : s.bytes) drop_sets(byte);
    const Cell whole = s.bytes[0];  // all four were just written by the same access
    s.owner = nullptr;
    splits_.give_back(cell.split);
    cell = whole;
    cell.split = 0;
}

// False: a race, reported.
bool Detector::check_races(std::uintptr_t address, unsigned bytes, const Actor& actor, Access access, bool shared) {
    Conflict conflict;
    std::uintptr_t where = 0;
    const std::uintptr_t end = address + bytes;
    for (std::uintptr_t word = address & ~std::uintptr_t{3}; word < end; word += 4) {
        Cell& cell = *cell_of(word);
        const bool whole = word >= address && word + 4 <= end;
        if ((whole && cell.split == 0) || !active_options.parts.byte_masks) {
            if (touch(cell, actor, access, shared, conflict) && where == 0) where = std::max(word, address);
            continue;
        }
        SplitCell& s = split(cell);
        for (std::uintptr_t byte = std::max(word, address); byte < std::min(word + 4, end); ++byte) {
            if (touch(s.bytes[byte & 3], actor, access, shared, conflict) && where == 0) where = byte;
        }
        if (whole && (access == Access::write || access == Access::async_write)) merge(cell);
    }
    if (where == 0) return true;
    report_race(where, bytes, actor, access, conflict);
    return false;
}

void Detector::forget_cells(std::uintptr_t address, std::size_t bytes) {
    Cell* const first = cell_of(address);
    Cell* const last = cell_of(address + bytes + 3);
    for (std::uint32_t i = 0; i < splits_.all().size(); ++i) {
        SplitCell& s = splits_[i + 1];
        if (s.owner == nullptr || s.owner < first || s.owner >= last) continue;
        for (Cell& byte : s.bytes) drop_sets(byte);
        s.owner = nullptr;
        splits_.give_back(i + 1);
    }
    for (std::uint32_t i = 0; i < sets_.all().size(); ++i) {
        EntrySet& set = sets_[i + 1];
        if (set.owner == nullptr || set.owner < first || set.owner >= last) continue;
        set.recent.clear();
        set.old.clear();
        set.owner = nullptr;
        sets_.give_back(i + 1);
    }
    constexpr std::uintptr_t kPage = 4096;
    const auto low = reinterpret_cast<std::uintptr_t>(first), high = reinterpret_cast<std::uintptr_t>(last);
    const std::uintptr_t page = (low + kPage - 1) / kPage * kPage, page_end = high / kPage * kPage;
    if (page >= page_end) {
        std::fill(first, last, Cell{});
        return;
    }
    std::fill(first, reinterpret_cast<Cell*>(page), Cell{});
    std::fill(reinterpret_cast<Cell*>(page_end), last, Cell{});
    madvise(reinterpret_cast<void*>(page), page_end - page, MADV_DONTNEED);
}

bool Detector::check(std::uintptr_t address, unsigned bytes, Access access, SiteId site, std::uint32_t flags,
                     Epoch async_epoch) {
    ++accesses_;
    if (address - kStackBase < kWorkerStacks) {
        const Fiber& fiber = *current;
        if (address - fiber.stack_low < kStackBytes || !active_options.parts.local_memory) return true;
        return check_elsewhere(address, bytes, access, site);
    }
    const bool shared = address - kSharedBase < kSharedStride;
    if (!shared && address - kGlobalBase >= kGlobalBytes) return check_elsewhere(address, bytes, access, site);
    const std::uint8_t* state = state_of(address);
    bool ready = true;  // the common case: every byte exists and has been written
    if (bytes == 4) {
        std::uint32_t four;
        std::memcpy(&four, state, 4);
        ready = four == kReady * 0x01010101u;
    } else {
        for (unsigned i = 0; i < bytes; ++i) ready = ready && state[i] == kReady;
    }
    if (!ready && !check_bounds(address, bytes, access, site)) return true;
    const Parts& parts = active_options.parts;
    bool race_free = true;
    if (parts.races) {
        const ThreadClock& thread = threads_[current->linear];
        const bool async = access == Access::async_read || access == Access::async_write;
        const Actor actor{thread, async ? thread.id | kAsyncAgent : thread.id, async ? async_epoch : thread.epoch,
                          site | flags};
        race_free = check_races(address, bytes, actor, access, shared);
    }
    const bool reads = access == Access::read || access == Access::async_read || access == Access::atomic_read;
    if (!ready && reads && race_free) check_initialised(address, bytes, access, site);
    if (!reads && !shared && parts.read_only && !read_only_.empty()) check_declared(address, bytes, access, site);
    if (!ready && !reads) std::memset(state_of(address), kReady, bytes);
    return true;
}

void Detector::check_copy(std::uintptr_t address, std::size_t bytes, bool write, SiteId site) {
    if (!active_options.parts.races || !in_operation_) return;
    const Actor actor{copier_, copier_.id, copier_.epoch, site};
    constexpr unsigned kChunk = 1 << 20;
    for (std::size_t done = 0; done < bytes; done += kChunk) {
        const unsigned part = static_cast<unsigned>(std::min<std::size_t>(kChunk, bytes - done));
        check_races(address + done, part, actor, write ? Access::write : Access::read, false);
    }
}

}  // namespace cambium::simt
