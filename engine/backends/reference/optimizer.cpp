// One optimizer step for one parameter; the formulas are those of engine/ops/optimizer.h. Each element is read before
// it is written, so outputs may lie where the inputs they replace do.
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/backends/reference/reference.h"

namespace cambium::reference {
namespace {

// A bad batch changes nothing: the old value of every output that is read.
void keep(const Operands& operands, std::initializer_list<std::size_t> inputs) {
    std::size_t output = 0;
    for (const std::size_t input : inputs) {
        double* to = operands.out(output++);
        if (to != nullptr && to != operands.in(input)) std::copy_n(operands.in(input), operands.count(input), to);
    }
}

void write(double* to, std::int64_t i, double value) {
    if (to != nullptr) to[i] = value;
}

}  // namespace

void run(const ops::ClipScale& op, const Operands& operands) {
    const double norm = operands.scalar(0), denominator = operands.scalar(1), loss = operands.scalar(2);
    if (!std::isfinite(norm) || !std::isfinite(denominator) || !std::isfinite(loss) || denominator <= 0) {
        *operands.out() = std::numeric_limits<double>::quiet_NaN();
        return;
    }
    const double clip = op.max_norm == 0 ? 1 : std::min(1.0, op.max_norm / (norm / denominator + 1e-6));
    *operands.out() = clip / denominator;
}

void run(const ops::SgdUpdate& op, const Operands& operands) {
    const bool buffered = op.momentum > 0;
    const std::size_t scalars = buffered ? 3 : 2;
    const double rate = op.rate_factor * operands.scalar(scalars), scale = operands.scalar(scalars + 1);
    if (!std::isfinite(scale)) {
        if (buffered) return keep(operands, {0, 2});
        return keep(operands, {0});
    }
    const bool nesterov = op.kind == ops::SgdUpdate::Momentum::nesterov;
    for (std::int64_t i = 0; i < operands.count(); ++i) {
        const double w = operands.in(0)[i];
        const double g = scale * operands.in(1)[i] + op.weight_decay * w;
        if (!buffered) {
            write(operands.out(0), i, w - rate * g);
            continue;
        }
        const double b = op.momentum * operands.in(2)[i] + g;
        write(operands.out(0), i, w - rate * (nesterov ? g + op.momentum * b : b));
        write(operands.out(1), i, b);
    }
}

void run(const ops::AdamUpdate& op, const Operands& operands) {
    const double rate = op.rate_factor * operands.scalar(4), scale = operands.scalar(5);
    if (!std::isfinite(scale)) return keep(operands, {0, 2, 3});
    const double step = *operands.in<std::int32_t>(6);
    const bool decoupled = op.decay == ops::AdamUpdate::Decay::decoupled;
    for (std::int64_t i = 0; i < operands.count(); ++i) {
        double w = operands.in(0)[i];
        double g = scale * operands.in(1)[i];
        if (decoupled) {
            w *= 1 - rate * op.weight_decay;
        } else {
            g += op.weight_decay * w;
        }
        const double m = op.beta1 * operands.in(2)[i] + (1 - op.beta1) * g;
        const double v = op.beta2 * operands.in(3)[i] + (1 - op.beta2) * g * g;
        const double first = m / (1 - std::pow(op.beta1, step)), second = v / (1 - std::pow(op.beta2, step));
        write(operands.out(0), i, w - rate * first / (std::sqrt(second) + op.epsilon));
        write(operands.out(1), i, m);
        write(operands.out(2), i, v);
    }
}

}  // namespace cambium::reference
