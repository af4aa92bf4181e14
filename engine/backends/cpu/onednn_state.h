// What the onednn_*.cpp files share: the engine, the layouts handed out so far, and the executable around a primitive.
#pragma once

#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/backends/cpu/onednn.h"

namespace cambium::cpu {

using MemoryDesc = dnnl::memory::desc;

struct OneDnn::State {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};

    // Filters' layouts by key, so that reorder() knows what a key means. Several programs may be prepared at once.
    std::mutex mutex;
    std::map<std::string, MemoryDesc> layouts;
    Layout layout_of(const MemoryDesc& desc);
};

// A primitive, perhaps followed by a reorder of its result, and where its arguments come from.
class PrimitiveStep final : public Executable {
  public:
    PrimitiveStep(std::shared_ptr<OneDnn::State> state, const NodeSpec& node);

    enum class Source : std::uint8_t { input, output, workspace };
    // Argument `id` is input or output `index`, or lies `index` bytes into the workspace.
    using Arguments = std::unordered_map<int, dnnl::memory>;
    void add(dnnl::primitive primitive);  // what follows belongs to it
    void argument(int id, const MemoryDesc& desc, Source source, std::size_t index);
    // Reserves room in the workspace and returns where.
    std::size_t reserve(std::size_t bytes);
    void scratchpad(const MemoryDesc& desc) {
        argument(DNNL_ARG_SCRATCHPAD, desc, Source::workspace, reserve(desc.get_size()));
    }

    void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override;
    void enqueue() override;

  private:
    struct Stage {
        dnnl::primitive primitive;
        Arguments arguments;
    };
    struct Place {
        std::size_t stage;
        int id;
        Source source;
        std::size_t index;
    };
    std::shared_ptr<OneDnn::State> state_;
    std::vector<Stage> stages_;
    std::vector<Place> places_;
};

dnnl::memory::data_type data_type(DType dtype);
bool is_reference(const std::string& implementation);
// Scratch memory comes from the arena.
dnnl::primitive_attr user_scratchpad();

// An epilogue as oneDNN's bias and post-ops. dst: what the operator gives; channels: its last axis in our order, axis 1
// in theirs.
struct PostOps {
    dnnl::primitive_attr attributes;
    int bias = -1;  // the input that is the bias, if the epilogue begins with one
    struct Operand {
        int id;
        MemoryDesc desc;
        std::size_t input;
        bool whole;  // of dst's shape, hence in its layout
    };
    std::vector<Operand> operands;

    PostOps(const NodeSpec& node, const MemoryDesc& dst);
};

}  // namespace cambium::cpu
