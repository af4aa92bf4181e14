// The CPU backend: oneDNN for convolutions and matrix products where it is there and fast, own vectorised loops for the
// rest. Work runs where it is enqueued, so there is nothing to wait for.
#include "engine/backends/cpu/cpu_backend.h"

#include "engine/backends/cpu/emulate.h"
#include "engine/backends/cpu/layout.h"
#include "engine/backends/cpu/onednn.h"
#include "engine/backends/cpu/prepare.h"
#include "engine/backends/cpu/support.h"
#include "engine/backends/rules.h"
#include "engine/base/fail.h"
#include "engine/base/parallel.h"

namespace cambium::cpu {
namespace {

template <class T>
concept FromLibrary = std::same_as<T, ops::Conv2d> || std::same_as<T, ops::Conv2dInputGradient> ||
    std::same_as<T, ops::Conv2dFilterGradient> || std::same_as<T, ops::MatMul>;
// Run by the Program itself.
template <class T>
concept FromProgram = std::same_as<T, ops::Input> || std::same_as<T, ops::Read> || std::same_as<T, ops::Assign> ||
    std::same_as<T, ops::Fill>;

bool has_bf16(const NodeSpec& node) {
    const auto low = [](const OperandSpec& operand) { return operand.tensor.dtype == DType::bf16; };
    return std::ranges::any_of(node.inputs, low) || std::ranges::any_of(node.outputs, low);
}

class CpuBackend final : public Backend {
  public:
    explicit CpuBackend(const Options& options) : use_library_(options.library == Options::Library::used) {
        set_thread_count(thread_count());  // tells OpenMP, and so oneDNN, what our own loops use
        const bool blocked = options.activations == Options::Activations::blocked ||
                             (options.activations == Options::Activations::fastest && isa() < Isa::v4);
        if (blocked && use_library_) block_ = library_.preferred_block();
    }

    std::string_view name() const override { return "cpu"; }
    Memory& memory() override { return host_memory(); }
    void synchronize() override {}

    std::optional<std::string> unsupported(const NodeSpec& node) const override {
        if (auto missing = missing_from_table(node)) return missing;
        return std::visit([&](const auto& op) { return refused_epilogue(op, node); }, node.op);
    }

    std::unique_ptr<Executable> prepare(const NodeSpec& node) override {
        if (const auto missing = missing_from_table(node)) {
            fail("the cpu backend cannot run {} ({}): it has {}", operator_name(node), dtypes_of(node), *missing);
        }
        return std::visit([&](const auto& op) { return prepare_op(op, node); }, node.op);
    }

    std::unique_ptr<Executable> reorder(const OperandSpec& from, const Layout& to) override {
        if (auto step = reorder_blocked(from, to)) return step;
        if (auto step = library_.reorder(from, to)) return step;
        fail("the cpu backend cannot reorder {} from layout '{}' to '{}'", to_string(from.tensor), from.layout.key,
             to.key);
    }

  private:
    template <class T>
    std::unique_ptr<Executable> prepare_op(const T& op, const NodeSpec& node) {
        if constexpr (FromProgram<T>) {
            fail("the cpu backend was given {}, which the program runs itself", T::name);
        } else if constexpr (FromLibrary<T>) {
            return prepare_product(op, node);
        } else {
            return cpu::prepare(op, node);
        }
    }

    template <FromLibrary T>
    std::unique_ptr<Executable> prepare_product(const T& op, const NodeSpec& node) {
        if (auto step = from_library(op, node)) return step;
        if (!has_bf16(node)) return cpu::prepare(op, node);
        const NodeSpec wide = in_f32(node);
        std::unique_ptr<Executable> inner;
        if (use_library_) inner = library_.prepare(op, wide, 0);
        if (!inner) inner = cpu::prepare(op, wide);
        return emulate(node, std::move(inner),
                       [this](const OperandSpec& from, const Layout& to) { return reorder(from, to); });
    }

    // Null where the library lacks the node or bf16 has no instructions here.
    template <FromLibrary T>
    std::unique_ptr<Executable> from_library(const T& op, const NodeSpec& node) const {
        if (!use_library_ || (has_bf16(node) && !library_.native_bf16())) return nullptr;
        if (block_ != 0) {
            if (auto step = library_.prepare(op, node, block_)) return step;
        }
        return library_.prepare(op, node, 0);
    }

    // A fused node is worth having only if fusing does not lose the library's kernel.
    template <class T>
    std::optional<std::string> refused_epilogue(const T& op, const NodeSpec& node) const {
        if constexpr (FromLibrary<T>) {
            if (node.epilogue.empty() || from_library(op, node)) return std::nullopt;
            NodeSpec bare = node;
            bare.epilogue.clear();
            if (from_library(op, bare)) return std::string("no ") + std::string(T::name) + " with this epilogue";
        }
        return std::nullopt;
    }

    OneDnn library_;
    bool use_library_;
    int block_ = 0;
};

}  // namespace

std::unique_ptr<Backend> make_backend(const Options& options) { return std::make_unique<CpuBackend>(options); }

}  // namespace cambium::cpu

namespace cambium {

std::string onednn_version() { return cpu::OneDnn::version(); }

std::unique_ptr<Backend> make_cpu_backend() { return cpu::make_backend({}); }

}  // namespace cambium
