// What compile() makes and Program runs. Internal to engine/graph.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/graph/passes/passes.h"
#include "engine/graph/program.h"

namespace cambium {

// A place in memory that holds one value, or one value in a packed layout.
struct Slot {
    enum class Kind : std::uint8_t {
        none,      // nobody reads it: its address is null
        arena,     // alive during a few steps
        entry,     // a Store entry
        derived,   // a derived tensor of the Store
        external,  // an input or a constant, in memory of its own
    };
    Kind kind = Kind::arena;
    OperandSpec spec;
    std::string key;            // entry or derived: its name in the Store; external: input's name, empty for constants
    int first = -1, last = -1;  // steps between which it lives, both included
    int root = -1;              // the slot whose memory it shares: its own index, unless it overwrites another
    std::size_t offset = 0;     // arena
    Buffer buffer{};            // external; arena where the backend keeps values apart
};

struct Step {
    std::unique_ptr<Executable> executable;
    std::vector<int> inputs, outputs;            // slots
    std::size_t workspace_offset = 0;            // in the arena
    std::string op, dtype, label, attributes{};  // label: the layer it belongs to
    double flops = 0;
    std::set<std::string> sources{};  // derived steps: the entries everything here was computed from
    std::vector<int> needs{};         // derived steps: indices of the derived steps it reads
    Buffer workspace{};               // where the backend keeps values apart
};

struct Program::State {
    State(Store& s, Backend& b) : store(s), backend(b) {}

    Store& store;
    Backend& backend;
    std::vector<Slot> slots;
    std::vector<Step> derived, steps;            // derived steps are numbered first on the time axis of slots
    std::map<std::string, int> inputs, outputs;  // slots by name
    std::map<std::string, int> copies;           // entries to be copied from a slot when all steps have run
    std::vector<std::string> assigned;           // all entries that a run changes
    std::size_t arena_bytes = 0, sum_of_values = 0;
    void* bound_arena = nullptr;
    bool bound = false;

    std::vector<std::unique_ptr<Executable>> joined;
    std::vector<Executable*> order;  // what `steps` come to, joined where the backend joins them

    // A step that is enqueued for the second time with the same derived steps is recorded, and replayed from then on.
    // Not the first time: devices load code then, which a recording must not.
    std::unique_ptr<Recording> recording;
    std::vector<bool> recorded_stale, last_stale;  // derived steps that ran before `steps`
    bool ran = false;

    void* address(int slot, void* arena) const;
    void join_steps();
    bool shares_entry(int a, int b) const;
    void bind(void* arena);
    std::vector<bool> stale_derived();  // which derived steps must run again; from then on they count as done
    void enqueue(const std::vector<bool>& stale);
    void enqueue_each(const std::vector<bool>& stale);
};

}  // namespace cambium
