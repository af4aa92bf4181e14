#include "engine/backends/cpu/onednn.h"

#include <fmt/format.h>

#include "engine/backends/cpu/executable.h"
#include "engine/backends/cpu/onednn_state.h"
#include "engine/base/fail.h"
#include "engine/base/isa.h"

namespace cambium::cpu {
namespace {

// oneDNN follows CAMBIUM_ISA as our own loops do. It can be told only before its first primitive; later calls fail
// without harm, since isa() never changes.
void follow_isa() {
    if (isa() == Isa::v3) dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2);
    if (isa() == Isa::v1) dnnl::set_max_cpu_isa(dnnl::cpu_isa::sse41);
}

// The strides of our plain filters [K, R, S, C] seen as [K, C, R, S], or [G, K, C, R, S] with groups.
MemoryDesc plain_filter(const MemoryDesc& packed) {
    const dnnl::memory::dims dims = packed.dims();
    const std::size_t k = dims.size() - 4;
    const std::int64_t c = dims[k + 1], r = dims[k + 2], s = dims[k + 3];
    dnnl::memory::dims strides{r * s * c, 1, s * c, c};
    if (k == 1) strides.insert(strides.begin(), dims[1] * r * s * c);
    return {dims, packed.data_type(), strides};
}

}  // namespace

OneDnn::OneDnn() {
    static const bool once = (follow_isa(), true);
    static_cast<void>(once);
    state_ = std::make_shared<State>();
}
OneDnn::~OneDnn() = default;

bool OneDnn::present() { return true; }
std::string OneDnn::version() {
    const dnnl_version_t& found = *dnnl_version();
    return fmt::format("{}.{}.{}", found.major, found.minor, found.patch);
}

bool OneDnn::native_bf16() const {
    const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
    return isa == dnnl::cpu_isa::avx512_core_bf16 || isa == dnnl::cpu_isa::avx512_core_amx;
}

int OneDnn::preferred_block() const { return isa() == Isa::v4 ? 16 : 8; }

Layout OneDnn::State::layout_of(const MemoryDesc& desc) {
    const dnnl_memory_desc_t& d = desc.data;
    std::string key = fmt::format("oneDNN {}", static_cast<int>(d.data_type));
    for (int i = 0; i < d.ndims; ++i) {
        key += fmt::format("{}{}:{}/{}", i == 0 ? " " : ",", d.dims[i], d.padded_dims[i],
                           d.format_desc.blocking.strides[i]);
    }
    for (int i = 0; i < d.format_desc.blocking.inner_nblks; ++i) {
        key += fmt::format("{}{}{}", i == 0 ? " " : "", d.format_desc.blocking.inner_blks[i],
                           static_cast<char>('a' + d.format_desc.blocking.inner_idxs[i]));
    }
    const std::lock_guard lock(mutex);
    layouts.try_emplace(key, desc);
    return {.key = key, .bytes = desc.get_size()};
}

std::unique_ptr<Executable> OneDnn::reorder(const OperandSpec& from, const Layout& to) const {
    const std::string& key = to.plain() ? from.layout.key : to.key;
    MemoryDesc packed;
    {
        const std::lock_guard lock(state_->mutex);
        const auto found = state_->layouts.find(key);
        if (found == state_->layouts.end() || to.plain() == from.layout.plain()) return nullptr;
        packed = found->second;
    }
    const MemoryDesc plain = plain_filter(packed);
    const MemoryDesc& source = to.plain() ? packed : plain;
    const MemoryDesc& target = to.plain() ? plain : packed;
    const dnnl::reorder::primitive_desc primitive(state_->engine, source, state_->engine, target, user_scratchpad());
    auto step = std::make_unique<PrimitiveStep>(
        state_, NodeSpec{.op = ops::Reshape{}, .inputs = {from}, .outputs = {{from.tensor, to}}, .epilogue = {}});
    step->add(dnnl::reorder(primitive));
    step->argument(DNNL_ARG_FROM, source, PrimitiveStep::Source::input, 0);
    step->argument(DNNL_ARG_TO, target, PrimitiveStep::Source::output, 0);
    step->scratchpad(primitive.scratchpad_desc());
    step->input_layouts = {from.layout};
    step->output_layouts = {to};
    step->provider = fmt::format("oneDNN {}", primitive.impl_info_str());
    return step;
}

