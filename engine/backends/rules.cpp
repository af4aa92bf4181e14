#include "engine/backends/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace cambium {
namespace {

// Holds the dtype that all `a` or `x` of a node share.
class Matcher {
  public:
    bool match(std::string_view pattern, std::span<const DType> dtypes) {
        std::size_t at = 0;
        for (std::size_t i = 0; i < pattern.size(); ++i) {
            const char kind = pattern[i], count = i + 1 < pattern.size() ? pattern[i + 1] : ' ';
            const bool optional = count == '?', repeated = count == '+';
            if (optional || repeated) ++i;
            if (at == dtypes.size()) {
                if (!optional) return false;
                continue;
            }
            do {
                if (!one(kind, dtypes[at++])) return false;
            } while (repeated && at < dtypes.size());
        }
        return at == dtypes.size();
    }

  private:
    bool one(char kind, DType dtype) {
        const bool real = dtype == DType::f32 || dtype == DType::bf16;
        switch (kind) {
            case 'f':
                return dtype == DType::f32;
            case 'b':
                return dtype == DType::bf16;
            case 'i':
                return dtype == DType::i32;
            case 'u':
                return dtype == DType::u8;
            case 'l':
                return dtype == DType::i32 || dtype == DType::f32;
            case 'r':
                return real;
            case 'a':
                return real && same(dtype);
            default:
                return same(dtype);
        }
    }
    bool same(DType dtype) {
        if (!shared_) shared_ = dtype;
        return *shared_ == dtype;
    }
    std::optional<DType> shared_;
};

std::optional<std::string> missing_epilogue(const NodeSpec& node) {
    for (const EpilogueStep& step : node.epilogue) {
        for (const int operand : {step.operand, step.second_operand}) {
            if (operand < 0) continue;
            const DType dtype = node.inputs[static_cast<std::size_t>(operand)].tensor.dtype;
            const bool low = dtype == DType::bf16 && step.kind == EpilogueStep::Kind::add;
            if (dtype != DType::f32 && !low) return fmt::format("no epilogue with a {} operand", name_of(dtype));
        }
    }
    return std::nullopt;
}

std::vector<DType> dtypes(std::span<const OperandSpec> operands) {
    std::vector<DType> result;
    for (const OperandSpec& operand : operands) result.push_back(operand.tensor.dtype);
    return result;
}

}  // namespace

std::size_t operator_inputs(const NodeSpec& node) {
    std::size_t count = node.inputs.size();
    for (const EpilogueStep& step : node.epilogue) {
        for (const int operand : {step.operand, step.second_operand}) {
            if (operand >= 0) count = std::min(count, static_cast<std::size_t>(operand));
        }
    }
    return count;
}

std::string operator_name(const NodeSpec& node) {
    return std::visit([](const auto& op) { return std::string(std::decay_t<decltype(op)>::name); }, node.op);
}

std::string dtypes_of(const NodeSpec& node) {
    std::string text;
    for (const OperandSpec& input : node.inputs) {
        text += fmt::format("{}{}", text.empty() ? "" : ", ", name_of(input.tensor.dtype));
    }
    text += " ->";
    for (const OperandSpec& output : node.outputs) text += fmt::format(" {}", name_of(output.tensor.dtype));
    return text;
}

std::optional<std::string> missing_from(std::span<const Rule> rules, const NodeSpec& node) {
    const std::string name = operator_name(node);
    const bool moments = takes_moments(node.epilogue);
    const std::vector<DType> all = dtypes(node.inputs), results = dtypes(node.outputs);
    const std::span<const DType> inputs = std::span(all).first(operator_inputs(node)),
                                 outputs = std::span(results).first(results.size() - (moments ? 2 : 0));
    bool known = false;
    for (const Rule& rule : rules) {
        if (rule.op != name) continue;
        known = true;
        Matcher matcher;
        if (!matcher.match(rule.inputs, inputs) || !matcher.match(rule.outputs, outputs)) continue;
        if (node.epilogue.empty()) return std::nullopt;
        if (rule.epilogues == Epilogues::none) return fmt::format("no {} with an epilogue", name);
        if (moments && rule.epilogues != Epilogues::any_and_moments) return fmt::format("no {} with moments", name);
        return missing_epilogue(node);
    }
    if (!known) return fmt::format("no {}", name);
    return fmt::format("no {} on {}", name, dtypes_of(node));
}

}  // namespace cambium
