#include "engine/backends/gpu/vendor_graph.h"

#include <algorithm>
#include <array>
#include <optional>

#include "engine/base/fail.h"

namespace cambium::gpu::dnn {
namespace {

constexpr std::array files{"libcudnn.so.9", "libcudnn.so"};
constexpr std::size_t least_version = 90000;

constexpr std::size_t most_listed = 64, most_built = 10;
constexpr std::int64_t most_workspace = std::int64_t{1} << 30;
constexpr std::int64_t alignment = 16;

bool contains(const std::vector<cudnnBackendNumericalNote_t>& notes, cudnnBackendNumericalNote_t note) {
    return std::ranges::find(notes, note) != notes.end();
}

// Nothing if its arithmetic is not what was asked for: other operands than given, or sums in less than f32.
std::optional<std::string> name_if_suitable(const Functions& dnn, const Descriptor& config, Arithmetic arithmetic) {
    const std::vector<Descriptor> engine =
        config.parts(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
    if (engine.empty()) return std::nullopt;
    const auto notes = engine[0].values<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                                     CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
    if (contains(notes, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)) return std::nullopt;
    if (contains(notes, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)) return std::nullopt;
    if (arithmetic == Arithmetic::exact && contains(notes, CUDNN_NUMERICAL_NOTE_TENSOR_CORE)) return std::nullopt;
    std::string name = fmt::format("cuDNN {} engine {}", version_text(dnn.version()),
                                   engine[0].value<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX));
    if (contains(notes, CUDNN_NUMERICAL_NOTE_WINOGRAD)) name += " Winograd";
    if (contains(notes, CUDNN_NUMERICAL_NOTE_FFT)) name += " FFT";
    if (contains(notes, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) name += ", not reproducible";
    return name;
}

Descriptor described(const Functions& dnn, std::int64_t id, const Axes& sizes, const Axes& strides, DType dtype) {
    Descriptor result(dnn, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    result.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id)
        .set(CUDNN_ATTR_TENSOR_DATA_TYPE, dtype == DType::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT)
        .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, alignment)
        .set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::span<const std::int64_t>(sizes))
        .set(CUDNN_ATTR_TENSOR_STRIDES, std::span<const std::int64_t>(strides));
    return result;
}

// An engine with its settings.
struct Engine {
    Descriptor config;
    std::string name;
};

std::vector<Engine> list_engines(const Functions& dnn, const Descriptor& graph, Arithmetic arithmetic,
                                 cudnnBackendHeurMode_t mode, [[maybe_unused]] const Target& target) {
    std::vector<Engine> engines;
    Descriptor heuristics(dnn, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph).set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
#if CUDNN_VERSION >= 90800
    if (target.described != nullptr) heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.described);
#endif
    if (!heuristics.try_finalize()) return engines;  // this list has nothing for this graph
    for (Descriptor& config :
         heuristics.parts(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, most_listed)) {
        if (auto name = name_if_suitable(dnn, config, arithmetic))
            engines.push_back({std::move(config), std::move(*name)});
    }
    return engines;
}

}  // namespace

