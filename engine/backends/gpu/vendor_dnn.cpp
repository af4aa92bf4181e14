// A convolution is a graph of one operation. cuDNN's heuristics list engines for it, best guess first; those whose
// arithmetic is not what was asked for are passed over, and the rest are tried.
#include "engine/backends/gpu/vendor_dnn.h"

#include <algorithm>
#include <array>
#include <optional>

#include "engine/backends/gpu/vendor_graph.h"
#include "engine/base/fail.h"

namespace cambium::gpu {
namespace {

using dnn::Descriptor, dnn::Functions;
using Direction = DnnConvolution::Direction;

constexpr std::size_t most_listed = 64, most_candidates = 10;
constexpr std::int64_t most_workspace = std::int64_t{1} << 30;
constexpr std::int64_t alignment = 16;
enum Id : std::int64_t { x_id = 1, w_id, y_id };

std::string text_of(std::size_t version) {
    return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

// Axes are listed as [N, C, H, W] and [K, C, R, S] wherever they lie in memory, here with the second one innermost.
Descriptor tensor(const Functions& dnn, Id id, const Shape& shape, DType dtype) {
    const std::array<std::int64_t, 4> sizes{shape[0], shape[3], shape[1], shape[2]};
    const std::array<std::int64_t, 4> strides{shape[1] * shape[2] * shape[3], 1, shape[2] * shape[3], shape[3]};
    Descriptor result(dnn, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    result.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, static_cast<std::int64_t>(id))
        .set(CUDNN_ATTR_TENSOR_DATA_TYPE, dtype == DType::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT)
        .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, alignment)
        .set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::span<const std::int64_t>(sizes))
        .set(CUDNN_ATTR_TENSOR_STRIDES, std::span<const std::int64_t>(strides))
        .finalize();
    return result;
}

Descriptor geometry(const Functions& dnn, const ops::Conv2d& conv) {
    const auto pair = [](const ops::Pair& values) { return std::array<std::int64_t, 2>{values[0], values[1]}; };
    const std::array<std::int64_t, 2> padding = pair(conv.padding), stride = pair(conv.stride),
                                      dilation = pair(conv.dilation);
    Descriptor result(dnn, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    result.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
        .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
        .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2})
        .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::span<const std::int64_t>(dilation))
        .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, std::span<const std::int64_t>(stride))
        .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, std::span<const std::int64_t>(padding))
        .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, std::span<const std::int64_t>(padding))
        .finalize();
    return result;
}

// The names of an operation's attributes, which each direction has for itself.
struct Names {
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t alpha, beta, conv, x, w, y;
};
Names names_of(Direction direction) {
    switch (direction) {
        case Direction::fprop:
            return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
        case Direction::dgrad:
            return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY};
        case Direction::wgrad:
            break;
    }
    return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY};
}

// Two operands and the result, in the order of Dnn::fastest().
std::array<Id, 3> ids_of(Direction direction) {
    switch (direction) {
        case Direction::fprop:
            return {x_id, w_id, y_id};
        case Direction::dgrad:
            return {y_id, w_id, x_id};
        case Direction::wgrad:
            break;
    }
    return {x_id, y_id, w_id};
}

// The GPU that is here, by a handle, or one that is described.
struct Target {
    cudnnHandle_t handle = nullptr;
    const Descriptor* described = nullptr;

    void set(Descriptor& on, cudnnBackendAttributeName_t handle_name) const {
        if (handle != nullptr) on.set(handle_name, handle);
    }
    void set_described(Descriptor& on, cudnnBackendAttributeName_t name) const {
        if (described != nullptr) on.set(name, *described);
    }
};