PrimitiveStep::PrimitiveStep(std::shared_ptr<OneDnn::State> state, const NodeSpec& node) : state_(std::move(state)) {
    input_layouts.resize(node.inputs.size());
    output_layouts.resize(node.outputs.size());
}

void PrimitiveStep::add(dnnl::primitive primitive) { stages_.push_back({std::move(primitive), {}}); }

void PrimitiveStep::argument(int id, const MemoryDesc& desc, Source source, std::size_t index) {
    if (desc.get_size() == 0) return;
    stages_.back().arguments.emplace(id, dnnl::memory(desc, state_->engine, DNNL_MEMORY_NONE));
    places_.push_back({stages_.size() - 1, id, source, index});
}

std::size_t PrimitiveStep::reserve(std::size_t bytes) {
    const std::size_t at = workspace_bytes;
    workspace_bytes += aligned(bytes);
    return at;
}

void PrimitiveStep::bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) {
    for (const Place& place : places_) {
        void* address = nullptr;
        if (place.source == Source::input) address = inputs[place.index];
        if (place.source == Source::output) address = outputs[place.index];
        if (place.source == Source::workspace) address = static_cast<char*>(workspace) + place.index;
        stages_[place.stage].arguments.at(place.id).set_data_handle(address);
    }
}

void PrimitiveStep::enqueue() {
    for (const Stage& stage : stages_) stage.primitive.execute(state_->stream, stage.arguments);
}

dnnl::memory::data_type data_type(DType dtype) {
    return dtype == DType::bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

bool is_reference(const std::string& implementation) { return implementation.find("ref") != std::string::npos; }

dnnl::primitive_attr user_scratchpad() {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return attributes;
}

// A residual is a binary addition and not oneDNN's `sum`, which falls to reference code behind another binary step.
PostOps::PostOps(const NodeSpec& node, const MemoryDesc& dst) : attributes(user_scratchpad()) {
    dnnl::post_ops steps;
    dnnl::memory::dims per_channel(static_cast<std::size_t>(dst.data.ndims), 1);
    per_channel[1] = dst.data.dims[1];
    const dnnl::memory::dims strides(per_channel.size(), 1);
    const MemoryDesc vector(per_channel, dnnl::memory::data_type::f32, strides);
    const auto binary = [&](dnnl::algorithm algorithm, const MemoryDesc& desc, int input, bool whole) {
        operands.push_back({DNNL_ARG_ATTR_MULTIPLE_POST_OP(steps.len()) | DNNL_ARG_SRC_1, desc,
                            static_cast<std::size_t>(input), whole});
        steps.append_binary(algorithm, desc);
    };
    for (std::size_t i = 0; i < node.epilogue.size(); ++i) {
        const EpilogueStep& step = node.epilogue[i];
        switch (step.kind) {
            case EpilogueStep::Kind::relu:
                steps.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
                break;
            case EpilogueStep::Kind::gelu:
                steps.append_eltwise(1.0f, dnnl::algorithm::eltwise_gelu_erf, 0.0f, 0.0f);
                break;
            case EpilogueStep::Kind::add: {
                MemoryDesc whole = dst;
                whole.data.data_type = dnnl::memory::convert_to_c(
                    data_type(node.inputs[static_cast<std::size_t>(step.operand)].tensor.dtype));
                binary(dnnl::algorithm::binary_add, whole, step.operand, true);
                break;
            }
            case EpilogueStep::Kind::add_bias:
                if (i == 0) {
                    bias = step.operand;
                } else {
                    binary(dnnl::algorithm::binary_add, vector, step.operand, false);
                }
                break;
            case EpilogueStep::Kind::scale_shift:
                binary(dnnl::algorithm::binary_mul, vector, step.operand, false);
                if (step.second_operand >= 0) {
                    binary(dnnl::algorithm::binary_add, vector, step.second_operand, false);
                }
                break;
            case EpilogueStep::Kind::moments:
                fail("the table of operands should have refused moments");
        }
    }
    attributes.set_post_ops(steps);
}

}  // namespace cambium::cpu
