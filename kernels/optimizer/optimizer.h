// Optimizer steps: the host's side. One parameter at a time, as the engine's operators are, or all parameters of a
// network in one launch, from a table that lies on the device; both run the same function of an element (rules.cuh).
//
// Master weights, gradients and state are f32. Gradients arrive as sums over a batch; `scale`, a number on the device,
// turns them into means and clips. Where it is not finite nothing changes. All that differs from step to step is read
// from device memory, so that a recorded step can be replayed. An element's arithmetic does not depend on how the work
// is cut. All throw UsageError, before anything is launched, where a size, a pointer or a constant makes no sense.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/numeric.h"
#include "kernels/gpu/launch.h"

namespace cambium::optimizer {

enum class Variant : std::uint8_t {
    plain,  // an element an access: what vector accesses are judged against
    tuned,  // 16 bytes an access
};

// torch.optim.SGD with dampening 0 (Sutskever et al. 2013):
//   g = scale * gradient + weight_decay * (w - anchor);  b = momentum * b + g
//   w -= rate_factor * rate * (nesterov ? g + momentum * b : b)
struct Sgd {
    double momentum = 0;
    enum class Kind : std::uint8_t { heavy_ball, nesterov } kind = Kind::heavy_ball;
};

// torch.optim.Adam and AdamW (Kingma & Ba 2015; Loshchilov & Hutter 2019):
//   g = scale * gradient (+ weight_decay * (w - anchor) if coupled)
//   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   w -= r * (m / (1 - b1^step)) / (sqrt(v / (1 - b2^step)) + epsilon),  r = rate_factor * rate;
//   decoupled decay first takes r * weight_decay * (w - anchor) off w.
struct Adam {
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    enum class Decay : std::uint8_t { coupled, decoupled } decay = Decay::coupled;
};

// One parameter of `count` elements: its values before, and where those after the step go, which may be the same place.
struct Parameter {
    std::int64_t count = 0;
    const float *w = nullptr, *gradient = nullptr;
    const float *first = nullptr, *second = nullptr;  // SGD: the momentum buffer, if momentum > 0; Adam: m and v
    float *new_w = nullptr, *new_first = nullptr, *new_second = nullptr;  // null: nobody reads it
    const float* anchor = nullptr;  // what decay pulls toward, as the pretrained weights of L2-SP (Li et al. 2018);
                                    // null: 0
    bf16* copy = nullptr;           // of the new w, for low-precision products; null: none
    float* average = nullptr;       // += average_rate * (new w - average); null: none
    float weight_decay = 0, rate_factor = 1;
};

// f32 [] and i32 [] on the device.
struct Scalars {
    const float *rate = nullptr, *scale = nullptr;
    const std::int32_t* step = nullptr;   // of this update, the first is 1; Adam reads it
    const float* average_rate = nullptr;  // where any parameter has an average
};

// One parameter.
void update(const Sgd& rule, const Parameter& parameter, const Scalars& scalars, dev::Stream& stream,
            Variant variant = Variant::tuned);
void update(const Adam& rule, const Parameter& parameter, const Scalars& scalars, dev::Stream& stream,
            Variant variant = Variant::tuned);

// All parameters. A block takes one piece: at most kPieceElements elements of one parameter.
inline constexpr std::int64_t kPieceElements = 4096;
struct Piece {
    std::int64_t begin, end;
    std::int64_t parameter;
};
// The pieces of a table, in its order; they and the table are then brought to the device once. Throws if a parameter
// makes no sense for the rule.
std::vector<Piece> pieces_of(const Sgd& rule, std::span<const Parameter> table);
std::vector<Piece> pieces_of(const Adam& rule, std::span<const Parameter> table);
struct Table {
    const Parameter* parameters = nullptr;  // on the device
    const Piece* pieces = nullptr;          // on the device
    std::int64_t piece_count = 0;
};
void update_all(const Sgd& rule, const Table& table, const Scalars& scalars, dev::Stream& stream,
                Variant variant = Variant::tuned);
void update_all(const Adam& rule, const Table& table, const Scalars& scalars, dev::Stream& stream,
                Variant variant = Variant::tuned);

// scale = c / denominator, with c = min(1, max_norm / (norm / denominator + 1e-6)) as torch.nn.utils.clip_grad_norm_
// has it; c = 1 where max_norm is 0. NaN where an input is not finite or the denominator is not positive. All f32 [] on
// the device. With counters, *attempts grows by one, and *steps too where scale is finite; null: none. A single thread:
// there is nothing to tune.
struct Begin {
    double max_norm = 0;
    const float *norm = nullptr, *denominator = nullptr, *loss = nullptr;
    float* scale = nullptr;
    std::int32_t *steps = nullptr, *attempts = nullptr;
};
void begin_step(const Begin& begin, dev::Stream& stream);

}  // namespace cambium::optimizer
