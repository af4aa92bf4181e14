#include "engine/ops/embedding.h"

#include "engine/ops/rules.h"

namespace cambium::ops {

std::vector<TensorSpec> infer(const Embedding&, Specs inputs) {
    require_inputs(inputs, 2, 2);
    require_real(inputs[0], "the table");
    require_rank(inputs[0], 2, "the table");
    require_dtype(inputs[1], DType::i32, "the index");
    std::vector<std::int64_t> extents(inputs[1].shape.extents().begin(), inputs[1].shape.extents().end());
    extents.push_back(inputs[0].shape[1]);
    return {{Shape(extents), inputs[0].dtype}};
}
void differentiate(const Embedding&, Backward& b) {
    b.set(0, b.graph().append1(EmbeddingGradient{b.input(0).shape()[0]}, {b.gradient(), b.input(1)}));
}
double cost(const Embedding&, Specs, Specs) { return 0; }
std::string attributes(const Embedding&) { return ""; }

std::vector<TensorSpec> infer(const EmbeddingGradient& op, Specs inputs) {
    require_inputs(inputs, 2, 2);
    require_real(inputs[0], "dy");
    require_dtype(inputs[1], DType::i32, "the index");
    require(op.rows >= 0, "the table must have rows, not {}", op.rows);
    const Shape row = channels(inputs[0]);
    require(inputs[0].shape.rank() == inputs[1].shape.rank() + 1 &&
                std::ranges::equal(inputs[0].shape.extents().first(inputs[1].shape.extents().size()),
                                   inputs[1].shape.extents()),
            "dy must have one axis behind those of the index, but is {} where the index is {}",
            to_string(inputs[0].shape), to_string(inputs[1].shape));
    return {{{op.rows, row[0]}, accumulation(inputs[0].dtype)}};
}
// A sum of rows of dy: its gradient looks up the row that each went to.
void differentiate(const EmbeddingGradient&, Backward& b) { b.set(0, embedding(b.gradient(), b.input(1))); }
double cost(const EmbeddingGradient&, Specs inputs, Specs) { return elements(inputs[0]); }
std::string attributes(const EmbeddingGradient& op) { return fmt::format("rows={}", op.rows); }

}  // namespace cambium::ops
