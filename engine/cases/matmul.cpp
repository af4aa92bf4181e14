// Matrix products: all four ways to transpose, single rows and columns, sizes on either side of a register tile.
#include "engine/cases/case.h"

namespace cambium::cases {
namespace {

using namespace ops;

Instance product(RandomStream& random) {
    const std::int64_t M = between(random, 1, 20), N = between(random, 1, 40), K = between(random, 1, 30);
    const bool ta = flip(random), tb = flip(random);
    const auto kind = [](bool transposed) { return transposed ? Transpose::yes : Transpose::no; };
    return {MatMul{kind(ta), kind(tb)},
            {{.shape = ta ? Shape{K, M} : Shape{M, K}, .differentiable = true},
             {.shape = tb ? Shape{N, K} : Shape{K, N}, .differentiable = true}}};
}

}  // namespace

std::vector<OpCase> matmul_cases() { return {{"matmul", product, OpCase::Integers::exact}}; }

}  // namespace cambium::cases
