// What a backend supports, as a table: a rule per operator and combination of dtypes. One matcher reads the tables of
// all backends, so that they say what is missing in the same words.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/backends/backend.h"

namespace cambium {

enum class Epilogues : std::uint8_t { none, any, any_and_moments };

// Operands: f f32, b bf16, r f32 or bf16, a the same but equal in the whole node, i i32, u u8, l i32 or f32 (labels), x
// anything but equal in the whole node; ? may be absent, + once or more.
struct Rule {
    std::string_view op, inputs, outputs;
    Epilogues epilogues = Epilogues::none;
};

std::string operator_name(const NodeSpec& node);
std::string dtypes_of(const NodeSpec& node);  // "f32, f32 -> bf16"
// How many inputs belong to the operator; the rest are operands of the epilogue.
std::size_t operator_inputs(const NodeSpec& node);
// Nothing if a rule admits the node, else what is missing, in words.
std::optional<std::string> missing_from(std::span<const Rule> rules, const NodeSpec& node);

}  // namespace cambium
