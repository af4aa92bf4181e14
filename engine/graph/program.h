// Program: a graph compiled for one backend, bound to one Store, and run again and again.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/graph/graph.h"

namespace cambium {

// tf32 is f32 in storage; products on tensor cores round their operands (the backend's choice, gpu::Options).
enum class Precision : std::uint8_t { f64, f32, bf16, tf32 };
std::string_view name_of(Precision precision);

struct CompileOptions {
    Precision precision = Precision::f32;
    // Off for comparisons only: results then differ by rounding, never in meaning.
    enum class Fusion : std::uint8_t { on, off } fusion = Fusion::on;
};

class Program {
  public:
    Program(Program&&) noexcept;
    Program& operator=(Program&&) noexcept;
    ~Program();

    // Sets an input. Throws Error if there is none of that name or the shape differs; reals are converted to the
    // input's dtype.
    void set(const std::string& input, const Tensor& value);
    void set(const std::string& input, double scalar);
    bool has_input(const std::string& input) const;
    // Refreshes derived tensors older than their sources, runs every node, applies the assigns. On a device of its own
    // pace it returns before that has happened; outputs, and whatever is read from the Store, wait for it.
    void run();
    void wait();  // until all that run() began has finished; rethrows what failed
    // An output of the last run. Valid until another program of the same Store runs.
    Tensor get(const std::string& output) const;
    double scalar(const std::string& output) const;

    // One line per kind of work: operator, dtype, provider, count. For the run's log.
    struct Line {
        std::string op, dtype, provider;
        int count = 0;
    };
    std::vector<Line> summary() const;
    double flops() const;               // floating-point operations of one run
    std::size_t arena_bytes() const;    // values and workspaces alive at once, as planned
    std::size_t sum_of_values() const;  // bytes of all values without reuse, for comparison

    // A step of every run, or one that is repeated only when the entries it depends on have changed.
    struct Listed {
        struct Result {
            TensorSpec spec;
            std::size_t bytes = 0;
            bool packed = false;                  // in a layout of the backend's own
            std::string entry{};                  // the Store entry that it is written to, if it is
            std::optional<std::size_t> offset{};  // in the arena, if it lives there
        };
        bool derived = false;
        std::string layer, op, attributes, provider;
        std::vector<Result> results{};  // those that somebody reads
        double flops = 0;
    };
    std::vector<Listed> listing() const;  // in the order in which they run, derived ones first
    std::string text() const;             // the listing, a line each: equal programs give equal texts

    struct State;  // compiled.h: what compile() makes
    explicit Program(std::unique_ptr<State> state);

  private:
    std::unique_ptr<State> state_;
};

// Passes, layouts, memory plan, addresses. Every entry of the graph must be in the store. Throws Error if the backend
// lacks something the graph needs (naming operator, dtype and backend), or the precision does not fit the store.
Program compile(const Graph& graph, Store& store, Backend& backend, const CompileOptions& options = {});

}  // namespace cambium
