// simt runs CUDA kernels on the CPU and, in the checked build, proves them free of races, stray accesses and
// uninitialised reads. This is what a test or a tool sees of it: options, reports, counters. Kernels see only
// kernels/gpu.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cambium::simt {

enum class Kind : std::uint8_t {
    race_in_warp,
    race_in_block,
    race_between_blocks,
    race_between_streams,
    race_with_async_copy,  // cp.async: touched before it was waited for
    out_of_bounds,
    shared_overrun,
    array_overrun,  // an array in registers or local memory
    misaligned,
    null_pointer,
    host_memory,
    use_after_free,
    uninitialised_shared,
    uninitialised_global,
    uninitialised_register,
    foreign_local_memory,
    local_memory_exhausted,
    divergent_barrier,
    exit_before_barrier,
    wrong_mask,
    divergent_instruction,
    deadlock,
    stuck_thread,
    shared_memory_size,
    stale_read_only_load,
    undeclared_write,
    invalid_release,
    shared_memory_reuse,
    failed_assertion,
};
inline constexpr int kKinds = 29;

std::string_view name_of(Kind kind);         // "race-in-block", as in the reports
std::string_view description_of(Kind kind);  // one sentence, for SARIF's rules

struct Place {
    std::string file;
    int line = 0;
    std::string function;
    std::vector<std::string> called_from;  // "file:line", innermost first, where the code was inlined
};

// One side of a report: what a thread (or an asynchronous copy that it issued) did, and where.
struct Party {
    std::string action;  // "write", "read", "atomic", "barrier", ...
    Place place;
    std::string kernel;
    std::array<unsigned, 3> block{}, thread{};
    bool is_copy = false;  // a copy enqueued by the host rather than a thread
    bool is_async = false;
};

struct Report {
    Kind kind{};
    std::string kernel;
    std::string object;  // `tile + 64 of 4096 bytes`, `activations[3,17,5]`; empty where no address is involved
    Party first;         // who was caught
    std::optional<Party> second;
    std::string detail;
    std::string advice;  // what would order the two, or mend it
    std::uint64_t count = 1;
    std::uint64_t seed = 0;
};

std::string to_text(const Report& report);
std::string to_json(const std::vector<Report>& reports);
std::string to_sarif(const std::vector<Report>& reports);  // SARIF 2.1.0, one run

// Parts of the detector, each of which a test switches off to prove that it is needed.
struct Parts {
    bool races = true;
    bool byte_masks = true;       // neighbours that share four bytes are told apart
    bool read_sets = true;        // more than two concurrent readers are remembered
    bool atomics_apart = true;    // an atomic does not hide an earlier plain write
    bool fences = true;           // an atomic alone orders nothing
    bool scopes = true;           // block scope orders nothing between blocks
    bool async_agents = true;     // cp.async runs beside its thread
    bool streams = true;          // streams are ordered by events only
    bool bounds = true;           // red zones and shared arrays
    bool register_arrays = true;  // bounds of arrays in registers
    bool initialisation = true;   // reads of what nobody wrote
    bool register_poison = true;  // uninitialised registers that reach a warp instruction
    bool alignment = true;
    bool pointers = true;      // null and host pointers
    bool local_memory = true;  // another thread's locals, stack overflow
    bool quarantine = true;    // freed memory stays unusable for a while
    bool barriers = true;      // divergent barriers, exits before a barrier
    bool masks = true;         // lanes of warp instructions
    bool read_only = true;     // load_nc of, and stores to, what the launch should not write
};

struct Options {
    std::uint64_t seed = 0;   // 0: warp by warp; else threads are chosen at random
    bool exit_counts = true;  // an exit before a later __syncthreads is reported (legal since sm_70: off for such code)
    bool count = false;       // bank conflicts and sectors, in the checked build
    double watchdog_seconds = 60;
    Parts parts;
};
Options& options();

// Threads on which the fast run executes blocks: starts as thread_count() of engine/base/parallel.h.
void set_workers(int workers);

// Whether this process runs instrumented kernels, hence checks them.
bool is_checked();

// While it lives, reports are gathered here instead of being thrown by the launch that caused them.
class Collect {
  public:
    Collect();
    ~Collect();
    Collect(const Collect&) = delete;
    Collect& operator=(const Collect&) = delete;
    const std::vector<Report>& reports() const;

  private:
    std::vector<Report> outer_;
    bool outer_collecting_;
};

// Counted per place in the source, in the checked build with options().count.
struct Counter {
    Place place;
    std::string kernel;
    std::string operation;           // "shared read", "global write", "ldmatrix", "mma", "barrier", ...
    std::uint64_t instructions = 0;  // warp-wide
    std::uint64_t cost = 0;          // shared: wavefronts; global: 32-byte sectors; else 0
    std::uint64_t ideal = 0;         // the fewest possible
    double factor() const { return ideal == 0 ? 1.0 : static_cast<double>(cost) / static_cast<double>(ideal); }
};
std::vector<Counter> counters();
void reset_counters();

// A digest of every byte copied to the host so far. Two builds that differ only in what uninitialised registers hold
// must agree in it (cambium_simt_test compares them).
std::uint64_t output_digest();
void reset_output_digest();

// Statistics of the fast run, for benchmarks.
struct Statistics {
    std::uint64_t blocks = 0, switches = 0, accesses = 0;
};
Statistics statistics();

}  // namespace cambium::simt
