// Where the vectors of a token lie, and which tokens attend to one another: what all attention kernels share.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/gpu.h"

namespace cambium::attention {

enum class Part : std::uint8_t { query, key, value };

// The sizes, and what the softmax multiplies scores by.
struct Extents {
    std::int64_t N, L, H, D;
    float scale;  // 1 / sqrt(D)
    bool causal;
};

// One head of one sequence. `index` = n H + h.
struct Head {
    std::int64_t n, h, index;
    int present;  // tokens that are no padding

    CAMBIUM_DEVICE std::int64_t qkv(const Extents& e, Part part, std::int64_t i) const {
        return (((n * e.L + i) * 3 + static_cast<std::int64_t>(part)) * e.H + h) * e.D;
    }
    CAMBIUM_DEVICE std::int64_t y(const Extents& e, std::int64_t i) const { return ((n * e.L + i) * e.H + h) * e.D; }
    CAMBIUM_DEVICE std::int64_t lse(const Extents& e, std::int64_t i) const { return index * e.L + i; }
};

CAMBIUM_DEVICE Head head_of(const Extents& e, const std::int32_t* count, std::int64_t index) {
    Head head{index / e.H, index % e.H, index, static_cast<int>(e.L)};
    if (count != nullptr) {
        head.present = max(0, min(count[head.n], head.present));
    }
    return head;
}

// How many leading tokens query i attends to; none if it is padding itself.
CAMBIUM_DEVICE std::int64_t attended(const Extents& e, const Head& head, std::int64_t i) {
    if (i >= head.present) return 0;
    return e.causal ? i + 1 : head.present;
}

}  // namespace cambium::attention
