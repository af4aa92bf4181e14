// The boundary between the graph and whatever computes it. A backend is asked about one node at a time: does it support
// it, and what does it need to run it. The compiler then plans the arena, binds addresses once, and a run is a list of
// enqueues.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/ops/epilogue.h"
#include "engine/ops/op.h"
#include "engine/tensor/memory.h"

namespace cambium {

// How a backend stores an operand. The empty key is the plain row-major layout; any other key belongs to the backend
// that made it, equal keys meaning equal layouts of equal shapes.
struct Layout {
    std::string key;
    std::size_t bytes = 0;  // of a packed operand; plain operands take TensorSpec::bytes()
    bool plain() const { return key.empty(); }
    friend bool operator==(const Layout& a, const Layout& b) { return a.key == b.key; }
};

struct OperandSpec {
    TensorSpec tensor;
    Layout layout;
    std::size_t bytes() const { return layout.plain() ? tensor.bytes() : layout.bytes; }
};

// One node as a backend sees it. Inputs: those of the operator first, then those that epilogue steps refer to.
struct NodeSpec {
    Op op;
    std::vector<OperandSpec> inputs, outputs;
    std::vector<EpilogueStep> epilogue;
};

std::string describe(const NodeSpec& node);

// Output `output` may be given the memory of input `input` (same size), which it then overwrites.
struct Alias {
    int output = 0, input = 0;
};

// A node made ready to run.
class Executable {
  public:
    virtual ~Executable() = default;

    std::size_t workspace_bytes = 0;
    std::vector<Alias> aliases;
    // Layouts in which it wants its operands and leaves its results; empty vectors mean as offered in the NodeSpec.
    std::vector<Layout> input_layouts, output_layouts;
    std::string provider;  // which implementation, for logs: "oneDNN jit:avx512_core", "own v3"
    std::string group;     // neighbours of the same group may be joined (Backend::join); empty: never

    // Addresses stay valid until the next bind. A dead output's address is null: it need not be computed.
    virtual void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) = 0;
    virtual void enqueue() = 0;
};

// What was enqueued once, to be enqueued again with one call.
class Recording {
  public:
    virtual ~Recording() = default;
    virtual void replay() = 0;
};

class Backend {
  public:
    virtual ~Backend() = default;
    virtual std::string_view name() const = 0;
    virtual Memory& memory() = 0;
    // Whether every value and workspace gets memory of its own, never reused, so that a checker sees where each ends.
    virtual bool keeps_values_apart() const { return false; }
    // Nothing if the node can run as specified, else what is missing, in words ("no bf16 average pooling").
    virtual std::optional<std::string> unsupported(const NodeSpec& node) const = 0;
    // Throws Error naming backend, operator, dtype and what is missing if the node is unsupported.
    virtual std::unique_ptr<Executable> prepare(const NodeSpec& node) = 0;
    // Copies an operand from its layout to another (either may be plain).
    virtual std::unique_ptr<Executable> reorder(const OperandSpec& from, const Layout& to) = 0;
    // One executable that does what `parts` do, neighbours of one group that neither read nor overwrite each other's
    // operands; null where that gains nothing. It outlives none of them, and works on what they are bound to; its
    // bind() is called without operands after theirs. enqueue() of the parts is then not called.
    virtual std::unique_ptr<Executable> join(std::span<Executable* const> /*parts*/) { return nullptr; }
    // Calls `enqueue` and records what it enqueues, which does not run; null, without a call, where recording gains
    // nothing. In it nothing may be allocated, bound, uploaded, downloaded or waited for.
    virtual std::unique_ptr<Recording> record(const std::function<void()>& /*enqueue*/) { return nullptr; }
    virtual void synchronize() = 0;  // returns when everything enqueued has finished; rethrows what failed
};

std::unique_ptr<Backend> make_reference_backend();
std::unique_ptr<Backend> make_cpu_backend();
std::string onednn_version();  // of the library that the CPU backend runs with: "2.6.3"; empty in a build without it

}  // namespace cambium