std::string version_text(std::size_t version) {
    return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

Functions::Functions() : library("cuDNN", "CAMBIUM_CUDNN", files) {
    library.find(version, "cudnnGetVersion");
    if (version() < least_version) fail("cuDNN is too old here ({}); install version 9", version());
    library.find(status_text, "cudnnGetErrorString");
    library.find(create, "cudnnCreate");
    library.find(destroy, "cudnnDestroy");
    library.find(set_stream, "cudnnSetStream");
    library.find(create_descriptor, "cudnnBackendCreateDescriptor");
    library.find(destroy_descriptor, "cudnnBackendDestroyDescriptor");
    library.find(set, "cudnnBackendSetAttribute");
    library.find(get, "cudnnBackendGetAttribute");
    library.find(finalize, "cudnnBackendFinalize");
    library.find(execute, "cudnnBackendExecute");
}

void Functions::check(cudnnStatus_t status, const char* what) const {
    if (status != CUDNN_STATUS_SUCCESS) fail("cuDNN failed in {}: {}", what, status_text(status));
}

Descriptor::Descriptor(const Functions& dnn, cudnnBackendDescriptorType_t type) : dnn_(&dnn) {
    dnn.check(dnn.create_descriptor(type, &handle_), "cudnnBackendCreateDescriptor");
}

Descriptor::~Descriptor() {
    if (handle_ != nullptr) dnn_->destroy_descriptor(handle_);
}

std::vector<Descriptor> Descriptor::parts(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                          std::size_t most) const {
    std::vector<Descriptor> result;
    std::vector<cudnnBackendDescriptor_t> handles;
    for (std::size_t i = 0; i < most; ++i) handles.push_back(result.emplace_back(*dnn_, type).handle_);
    std::int64_t count = 0;
    dnn_->check(dnn_->get(handle_, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<std::int64_t>(most), &count,
                          handles.data()),
                "cudnnBackendGetAttribute");
    result.erase(result.begin() + std::min<std::ptrdiff_t>(count, std::ssize(result)), result.end());
    return result;
}

Session::~Session() {
    if (handle != nullptr) dnn.destroy(handle);
}

void Session::start(void* stream) {
    if (handle == nullptr) dnn.check(dnn.create(&handle), "cudnnCreate");
    dnn.check(dnn.set_stream(handle, static_cast<cudaStream_t>(stream)), "cudnnSetStream");
}

Descriptor tensor(const Functions& dnn, std::int64_t id, const Axes& sizes, const Axes& strides, DType dtype) {
    Descriptor result = described(dnn, id, sizes, strides, dtype);
    result.finalize();
    return result;
}

Descriptor between(const Functions& dnn, std::int64_t id, const Axes& sizes, const Axes& strides, DType dtype) {
    Descriptor result = described(dnn, id, sizes, strides, dtype);
    result.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, true).finalize();
    return result;
}

Descriptor constant(const Functions& dnn, std::int64_t id) {
    constexpr Axes one{1, 1, 1, 1};
    Descriptor result = described(dnn, id, one, one, DType::f32);
    result.set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, true).finalize();
    return result;
}

Descriptor graph_of(const Functions& dnn, std::span<const Descriptor> operations, const Target& target) {
    std::vector<cudnnBackendDescriptor_t> handles;
    for (const Descriptor& operation : operations) handles.push_back(operation.handle());
    Descriptor graph(dnn, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, std::span<const cudnnBackendDescriptor_t>(handles));
    if (target.handle != nullptr) graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, target.handle);
    graph.finalize();
    return graph;
}

std::vector<BuiltPlan> build_plans(const Functions& dnn, const Descriptor& graph, Arithmetic arithmetic,
                                   const Target& target) {
    std::vector<BuiltPlan> plans;
    for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
        for (const Engine& engine : list_engines(dnn, graph, arithmetic, mode, target)) {
            if (plans.size() == most_built) break;
            Descriptor plan(dnn, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
            plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, engine.config);
            if (target.handle != nullptr) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target.handle);
#if CUDNN_VERSION >= 90800
            if (target.described != nullptr) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target.described);
#endif
            if (!plan.try_finalize()) continue;
            const auto workspace = plan.value<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
            if (workspace > most_workspace) continue;
            plans.push_back({std::move(plan), engine.name, static_cast<std::size_t>(workspace)});
        }
        if (!plans.empty()) break;
    }
    return plans;
}

GraphPlan::GraphPlan(std::shared_ptr<const Session> session, BuiltPlan built, std::vector<std::int64_t> ids,
                     std::vector<Constant> constants)
    : session_(std::move(session)),
      plan_(std::move(built.plan)),
      ids_(std::move(ids)),
      constants_(std::move(constants)) {
    name = std::move(built.name);
    workspace_bytes = built.workspace;
    for (const Constant& constant : constants_) ids_.push_back(constant.id);
}

std::function<void()> GraphPlan::bind(std::span<void* const> operands, void* workspace) const {
    std::vector<void*> addresses(operands.begin(), operands.end());
    for (Constant& constant : constants_) addresses.push_back(&constant.value);
    const auto pack = std::make_shared<Descriptor>(session_->dnn, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack->set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const std::int64_t>(ids_))
        .set_addresses(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, addresses)
        .set_addresses(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, {&workspace, 1})
        .finalize();
    return [this, pack] {
        const Functions& dnn = session_->dnn;
        dnn.check(dnn.execute(session_->handle, plan_.handle(), pack->handle()), "cudnnBackendExecute");
    };
}

}  // namespace cambium::gpu::dnn
