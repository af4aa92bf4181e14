// Questions about which operator it is.
#pragma once

#include "engine/ops/op.h"

namespace cambium {

template <class... Ops>
bool is_any(const Op& op) {
    return (std::holds_alternative<Ops>(op) || ...);
}

// Whether it multiplies matrices, on tensor cores where the device and the precision have them.
inline bool multiplies(const Op& op) {
    return is_any<ops::Conv2d, ops::Conv2dInputGradient, ops::Conv2dFilterGradient, ops::MatMul, ops::Attention,
                  ops::AttentionGradient>(op);
}

}  // namespace cambium
