#include "engine/backends/gpu/support.h"

#include "engine/backends/gpu/epilogue.h"
#include "engine/backends/rules.h"

namespace cambium::gpu {
namespace {

// The letters are explained at Rule.
constexpr Rule rules[] = {
    {"matmul", "ff", "f", Epilogues::any},
    {"matmul", "bb", "r", Epilogues::any},
};

}  // namespace

std::optional<std::string> missing_from_table(const NodeSpec& node) {
    if (auto missing = missing_from(rules, node)) return missing;
    return missing_epilogue(node);
}

}  // namespace cambium::gpu
