// One optimizer step, in place where the plan allows. Rates and scales are read from memory in each run.
#include <cmath>

#include "engine/backends/cpu/prepare.h"
#include "engine/backends/cpu/tiled.h"

namespace cambium::cpu {
namespace {

using i64 = std::int64_t;

// After a bad batch (scale is not finite) outputs equal the old values.
void keep(const Operands& o, std::span<const std::pair<std::size_t, std::size_t>> pairs, i64 count) {
    for (const auto& [output, input] : pairs) {
        if (o.outputs[output] != nullptr && o.outputs[output] != o.inputs[input]) {
            std::copy_n(o.in<float>(input), count, o.out<float>(output));
        }
    }
}

// Where results that nobody reads go.
class Unread {
  public:
    Unread(const Operands& o, i64 n)
        : operands_(o), memory_(std::ranges::count(o.outputs, nullptr) > 0 ? static_cast<std::size_t>(n) : 0) {}
    float* or_output(std::size_t output, i64 offset) {
        return operands_.outputs[output] == nullptr ? memory_.data() : operands_.out<float>(output) + offset;
    }

  private:
    const Operands& operands_;
    std::vector<float> memory_;
};

}  // namespace

Prepared prepare(const ops::ClipScale& op, const NodeSpec& node) {
    return make_step(node, [op](const Operands& o) {
        const auto norm = static_cast<double>(*o.in<float>(0));
        const auto denominator = static_cast<double>(*o.in<float>(1));
        const bool good =
            std::isfinite(norm) && std::isfinite(denominator) && denominator > 0 && std::isfinite(*o.in<float>(2));
        double factor = 1;
        if (op.max_norm > 0) factor = std::min(1.0, op.max_norm / (norm / denominator + 1e-6));
        *o.out<float>(0) = static_cast<float>(good ? factor / denominator : std::nan(""));
    });
}

Prepared prepare(const ops::SgdUpdate& op, const NodeSpec& node) {
    const i64 count = node.inputs[0].tensor.shape.count();
    const bool buffered = op.momentum > 0;
    auto step = make_step(node, [=](const Operands& o) {
        const std::size_t rate = buffered ? 3 : 2;
        const SgdStep s{.rate = static_cast<float>(op.rate_factor * static_cast<double>(*o.in<float>(rate))),
                        .scale = *o.in<float>(rate + 1),
                        .momentum = static_cast<float>(op.momentum),
                        .weight_decay = static_cast<float>(op.weight_decay),
                        .nesterov = op.kind == ops::SgdUpdate::Momentum::nesterov};
        if (!std::isfinite(s.scale)) {
            constexpr std::pair<std::size_t, std::size_t> pairs[] = {{0, 0}, {1, 2}};
            return keep(o, std::span(pairs).first(buffered ? 2 : 1), count);
        }
        parallel_for(count, 16384, [&](i64 begin, i64 end) {
            Unread unread(o, end - begin);
            const float* b = buffered ? o.in<float>(2) + begin : nullptr;
            float* b_out = buffered ? unread.or_output(1, begin) : nullptr;
            kernels().elementwise.sgd(o.in<float>(0) + begin, o.in<float>(1) + begin, b, unread.or_output(0, begin),
                                      b_out, end - begin, s);
        });
    });
    step->aliases.push_back({.output = 0, .input = 0});
    if (buffered) step->aliases.push_back({.output = 1, .input = 2});
    return step;
}

Prepared prepare(const ops::AdamUpdate& op, const NodeSpec& node) {
    const i64 count = node.inputs[0].tensor.shape.count();
    auto step = make_step(node, [=](const Operands& o) {
        const double at = static_cast<double>(*o.in<std::int32_t>(6));
        const AdamStep s{.rate = static_cast<float>(op.rate_factor * static_cast<double>(*o.in<float>(4))),
                         .scale = *o.in<float>(5),
                         .epsilon = static_cast<float>(op.epsilon),
                         .weight_decay = static_cast<float>(op.weight_decay),
                         .beta1 = static_cast<float>(op.beta1),
                         .beta2 = static_cast<float>(op.beta2),
                         .rest1 = static_cast<float>(1 - op.beta1),
                         .rest2 = static_cast<float>(1 - op.beta2),
                         .correction1 = static_cast<float>(1 / (1 - std::pow(op.beta1, at))),
                         .correction2 = static_cast<float>(1 / (1 - std::pow(op.beta2, at))),
                         .decoupled = op.decay == ops::AdamUpdate::Decay::decoupled};
        if (!std::isfinite(s.scale)) {
            constexpr std::pair<std::size_t, std::size_t> pairs[] = {{0, 0}, {1, 2}, {2, 3}};
            return keep(o, pairs, count);
        }
        parallel_for(count, 16384, [&](i64 i, i64 end) {
            Unread unread(o, end - i);
            kernels().elementwise.adam(o.in<float>(0) + i, o.in<float>(1) + i, o.in<float>(2) + i, o.in<float>(3) + i,
                                       unread.or_output(0, i), unread.or_output(1, i), unread.or_output(2, i), end - i,
                                       s);
        });
    });
    step->aliases = {{.output = 0, .input = 0}, {.output = 1, .input = 2}, {.output = 2, .input = 3}};
    return step;
}

}  // namespace cambium::cpu
