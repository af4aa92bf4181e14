// Attention: both masks, single tokens and heads, lengths on either side of a register tile and of a block of queries.
#include "engine/cases/case.h"

namespace cambium::cases {
namespace {

using namespace ops;

struct Draw {
    Shape qkv, y, lse;
    AttentionMask mask;
    bool padded;
    explicit Draw(RandomStream& random) {
        const std::int64_t N = between(random, 1, 3), L = one_of<std::int64_t>(random, {1, 5, 17, 50, 97, 130});
        const std::int64_t H = between(random, 1, 2), D = one_of<std::int64_t>(random, {1, 7, 32, 65});
        qkv = {N, L, 3, H, D};
        y = {N, L, H, D};
        lse = {N, H, L};
        mask = flip(random) ? AttentionMask::causal : AttentionMask::none;
        padded = flip(random);
    }
    // From no token at all to more than there are.
    Operand count() const { return {.shape = {qkv[0]}, .fill = Fill::labels, .bound = qkv[1] + 2}; }
};

Instance attention(RandomStream& random) {
    const Draw draw(random);
    Instance instance{Attention{draw.mask}, {{.shape = draw.qkv, .differentiable = true}}};
    if (draw.padded) instance.inputs.push_back(draw.count());
    return instance;
}

Instance attention_gradient(RandomStream& random) {
    const Draw draw(random);
    Instance instance{AttentionGradient{draw.mask},
                      {{.shape = draw.y},
                       {.shape = draw.qkv},
                       {.shape = draw.y},
                       {.shape = draw.lse, .fill = Fill::positive, .storage = Storage::full}},
                      {}};
    if (draw.padded) instance.inputs.push_back(draw.count());
    return instance;
}

}  // namespace

std::vector<OpCase> attention_cases() { return {{"attention", attention}, {"attention_gradient", attention_gradient}}; }

}  // namespace cambium::cases
