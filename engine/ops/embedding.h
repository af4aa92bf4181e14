// Rows of a table, looked up by index.
#pragma once

#include "engine/ops/common.h"

namespace cambium::ops {

// Inputs: table [V, E], index i32 [...]. Output: [..., E], the rows named by index; zeros where it lies outside
// [0, V), so -1 can stand for padding.
struct Embedding {
    static constexpr std::string_view name = "embedding";
};

// Inputs: dy [..., E], index i32 [...]. Output: dtable [rows, E], for each row the sum of dy where index names it, in
// the order of the index; always f32 (or f64).
struct EmbeddingGradient {
    static constexpr std::string_view name = "embedding_gradient";
    std::int64_t rows = 0;
};

CAMBIUM_OPERATOR(Embedding)
CAMBIUM_OPERATOR(EmbeddingGradient)

}  // namespace cambium::ops
