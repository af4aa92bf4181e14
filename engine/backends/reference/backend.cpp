// The reference backend: wraps run() of reference.h. Reals are f64 and nothing is fused, packed or aliased, but for the
// optimizer updates, which may write over what they update.
#include "engine/backends/backend.h"

#include <type_traits>

#include "engine/backends/reference/reference.h"
#include "engine/base/fail.h"

namespace cambium {
namespace {

using reference::Operands;

// Sources and assigns are the compiler's own: they compute nothing.
template <class T>
inline constexpr bool belongs_to_program = std::is_same_v<T, ops::Input> || std::is_same_v<T, ops::Read> ||
                                           std::is_same_v<T, ops::Assign> || std::is_same_v<T, ops::Fill>;

bool is_supported(DType dtype) { return dtype == DType::f64 || dtype == DType::i32 || dtype == DType::u8; }

std::optional<std::string> missing(const OperandSpec& operand) {
    const DType dtype = operand.tensor.dtype;
    if (!operand.layout.plain()) return "it knows only the plain layout";
    if (is_supported(dtype)) return {};
    return fmt::format("it computes in f64, not {}; compile with Precision::f64", name_of(dtype));
}

std::vector<Alias> aliases_of(const Op& op) {
    if (const auto* sgd = std::get_if<ops::SgdUpdate>(&op)) {
        if (sgd->momentum > 0) return {{.output = 0, .input = 0}, {.output = 1, .input = 2}};
        return {{.output = 0, .input = 0}};
    }
    if (std::holds_alternative<ops::AdamUpdate>(op)) {
        return {{.output = 0, .input = 0}, {.output = 1, .input = 2}, {.output = 2, .input = 3}};
    }
    return {};
}

class Loops final : public Executable {
  public:
    explicit Loops(const NodeSpec& node) : op_(node.op) {
        for (const OperandSpec& input : node.inputs) operands_.inputs.push_back(input.tensor);
        for (const OperandSpec& output : node.outputs) operands_.outputs.push_back(output.tensor);
        aliases = aliases_of(op_);
        provider = "reference f64";
    }

    void bind(std::span<void* const> inputs, std::span<void* const> outputs, void*) override {
        operands_.input_data.assign(inputs.begin(), inputs.end());
        operands_.output_data.assign(outputs.begin(), outputs.end());
    }

    void enqueue() override {
        std::visit(
            [this](const auto& op) {
                if constexpr (!belongs_to_program<std::decay_t<decltype(op)>>) reference::run(op, operands_);
            },
            op_);
    }

  private:
    Op op_;
    Operands operands_;
};

class ReferenceBackend final : public Backend {
  public:
    std::string_view name() const override { return "reference"; }
    Memory& memory() override { return host_memory(); }

    std::optional<std::string> unsupported(const NodeSpec& node) const override {
        const bool program =
            std::visit([](const auto& op) { return belongs_to_program<std::decay_t<decltype(op)>>; }, node.op);
        if (program) return "a program handles it without a backend";
        if (!node.epilogue.empty()) return "it fuses nothing";
        for (const auto* operands : {&node.inputs, &node.outputs}) {
            for (const OperandSpec& operand : *operands) {
                if (std::optional<std::string> reason = missing(operand)) return reason;
            }
        }
        return {};
    }

    std::unique_ptr<Executable> prepare(const NodeSpec& node) override {
        if (const std::optional<std::string> reason = unsupported(node)) {
            fail("the reference backend cannot run {}: {}", describe(node), *reason);
        }
        return std::make_unique<Loops>(node);
    }

    std::unique_ptr<Executable> reorder(const OperandSpec& from, const Layout& to) override {
        fail("the reference backend cannot reorder {} from layout '{}' to '{}': it knows only the plain layout",
             to_string(from.tensor), from.layout.key, to.key);
    }

    void synchronize() override {}  // enqueue() returns when the work is done
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace cambium
