// Step: an Executable made of a function of the bound addresses, which enqueues launches on the backend's stream.
#pragma once

#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/backends/gpu/gpu_backend.h"
#include "kernels/gpu/launch.h"

namespace cambium::gpu {

// What every prepare() is given: where its launches go and how products of f32 are computed.
struct Context {
    dev::Stream& stream;
    Options options;
};

// A kernel family's own name for the wanted variant.
template <class Own>
Own variant_of(const Context& context) {
    return context.options.variant == Variant::plain ? Own::plain : Own::tuned;
}

struct Operands {
    std::vector<void*> inputs, outputs;
    std::span<std::byte> workspace;

    template <class T>
    const T* in(std::size_t i) const {
        return static_cast<const T*>(inputs[i]);
    }
    template <class T>
    T* out(std::size_t i) const {
        return static_cast<T*>(outputs[i]);
    }
};

using Run = std::function<void(const Operands&)>;

class Step final : public Executable {
  public:
    Step(Run run, std::size_t workspace) : run_(std::move(run)) {
        workspace_bytes = workspace;
        provider = "own";
    }
    void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override {
        operands_ = {{inputs.begin(), inputs.end()},
                     {outputs.begin(), outputs.end()},
                     {static_cast<std::byte*>(workspace), workspace_bytes}};
    }
    void enqueue() override { run_(operands_); }

  private:
    Run run_;
    Operands operands_;
};

using Prepared = std::unique_ptr<Executable>;

inline Prepared make_step(Run run, std::size_t workspace_bytes = 0) {
    return std::make_unique<Step>(std::move(run), workspace_bytes);
}

}  // namespace cambium::gpu
