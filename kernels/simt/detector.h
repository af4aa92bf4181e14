// What the scheduler and the instruction wrappers tell the detector, and what it answers. All of it runs only in the
// checked run, where one block at a time is on one OS thread.
#pragma once

#include <cstdint>

#include "kernels/simt/runtime.h"

namespace cambium::simt {

enum class Access : std::uint8_t { read, write, atomic_read, atomic_write, async_read, async_write };

// Life of a launch and of memory.
void begin_block(Worker& w, std::uint64_t linear_block);
void on_shared_memory_taken(Worker& w, std::size_t begin, std::size_t end);  // these bytes of it exist from now on
void report_shared_size(const SharedLayout& layout, std::size_t given, SiteId site);
void report_second_layout(const Block& block, const SharedLayout& layout, SiteId site);
void end_block(Worker& w);
void on_allocate(std::uintptr_t address, std::size_t bytes);
void on_release(std::uintptr_t address, std::size_t bytes);
void on_reusable(std::uintptr_t address, std::size_t bytes);  // left quarantine
void report_invalid_release(std::uintptr_t address);

// What orders memory.
void on_barrier(Worker& w, const Barrier& barrier);
void on_warp_sync(Worker& w, unsigned warp, std::uint32_t lanes);
void on_fence(Worker& w, dev::Scope scope);

// Accesses by the current thread. False: the access would crash, the block must be abandoned.
bool check_access(std::uintptr_t address, unsigned bytes, Access access, SiteId site);
bool check_atomic(Worker& w, void* address, unsigned bytes, Atomic operation, dev::Order order, dev::Scope scope,
                  SiteId site);
bool check_matrix_row(const void* row, SiteId site);
void check_not_written(Worker& w, const void* address, unsigned bytes, SiteId site);
bool check_copy_alignment(const AsyncCopy& copy, SiteId site);
bool issue_copy(Worker& w, AsyncCopy& copy, SiteId site);
void copy_waited_for(Worker& w, const AsyncCopy& copy);

// Registers.
void check_register(std::uint64_t bits, unsigned bytes, const char* operation, SiteId site);
void check_fragments(const MmaTile& tile, SiteId site);

// Meeting places.
void check_block_barrier(Worker& w, Barrier& barrier, SiteId site);
void report_exit_before_barrier(Worker& w, const Fiber& fiber, const Barrier& barrier);
void report_invalid_barrier(unsigned id, unsigned threads, SiteId site);
void report_barrier_counts(const Barrier& barrier, unsigned id, unsigned threads, SiteId site);
std::uint32_t check_mask(Worker& w, std::uint32_t mask, const char* operation, SiteId site);
void check_same_instruction(Worker& w, const Collective& slot, const char* operation, bool aligned, SiteId site);
void report_exited_lane(Worker& w, const Fiber& fiber, const Collective& slot);
void report_shuffle_source(Worker& w, unsigned lane, unsigned source, std::uint32_t lanes, SiteId site);

void count_instruction(Worker& w, const char* operation, SiteId site, unsigned times = 1);

}  // namespace cambium::simt
