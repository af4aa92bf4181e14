#include "tools/bench/batch_memory.h"

#include <algorithm>
#include <cmath>

#include "engine/base/fail.h"
#include "tools/training/estimate.h"
#include "tools/training/memory_limit.h"

namespace cambium {
namespace {

// Everything the graph holds, as if nothing were reused: no program takes much more.
std::size_t without_reuse(const Graph& graph) {
    std::size_t bytes = 0;
    for (const ValueInfo& value : graph.values()) bytes += value.spec.bytes();
    return bytes;
}

std::size_t input_bytes(const Graph& graph) {
    std::size_t bytes = 0;
    for (const Node& node : graph.nodes()) {
        if (std::holds_alternative<ops::Input>(node.op)) bytes += graph.info(node.outputs[0]).spec.bytes();
    }
    return bytes;
}

// What may be used; the rest is for everything else. 0: unknown.
std::size_t usable_memory() { return available_memory() / 10 * 9; }

[[noreturn]] void refuse(std::string_view what, std::int64_t batch, double needed, std::size_t available,
                         std::int64_t fits) {
    fail("{} with batch {} needs {} of memory, and {} are available; {}", what, batch,
         bytes_text(static_cast<std::size_t>(needed)), bytes_text(available),
         fits > 0 ? fmt::format("--batch {} fits", fits) : "not even one image fits: take a smaller model");
}

// Entries, what is derived from them, inputs, and the arena.
std::size_t footprint(const TraceBatch& trace, std::int64_t batch, Device& device) {
    Graph graph;
    trace(graph, batch);
    Store store(device.backend->memory(), device.real());
    declare_entries(graph, store, 0, FirstValue::zero);
    const Program program = compile(graph, store, *device.backend, {.precision = device.precision});
    std::size_t bytes = store.entry_bytes() + program.arena_bytes();
    for (const Program::Listed& line : program.listing()) {
        for (const Program::Listed::Result& result : line.results) {
            if (line.derived && result.entry.empty() && !result.offset) bytes += result.bytes;
        }
    }
    return bytes + input_bytes(graph);
}

// Memory as a straight line over the batch, through two sizes.
struct Line {
    double fixed = 0, each = 0;
    Line(std::int64_t small, std::size_t less, std::int64_t large, std::size_t more)
        : each((static_cast<double>(more) - static_cast<double>(less)) / static_cast<double>(large - small)) {
        fixed = static_cast<double>(less) - each * static_cast<double>(small);
    }
    double at(std::int64_t batch) const { return fixed + each * static_cast<double>(batch); }
    std::int64_t fits(std::size_t bytes) const {
        return std::max<std::int64_t>(0, static_cast<std::int64_t>((static_cast<double>(bytes) - fixed) / each));
    }
};

}  // namespace

void require_memory(std::string_view what, const TraceBatch& trace, std::int64_t batch, Device& device) {
    const std::size_t usable = usable_memory();
    Graph graph;
    trace(graph, batch);
    if (usable == 0 || without_reuse(graph) < usable / 2) return;
    constexpr std::int64_t small = 4, large = 8;
    const std::size_t less = footprint(trace, small, device);
    const Line line(small, less, large, footprint(trace, large, device));
    const double needed = line.at(batch);
    if (needed <= static_cast<double>(usable)) return;
    // Another moment of a large batch may be the fullest, so that it takes more than the line says: try and correct.
    std::int64_t fits = line.fits(usable);
    for (int round = 0; round < 3 && fits > large; ++round) {
        const std::size_t taken = footprint(trace, fits, device);
        if (taken <= usable) break;
        fits = std::min(fits - 1, Line(small, less, fits, taken).fits(usable));
    }
    refuse(what, batch, needed, usable, fits);
}

void require_compile_memory(std::string_view what, const Graph& graph, std::int64_t batch) {
    std::size_t entries = 0;
    for (const auto& [name, entry] : graph.entries()) entries += entry.spec.bytes();
    const Line line(0, entries, batch, entries + input_bytes(graph));
    const std::size_t usable = usable_memory();
    if (usable > 0 && line.at(batch) > static_cast<double>(usable)) {
        refuse(what, batch, line.at(batch), usable, line.fits(usable));
    }
}

}  // namespace cambium