Descriptor graph_of(const Functions& dnn, const DnnConvolution& c, const Target& target) {
    const Id result = ids_of(c.direction)[2];
    const auto make = [&](Id id, const Shape& shape) {
        return tensor(dnn, id, shape, id == result ? c.result : c.operands);
    };
    const Names names = names_of(c.direction);
    Descriptor operation(dnn, names.type);
    operation.set(names.alpha, 1.0f)
        .set(names.beta, 0.0f)
        .set(names.conv, geometry(dnn, c.conv))
        .set(names.x, make(x_id, c.x))
        .set(names.w, make(w_id, c.w))
        .set(names.y, make(y_id, c.y))
        .finalize();
    Descriptor graph(dnn, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
    target.set(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE);
    graph.finalize();
    return graph;
}

// An engine with its settings, and what is known of it.
struct Engine {
    Descriptor config;
    std::string name;
};

bool contains(const std::vector<cudnnBackendNumericalNote_t>& notes, cudnnBackendNumericalNote_t note) {
    return std::ranges::find(notes, note) != notes.end();
}

// Nothing if its arithmetic is not what the descriptor asks for: other operands than given, or sums in less than f32.
std::optional<std::string> name_if_suitable(const Functions& dnn, const Descriptor& config, const DnnConvolution& c) {
    const std::vector<Descriptor> engine =
        config.parts(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
    if (engine.empty()) return std::nullopt;
    const auto notes = engine[0].values<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                                     CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
    if (contains(notes, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)) return std::nullopt;
    if (contains(notes, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)) return std::nullopt;
    const bool exact = c.operands == DType::f32 && !c.tf32;
    if (exact && contains(notes, CUDNN_NUMERICAL_NOTE_TENSOR_CORE)) return std::nullopt;
    std::string name = fmt::format("cuDNN {} engine {}", text_of(dnn.version()),
                                   engine[0].value<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX));
    if (contains(notes, CUDNN_NUMERICAL_NOTE_WINOGRAD)) name += " Winograd";
    if (contains(notes, CUDNN_NUMERICAL_NOTE_FFT)) name += " FFT";
    if (contains(notes, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) name += ", not reproducible";
    return name;
}

void list_engines(std::vector<Engine>& engines, const Functions& dnn, const DnnConvolution& c, const Descriptor& graph,
                  cudnnBackendHeurMode_t mode, const Target& target) {
    Descriptor heuristics(dnn, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph).set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
    target.set_described(heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP);
    if (!heuristics.try_finalize()) return;  // this list has nothing for this graph
    for (Descriptor& config :
         heuristics.parts(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, most_listed)) {
        if (auto name = name_if_suitable(dnn, config, c)) engines.push_back({std::move(config), std::move(*name)});
    }
}

struct Listed {
    Descriptor plan;
    std::string name;
    std::size_t workspace = 0;
};

// The first engines that cuDNN can build, in the order of its own guess; its last resorts only where there is no other.
std::vector<Listed> list_plans(const Functions& dnn, const DnnConvolution& c, const Target& target) {
    const Descriptor graph = graph_of(dnn, c, target);
    std::vector<Listed> plans;
    for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
        std::vector<Engine> engines;
        list_engines(engines, dnn, c, graph, mode, target);
        for (const Engine& engine : engines) {
            if (plans.size() == most_candidates) break;
            Descriptor plan(dnn, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
            plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, engine.config);
            target.set(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE);
            target.set_described(plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
            if (!plan.try_finalize()) continue;
            const auto workspace = plan.value<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
            if (workspace > most_workspace) continue;
            plans.push_back({std::move(plan), engine.name, static_cast<std::size_t>(workspace)});
        }
        if (!plans.empty()) break;
    }
    return plans;
}

}  // namespace

struct Dnn::State {
    Functions dnn;
    cudnnHandle_t handle = nullptr;
    ~State() {
        if (handle != nullptr) dnn.destroy(handle);
    }
};

class Dnn::Plan final : public VendorPlan {
  public:
    Plan(std::shared_ptr<const State> state, Listed listed, const std::array<Id, 3>& ids)
        : state_(std::move(state)), plan_(std::move(listed.plan)) {
        name = std::move(listed.name);
        workspace_bytes = listed.workspace;
        std::ranges::copy(ids, ids_.begin());
    }
    std::function<void()> bind(std::span<void* const> operands, void* workspace) const override {
        const auto pack = std::make_shared<Descriptor>(state_->dnn, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
        pack->set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const std::int64_t>(ids_))
            .set_addresses(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, operands)
            .set_addresses(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, {&workspace, 1})
            .finalize();
        return [this, pack] {
            const Functions& dnn = state_->dnn;
            dnn.check(dnn.execute(state_->handle, plan_.handle(), pack->handle()), "cudnnBackendExecute");
        };
    }

  private:
    std::shared_ptr<const State> state_;
    Descriptor plan_;
    std::array<std::int64_t, 3> ids_{};
};

Dnn::Dnn() : state_(std::make_shared<State>()) {}
Dnn::~Dnn() = default;

std::string Dnn::version() const { return text_of(state_->dnn.version()); }

std::unique_ptr<VendorPlan> Dnn::fastest(const DnnConvolution& convolution, Trial& trial, void* stream) {
    const Functions& dnn = state_->dnn;
    if (state_->handle == nullptr) dnn.check(dnn.create(&state_->handle), "cudnnCreate");
    dnn.check(dnn.set_stream(state_->handle, static_cast<cudaStream_t>(stream)), "cudnnSetStream");
    const std::array<Id, 3> ids = ids_of(convolution.direction);
    std::vector<std::unique_ptr<VendorPlan>> plans;
    for (Listed& listed : list_plans(dnn, convolution, {.handle = state_->handle})) {
        plans.push_back(std::make_unique<Plan>(state_, std::move(listed), ids));
    }
    std::array<std::size_t, 3> bytes{};
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const Shape& shape = ids[i] == x_id ? convolution.x : ids[i] == w_id ? convolution.w : convolution.y;
        bytes[i] = TensorSpec{shape, i == 2 ? convolution.result : convolution.operands}.bytes();
    }
    return gpu::fastest(std::move(plans), bytes, trial);
}

std::vector<std::string> Dnn::engines(const DnnConvolution& convolution, const std::string& device_json) const {
    Descriptor device(state_->dnn, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    device.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, std::span<const char>(device_json)).finalize();
    std::vector<std::string> names;
    for (const Listed& listed : list_plans(state_->dnn, convolution, {.described = &device}))
        names.push_back(listed.name);
    return names;
}

}  // namespace cambium::gpu
