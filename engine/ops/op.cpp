#include "engine/ops/op.h"

#include "engine/base/fail.h"
#include "engine/ops/epilogue.h"

namespace cambium {

Op::Op(const Op& other) = default;
Op::Op(Op&& other) noexcept = default;
Op& Op::operator=(const Op& other) = default;
Op& Op::operator=(Op&& other) noexcept = default;
Op::~Op() = default;

std::string_view name_of(const Op& op) {
    return std::visit([](const auto& o) { return std::decay_t<decltype(o)>::name; }, op);
}

std::vector<TensorSpec> infer(const Op& op, ops::Specs inputs) {
    try {
        return std::visit([&](const auto& o) { return ops::infer(o, inputs); }, op);
    } catch (const Error& error) {
        fail("{}: {}", describe(op, inputs), error.what());
    }
}

double cost(const Op& op, ops::Specs inputs, ops::Specs outputs) {
    return std::visit([&](const auto& o) { return ops::cost(o, inputs, outputs); }, op);
}

std::string attributes(const Op& op) {
    return std::visit([](const auto& o) { return ops::attributes(o); }, op);
}

std::string describe(const Op& op, ops::Specs inputs) {
    std::string text(name_of(op));
    if (const std::string list = attributes(op); !list.empty()) text += " " + list;
    text += " (";
    for (std::size_t i = 0; i < inputs.size(); ++i) text += (i > 0 ? ", " : "") + to_string(inputs[i]);
    return text + ")";
}

bool takes_moments(const std::vector<EpilogueStep>& epilogue) {
    return !epilogue.empty() && epilogue.back().kind == EpilogueStep::Kind::moments;
}

std::string to_string(const std::vector<EpilogueStep>& epilogue) {
    std::string text;
    for (const EpilogueStep& step : epilogue) {
        if (!text.empty()) text += " ";
        switch (step.kind) {
            case EpilogueStep::Kind::add_bias:
                text += "+bias";
                break;
            case EpilogueStep::Kind::scale_shift:
                text += "*scale+shift";
                break;
            case EpilogueStep::Kind::add:
                text += "+add";
                break;
            case EpilogueStep::Kind::relu:
                text += "relu";
                break;
            case EpilogueStep::Kind::gelu:
                text += "gelu";
                break;
            case EpilogueStep::Kind::moments:
                text += "moments";
                break;
        }
    }
    return text;
}

}  // namespace cambium
