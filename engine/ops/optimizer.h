// One optimizer step for one parameter. Gradients arrive as sums over the batch; `scale`, from ClipScale, turns them
// into means and clips. Where scale is not finite every output equals its old value: a bad batch changes nothing.
#pragma once

#include "engine/ops/common.h"

namespace cambium::ops {

// Inputs: norm [] (of the summed gradients), denominator [] and loss sum []. Output: scale [] = c / denominator, with
// c = min(1, max_norm / (norm / denominator + 1e-6)) as torch.nn.utils.clip_grad_norm_ has it; c = 1 where max_norm is
// 0. NaN where an input is not finite or the denominator is not positive.
struct ClipScale {
    static constexpr std::string_view name = "clip_scale";
    double max_norm = 0;  // 0: no clipping
};

// Inputs: w, gradient, momentum buffer (only if momentum > 0), rate [], scale []. Outputs: w, momentum buffer
// (likewise).
//   g = scale * gradient + weight_decay * w;  b = momentum * b + g;  w -= rate_factor * rate * (nesterov ? g + momentum
//   * b : b)
// (torch.optim.SGD with dampening 0; Sutskever et al. 2013).
struct SgdUpdate {
    static constexpr std::string_view name = "sgd_update";
    double momentum = 0, weight_decay = 0, rate_factor = 1;
    enum class Momentum : std::uint8_t { heavy_ball, nesterov } kind = Momentum::heavy_ball;
};

// Inputs: w, gradient, m, v, rate [], scale [], step i32 [] (of this update, the first is 1). Outputs: w, m, v.
//   g = scale * gradient (+ weight_decay * w if coupled);  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   w -= r * (m / (1 - b1^step)) / (sqrt(v / (1 - b2^step)) + epsilon),  r = rate_factor * rate;
//   decoupled decay first multiplies w by 1 - r * weight_decay.
// (Kingma & Ba 2015; Loshchilov & Hutter 2019; torch.optim.Adam and AdamW.)
struct AdamUpdate {
    static constexpr std::string_view name = "adam_update";
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0, rate_factor = 1;
    enum class Decay : std::uint8_t { coupled, decoupled } decay = Decay::coupled;
};

CAMBIUM_OPERATOR(ClipScale)
CAMBIUM_OPERATOR(SgdUpdate)
CAMBIUM_OPERATOR(AdamUpdate)

}  // namespace cambium::ops
