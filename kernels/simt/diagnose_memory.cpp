// What is wrong with an access, in words: races, strays, uninitialised reads.
#include <fmt/core.h>

#include "kernels/simt/address.h"
#include "kernels/simt/memory.h"
#include "kernels/simt/report_log.h"
#include "kernels/simt/state.h"

namespace cambium::simt {

const char* verb(Access access) {
    switch (access) {
        case Access::read:
            return "read";
        case Access::write:
            return "write";
        case Access::atomic_read:
            return "atomic load";
        case Access::atomic_write:
            return "atomic";
        case Access::async_read:
            return "cp.async reading its source";
        case Access::async_write:
            return "cp.async writing its target";
    }
    return "access";
}

namespace {

std::array<unsigned, 3> unflatten(std::uint64_t linear, dim3 extent) {
    return {static_cast<unsigned>(linear % extent.x), static_cast<unsigned>(linear / extent.x % extent.y),
            static_cast<unsigned>(linear / extent.x / extent.y)};
}

Party party_of_entry(const Detector& d, const Entry& entry, std::string action) {
    Party party;
    party.action = std::move(action);
    party.place = place_of(entry.site & kSiteMask);
    const Operation* operation = d.operation_of(entry.epoch);
    if (operation == nullptr) return party;
    if (operation->kernel == nullptr) {
        party.kernel = operation->name;
        party.is_copy = true;
        return party;
    }
    party.kernel = function_name(operation->kernel);
    const unsigned threads = operation->block.x * operation->block.y * operation->block.z;
    const unsigned padded = (threads + kWarp - 1) / kWarp * kWarp;
    const AgentId id = entry.agent & ~kAsyncAgent;
    party.block = unflatten(id / padded, operation->grid);
    party.thread = unflatten(id % padded, operation->block);
    party.is_async = (entry.agent & kAsyncAgent) != 0;
    return party;
}

// A thread of the running block that knows, or would know after a fence, of what the entry's thread did.
const Fiber* who_knows_of(const Detector& d, const Entry& entry) {
    for (unsigned t = 0; t < worker->fiber_count(); ++t) {
        for (const ClockRef& clock : {d.threads_[t].pending_device, d.threads_[t].known}) {
            if (clock == nullptr) continue;
            if (clock->covers(entry.agent, d.warp_of(entry.agent), d.block_of(entry.agent), entry.epoch)) {
                return &worker->fiber(t);
            }
        }
    }
    return nullptr;
}

struct Circumstances {
    bool both_atomic = false, both_write = false, same_line = false;
    const Fiber* informed = nullptr;
};

std::string race_advice(Kind kind, const Circumstances& c) {
    if (c.both_atomic)
        return "one of the two atomics has block scope, which means nothing to another block: use device scope";
    std::string update = c.same_line && c.both_write ? "check the index; " : "";
    if (c.same_line) update += "where all update one element, an atomic (atomicAdd, ...); else ";
    switch (kind) {
        case Kind::race_in_warp:
            return update + "__syncwarp() or a shuffle between the two, for lanes of a warp do not run in step";
        case Kind::race_in_block:
            return update + "__syncthreads() between the two, reached by every thread of the block";
        case Kind::race_between_blocks:
            if (c.informed != nullptr) {
                return fmt::format(
                    "thread ({},{},{}) of the reading block has seen the other's atomic, but lacks a fence where it "
                    "counts: __threadfence() right after the atomic, by the thread that did it, then __syncthreads()",
                    c.informed->thread.x, c.informed->thread.y, c.informed->thread.z);
            }
            return update +
                   "blocks of a launch are not ordered: a second launch, or a flag: write, __threadfence(), atomic on "
                   "one side; atomic, __threadfence(), read on the other";
        case Kind::race_between_streams:
            return "streams are not ordered: record an event after the first, make the second wait";
        case Kind::race_with_async_copy:
            return "cp_async_wait by the thread that issued the copy, then a barrier before other threads touch the "
                   "data";
        default:
            return "";
    }
}

}  // namespace

void Detector::report_race(std::uintptr_t address, unsigned bytes, const Actor& actor, Access access,
                           const Conflict& conflict) {
    const Entry& other = conflict.other;
    const bool async = ((actor.agent | other.agent) & kAsyncAgent) != 0;
    Kind kind = Kind::race_in_block;
    if (other.epoch < launch_start_) {
        kind = Kind::race_between_streams;
    } else if (async) {
        kind = Kind::race_with_async_copy;
    } else if (block_of(other.agent) != block_of(actor.agent)) {
        kind = Kind::race_between_blocks;
    } else if (warp_of(other.agent) == warp_of(actor.agent)) {
        kind = Kind::race_in_warp;
    }
    if (is_repeated(kind, actor.site & kSiteMask, other.site & kSiteMask)) return;
    const bool other_async = (other.agent & kAsyncAgent) != 0;
    const std::string other_action = conflict.other_atomic ? "atomic"
                                     : other_async
                                         ? (conflict.other_wrote ? verb(Access::async_write) : verb(Access::async_read))
                                         : (conflict.other_wrote ? "write" : "read");
    Circumstances circumstances;
    circumstances.both_atomic =
        conflict.other_atomic && (access == Access::atomic_read || access == Access::atomic_write);
    circumstances.both_write = conflict.other_wrote && access == Access::write;
    const Place here = place_of(actor.site & kSiteMask), there = place_of(other.site & kSiteMask);
    circumstances.same_line = here.line == there.line && here.file == there.file;
    if (kind == Kind::race_between_blocks) circumstances.informed = who_knows_of(*this, other);
    Entry mine{actor.agent, actor.epoch, actor.site};
    add_report({.kind = kind,
                .first_site = actor.site & kSiteMask,
                .second_site = other.site & kSiteMask,
                .first = party_of_entry(*this, mine, verb(access)),
                .second = party_of_entry(*this, other, other_action),
                .object = describe_address(address, bytes),
                .detail = "nothing orders the two accesses",
                .advice = race_advice(kind, circumstances)});
}

// False: the access touches bytes that do not exist; reported.
bool Detector::check_bounds(std::uintptr_t address, unsigned bytes, Access access, SiteId site) {
    const Parts& parts = options().parts;
    const std::uint8_t* state = state_of(address);
    unsigned bad = 0;
    while (bad < bytes && (state[bad] & 1) != 0) ++bad;
    if (bad == bytes) return true;
    const bool shared = address >= kSharedBase, freed = state[bad] == kFreed;
    if (freed ? !parts.quarantine : !parts.bounds) return true;
    const Kind kind = freed ? Kind::use_after_free : shared ? Kind::shared_overrun : Kind::out_of_bounds;
    if (is_repeated(kind, site)) return false;
    std::string detail = "no allocation holds this address";
    if (shared) {
        detail = shared_overrun_detail(address + bad);
    } else if (const auto a = allocation_near(address + bad)) {
        detail = freed ? fmt::format("{} has been released", a->name) : describe_extent(*a);
    }
    add_report({.kind = kind,
                .first_site = site,
                .first = party_of(*current, verb(access), site),
                .second = std::nullopt,
                .object = describe_address(address, bytes),
                .detail = std::move(detail),
                .advice = freed ? "release the buffer after the stream has been synchronised"
                                : "compare the index with the extent before the access"});
    return false;
}

void Detector::check_initialised(std::uintptr_t address, unsigned bytes, Access access, SiteId site) {
    if (!options().parts.initialisation) return;
    const std::uint8_t* state = state_of(address);
    unsigned bad = 0;
    while (bad < bytes && state[bad] != kFresh) ++bad;
    if (bad == bytes) return;
    const Kind kind = address >= kSharedBase ? Kind::uninitialised_shared : Kind::uninitialised_global;
    if (is_repeated(kind, site)) return;
    add_report({.kind = kind,
                .first_site = site,
                .first = party_of(*current, verb(access), site),
                .second = std::nullopt,
                .object = describe_address(address + bad, bytes),
                .detail = "nobody has written these bytes",
                .advice = kind == Kind::uninitialised_shared
                              ? "write it before the barrier that precedes this read; shared memory starts undefined"
                              : "copy or store a value first; fresh device memory is undefined"});
}

bool Detector::is_readable_host(std::uintptr_t address, unsigned bytes) const {
    if (address >= argument_low_ && address + bytes <= argument_high_) return true;
    static thread_local std::uintptr_t known_page = ~std::uintptr_t{0};  // images are asked for once a page
    if (address >> 12 == known_page) return true;
    if (!is_in_an_image(address)) return false;
    known_page = address >> 12;
    return true;
}

// An address that belongs to no arena: a parameter, a constant, or a mistake. False: it would crash.
bool Detector::check_elsewhere(std::uintptr_t address, unsigned bytes, Access access, SiteId site) {
    const Parts& parts = options().parts;
    const bool reads = access == Access::read || access == Access::async_read || access == Access::atomic_read;
    if (reads && is_readable_host(address, bytes)) return true;
    const bool null = address < 4096, local = address - kStackBase < kWorkerStacks;
    const Kind kind = null ? Kind::null_pointer : local ? Kind::foreign_local_memory : Kind::host_memory;
    if (!null && !local && !parts.pointers) return true;
    if (is_repeated(kind, site)) return !null;
    std::string detail = "an address of the host; a kernel may touch device memory and its parameters only";
    std::string object = fmt::format("address {:#x} ({} bytes)", address, bytes);
    std::string advice = local ? "pass the value through shared memory or a shuffle"
                               : "pass a pointer from dev::allocate or dev::Buffer";
    if (kind == Kind::host_memory && is_in_an_image(address)) {
        object = variable_name(address);
        detail = "a variable of the program; simt has no __device__ variables that kernels write";
        advice = "keep it in a dev::Buffer and pass the pointer";
    }
    if (null) detail = "the pointer is null or was computed from null";
    if (local) {
        const auto owner = static_cast<unsigned>((address - kStackBase) / kStackStride);
        const Fiber& fiber = worker->fiber(owner);
        object = fmt::format("a local variable of thread ({},{},{})", fiber.thread.x, fiber.thread.y, fiber.thread.z);
        detail = "local memory is private to its thread, whatever the pointer's value";
    }
    add_report({.kind = kind,
                .first_site = site,
                .first = party_of(*current, verb(access), site),
                .second = std::nullopt,
                .object = std::move(object),
                .detail = std::move(detail),
                .advice = std::move(advice)});
    return !null;
}

bool check_matrix_row(const void* row, SiteId site) {
    const auto address = reinterpret_cast<std::uintptr_t>(row);
    if (address % 16 != 0 && options().parts.alignment) {
        if (!is_repeated(Kind::misaligned, site)) {
            add_report({.kind = Kind::misaligned,
                        .first_site = site,
                        .first = party_of(*current, "ldmatrix", site),
                        .second = std::nullopt,
                        .object = describe_address(address, 16),
                        .detail = "the row that a lane gives to ldmatrix starts at a multiple of 16 bytes",
                        .advice = "pad or swizzle in units of 16 bytes"});
        }
        return true;
    }
    return check_access(address, 16, Access::read, site);
}

bool check_copy_alignment(const AsyncCopy& copy, SiteId site) {
    const auto target = reinterpret_cast<std::uintptr_t>(copy.shared),
               source = copy.source_bytes == 0 ? 0 : reinterpret_cast<std::uintptr_t>(copy.global);
    if (((target | source) & (copy.bytes - 1)) == 0 || !options().parts.alignment) return true;
    if (is_repeated(Kind::misaligned, site)) return false;
    const bool at_target = (target & (copy.bytes - 1)) != 0;
    add_report({.kind = Kind::misaligned,
                .first_site = site,
                .first = party_of(*current, "cp.async", site),
                .second = std::nullopt,
                .object = describe_address(at_target ? target : source, copy.bytes),
                .detail = fmt::format("the {} of a {}-byte cp.async is not a multiple of {}",
                                      at_target ? "target" : "source", copy.bytes, copy.bytes),
                .advice = "use a smaller copy, or align the rows of both sides"});
    return false;
}

void check_not_written(Worker& w, const void* pointer, unsigned bytes, SiteId site) {
    Detector& d = Detector::instance();
    const auto address = reinterpret_cast<std::uintptr_t>(pointer);
    if (!options().parts.read_only || address - kGlobalBase >= kGlobalBytes || !w.checked()) return;
    for (std::uintptr_t word = address & ~std::uintptr_t{3}; word < address + bytes; word += 4) {
        const Cell* cell = d.cell_of(word);
        if (cell->split != 0) cell = &d.splits_[cell->split].bytes[std::max(word, address) & 3];
        const Entry& write = cell->write.epoch >= cell->atomic.epoch ? cell->write : cell->atomic;
        if (write.epoch < d.launch_start_ || is_repeated(Kind::stale_read_only_load, site, write.site & kSiteMask))
            continue;
        add_report({.kind = Kind::stale_read_only_load,
                    .first_site = site,
                    .second_site = write.site & kSiteMask,
                    .first = party_of(*current, "load_nc", site),
                    .second = party_of_entry(d, write, "write"),
                    .object = describe_address(word, bytes),
                    .detail = "ld.global.nc may read a stale cache line of what this launch has written",
                    .advice = "use a plain load, or write it in an earlier launch"});
        return;
    }
}

void Detector::check_declared(std::uintptr_t address, unsigned bytes, Access access, SiteId site) {
    for (const auto& [begin, end] : read_only_) {
        if (address < begin || address >= end || is_repeated(Kind::undeclared_write, site)) continue;
        add_report({.kind = Kind::undeclared_write,
                    .first_site = site,
                    .first = party_of(*current, verb(access), site),
                    .second = std::nullopt,
                    .object = describe_address(address, bytes),
                    .detail = "the launch declared this buffer with reads(...)",
                    .advice = "declare it with writes(...), or do not store to it"});
    }
}

void report_shared_size(const SharedLayout& layout, std::size_t given, SiteId site) {
    if (is_repeated(Kind::shared_memory_size, site)) return;
    add_report({.kind = Kind::shared_memory_size,
                .first_site = site,
                .first = party_of(*current, "use of shared memory", site),
                .second = std::nullopt,
                .object = "",
                .detail = fmt::format("the kernel uses {} bytes, the launch gave {}", layout.bytes, given),
                .advice = layout.construct != nullptr
                              ? "launch with sizeof of the struct, computed in the kernel's own file"
                              : "launch with as many bytes as dev::shared_array asks for"});
}

void report_second_layout(const Block& block, const SharedLayout& layout, SiteId site) {
    if (!options().parts.bounds || is_repeated(Kind::shared_memory_reuse, site, block.layout_site)) return;
    Party first = party_of(*current, "use as " + type_in(block.layout.type), block.layout_site);
    add_report({.kind = Kind::shared_memory_reuse,
                .first_site = site,
                .second_site = block.layout_site,
                .first = party_of(*current, "use as " + type_in(layout.type), site),
                .second = std::move(first),
                .object = "",
                .detail = "both start at the same address",
                .advice = "put all shared memory of a kernel into one struct"});
}

void report_invalid_release(std::uintptr_t address) {
    const auto allocation = allocation_near(address);
    std::string detail = "no allocation starts there";
    if (allocation && allocation->freed) detail = fmt::format("{} has been released before", allocation->name);
    Party host;
    host.action = "release";
    host.is_copy = true;
    host.kernel = "the host";
    add_report({.kind = Kind::invalid_release,
                .first_site = kNoSite,
                .first = std::move(host),
                .second = std::nullopt,
                .object = fmt::format("address {:#x}", address),
                .detail = std::move(detail),
                .advice = "release what dev::allocate returned, once"});
}

}  // namespace cambium::simt
