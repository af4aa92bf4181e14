// Store: what outlives a run. Parameters, statistics, optimizer state and counters live here under their names; several
// programs (train, evaluate; one per batch shape) bind to one Store and never run at the same time.
//
// Every entry has a version. What is computed from entries alone (folded, cast or packed filters) is a *derived*
// tensor: it remembers the versions it was made from, and whoever runs refreshes it first, so nobody sees yesterday's
// filter.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/tensor/memory.h"
#include "engine/tensor/tensor.h"

namespace cambium {

enum class Role : std::uint8_t {
    parameter,    // trained or frozen weights
    statistic,    // running moments of batch norm
    optimizer,    // momentum and the like: belongs to a run, not to a model
    average,      // exponential moving averages of parameters
    accumulator,  // sums over micro-batches or since the last time they were read
    counter,      // steps taken
};

// How an entry gets its first value; random draws depend on (seed, entry name) alone.
struct Initializer {
    enum class Kind : std::uint8_t { constant, normal, uniform } kind = Kind::constant;
    double value = 0;  // the constant; the standard deviation; the bound of uniform [-value, value)

    static Initializer constant(double value) { return {Kind::constant, value}; }
    static Initializer normal(double deviation) { return {Kind::normal, deviation}; }
    static Initializer uniform(double bound) { return {Kind::uniform, bound}; }
};

// What a new entry holds: its first value, or zeros where weights are about to be loaded over it, which saves the
// draws.
enum class FirstValue : std::uint8_t { drawn, zero };

struct EntrySpec {
    std::string name;
    TensorSpec spec;  // engine layout; reals f32, which a Store in f64 widens
    Role role = Role::parameter;
    FileLayout layout{};
    Initializer initializer{};
    bool trainable = false;
};

class Store {
  public:
    struct Entry {
        EntrySpec spec;
        Buffer buffer;
        std::uint64_t version = 0;
    };
    struct Derived {
        Buffer buffer;
        // Entries and the versions it was computed from; nothing while it holds no value yet.
        std::optional<std::vector<std::pair<std::string, std::uint64_t>>> sources;
    };

    // `real` is the dtype of reals: f32, or f64 for the reference backend.
    explicit Store(Memory& memory, DType real = DType::f32) : memory_(memory), real_(real) {}

    Memory& memory() const { return memory_; }
    DType real() const { return real_; }

    // Makes the entry with its first value if there is none. Throws Error if one of another shape or dtype exists.
    void declare(const EntrySpec& spec, std::uint64_t seed = 0, FirstValue first = FirstValue::drawn);
    bool contains(const std::string& name) const { return entries_.contains(name); }
    const Entry& entry(const std::string& name) const;  // throws Error if there is none
    std::vector<std::string> names() const;             // in alphabetical order
    void erase(const std::string& name);                // no program that reads it may run afterwards

    Tensor read(const std::string& name) const;       // engine layout
    Tensor read_file(const std::string& name) const;  // file layout
    // Reals are converted to the entry's dtype. Throws Error if the shape differs.
    void write(const std::string& name, const Tensor& value);
    void write_file(const std::string& name, const Tensor& value);
    void touch(const std::string& name);  // a program wrote the entry in place

    std::map<std::string, Tensor> snapshot() const;  // every entry, engine layout
    void restore(const std::map<std::string, Tensor>& snapshot);

    // A derived tensor of `bytes` under `key`, made without content if absent; shared by all programs.
    Derived& derived(const std::string& key, std::size_t bytes);
    void forget_derived() { derived_.clear(); }  // frees them; no compiled program may run afterwards

    // One arena for the values of whichever program runs, as large as the largest has asked for. It may move when it
    // grows, so programs compare the address before each run.
    void* arena(std::size_t bytes);
    std::size_t arena_bytes() const { return arena_.bytes(); }
    std::size_t entry_bytes() const;
    std::size_t derived_bytes() const;

  private:
    Entry& mutable_entry(const std::string& name);
    Memory& memory_;
    DType real_;
    std::map<std::string, Entry> entries_;
    std::map<std::string, Derived> derived_;
    Buffer arena_;
};

}  // namespace cambium
