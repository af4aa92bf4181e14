// Step: an Executable made of a function of the bound addresses. Every operator of this backend that is not a library's
// primitive is one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/base/isa.h"

namespace cambium::cpu {

struct Operands {
    std::vector<void*> inputs, outputs;
    void* workspace = nullptr;

    template <class T>
    const T* in(std::size_t i) const {
        return static_cast<const T*>(inputs[i]);
    }
    template <class T>
    T* out(std::size_t i) const {
        return static_cast<T*>(outputs[i]);
    }
    template <class T>
    T* scratch(std::size_t byte_offset = 0) const {
        return reinterpret_cast<T*>(static_cast<char*>(workspace) + byte_offset);
    }
};

using Run = std::function<void(const Operands&)>;

class Step final : public Executable {
  public:
    // All operands plain, unless the maker says otherwise afterwards.
    Step(const NodeSpec& node, Run run) : run_(std::move(run)) {
        input_layouts.resize(node.inputs.size());
        output_layouts.resize(node.outputs.size());
        provider = std::string("own ") + std::string(name_of(isa()));
    }
    void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override {
        operands_ = {{inputs.begin(), inputs.end()}, {outputs.begin(), outputs.end()}, workspace};
    }
    void enqueue() override { run_(operands_); }

  private:
    Run run_;
    Operands operands_;
};

inline std::unique_ptr<Step> make_step(const NodeSpec& node, Run run) {
    return std::make_unique<Step>(node, std::move(run));
}

// Rounded up to a cache line, so that parts of a workspace don't share one.
constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace cambium::cpu
