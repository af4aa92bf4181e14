// Embedding: rows named often, never, and indices outside the table.
#include "engine/cases/case.h"

namespace cambium::cases {
namespace {

using namespace ops;

Operand index(RandomStream& random, std::int64_t rows) {
    Operand operand{.shape = any_shape(random, 2), .fill = Fill::labels, .bound = rows + 1};
    return operand;
}

Instance embedding(RandomStream& random) {
    const std::int64_t V = between(random, 1, 12), E = between(random, 1, 40);
    return {Embedding{}, {{.shape = {V, E}, .storage = Storage::full, .differentiable = true}, index(random, V)}};
}

Instance embedding_gradient(RandomStream& random) {
    const std::int64_t V = between(random, 1, 12), E = between(random, 1, 40);
    const Operand at = index(random, V);
    std::vector<std::int64_t> dy(at.shape.extents().begin(), at.shape.extents().end());
    dy.push_back(E);
    return {EmbeddingGradient{V}, {{.shape = Shape(dy), .differentiable = true}, at}};
}

}  // namespace

std::vector<OpCase> embedding_cases() {
    using enum OpCase::Integers;
    return {{"embedding", embedding, exact}, {"embedding_gradient", embedding_gradient, exact}};
}

}  // namespace cambium::cases
