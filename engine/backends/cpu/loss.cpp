// Softmax and the classification loss, row by row. Exponentials and sums are f64: there are few rows, and the loss is
// what people compare.
#include <cmath>

#include "engine/backends/cpu/prepare.h"
#include "engine/backends/cpu/tiled.h"

namespace cambium::cpu {
namespace {

using i64 = std::int64_t;

i64 row_grain(i64 c) { return std::max<i64>(1, 2048 / std::max<i64>(1, c)); }

struct Normalizer {
    double largest, log_sum;  // log p[c] = x[c] - largest - log_sum
};

Normalizer normalizer(const float* x, i64 c) {
    float largest = x[0];
    for (i64 k = 1; k < c; ++k) largest = x[k] > largest ? x[k] : largest;
    double sum = 0;
    for (i64 k = 0; k < c; ++k) sum += std::exp(static_cast<double>(x[k]) - static_cast<double>(largest));
    return {static_cast<double>(largest), std::log(sum)};
}

// What a row asks of each class: target[c], such that the row's loss is Sum_c target[c] (-log p[c]).
class Targets {
  public:
    Targets(const NodeSpec& node, std::size_t logits, double smoothing)
        : labels_(logits + 1),
          classes_(node.inputs[logits].tensor.shape[1]),
          soft_(node.inputs[labels_].tensor.dtype != DType::i32),
          weighted_(node.inputs.size() > labels_ + 1),
          smoothing_(smoothing) {}

    i64 classes() const { return classes_; }
    // Fills target and returns the row's denominator. A row that is left out has zeros.
    double fill(const Operands& o, i64 row, double* target) const {
        const float* weights = weighted_ ? o.in<float>(labels_ + 1) : nullptr;
        const double even = smoothing_ / static_cast<double>(classes_);
        if (soft_) {
            const float* q = o.in<float>(labels_) + row * classes_;
            for (i64 k = 0; k < classes_; ++k) {
                target[k] = weight(weights, k) * ((1 - smoothing_) * static_cast<double>(q[k]) + even);
            }
            return 1;
        }
        const std::int32_t label = o.in<std::int32_t>(labels_)[row];
        if (label < 0) {
            std::fill_n(target, classes_, 0.0);
            return 0;
        }
        for (i64 k = 0; k < classes_; ++k) target[k] = even * weight(weights, k);
        if (label >= classes_) return std::nan("");  // no such class: seen as a loss that is not finite
        target[label] += (1 - smoothing_) * weight(weights, label);
        return weight(weights, label);
    }

  private:
    static double weight(const float* weights, i64 k) {
        return weights == nullptr ? 1.0 : static_cast<double>(weights[k]);
    }
    std::size_t labels_;
    i64 classes_;
    bool soft_, weighted_;
    double smoothing_;
};

}  // namespace

Prepared prepare(const ops::Softmax&, const NodeSpec& node) {
    const TensorSpec& spec = node.inputs[0].tensor;
    const i64 c = spec.shape[-1];
    NodeSpec plain = node;
    plain.inputs[0].layout = {};
    return make_tiled(plain, 1, Channels::last_axis,
                      [c](const Operands&, const Tile& tile, const float* const* x, float* y) {
                          for (i64 row = 0; row < tile.rows; ++row) {
                              const Normalizer n = normalizer(x[0] + row * c, c);
                              for (i64 k = 0; k < c; ++k) {
                                  const double log_p = static_cast<double>(x[0][row * c + k]) - n.largest - n.log_sum;
                                  y[row * c + k] = static_cast<float>(std::exp(log_p));
                              }
                          }
                      });
}

Prepared prepare(const ops::SoftmaxGradient&, const NodeSpec& node) {
    NodeSpec plain = node;
    for (OperandSpec& input : plain.inputs) input.layout = {};
    return make_tiled(plain, 2, Channels::last_axis,
                      [](const Operands&, const Tile& tile, const float* const* x, float* dx) {
                          for (i64 row = 0; row < tile.rows; ++row) {
                              const float* dy = x[0] + row * tile.c;
                              const float* y = x[1] + row * tile.c;
                              double sum = 0;
                              for (i64 k = 0; k < tile.c; ++k) {
                                  sum += static_cast<double>(dy[k]) * static_cast<double>(y[k]);
                              }
                              for (i64 k = 0; k < tile.c; ++k) {
                                  const double slope = static_cast<double>(dy[k]) - sum;
                                  dx[row * tile.c + k] = static_cast<float>(static_cast<double>(y[k]) * slope);
                              }
                          }
                      });
}

Prepared prepare(const ops::SoftmaxCrossEntropy& op, const NodeSpec& node) {
    const Targets targets(node, 0, op.label_smoothing);
    const i64 rows = node.inputs[0].tensor.shape[0], c = targets.classes();
    auto step = make_step(node, [=](const Operands& o) {
        double* losses = o.scratch<double>();
        double* denominators = losses + rows;
        parallel_for(rows, row_grain(c), [&](i64 begin, i64 end) {
            std::vector<double> target(static_cast<std::size_t>(c));
            for (i64 row = begin; row < end; ++row) {
                denominators[row] = targets.fill(o, row, target.data());
                losses[row] = 0;
                if (denominators[row] == 0 && std::ranges::all_of(target, [](double t) { return t == 0; })) continue;
                const float* x = o.in<float>(0) + row * c;
                const Normalizer n = normalizer(x, c);
                for (i64 k = 0; k < c; ++k) {
                    const double t = target[static_cast<std::size_t>(k)];
                    if (t != 0) losses[row] += t * (n.log_sum + n.largest - static_cast<double>(x[k]));
                }
            }
        });
        double sum = 0, denominator = 0;
        for (i64 row = 0; row < rows; ++row) {
            sum += losses[row];
            denominator += denominators[row];
        }
        if (std::isnan(denominator)) sum = denominator;
        if (o.outputs[0] != nullptr) *o.out<float>(0) = static_cast<float>(sum);
        if (o.outputs[1] != nullptr) *o.out<float>(1) = static_cast<float>(denominator);
    });
    step->workspace_bytes = static_cast<std::size_t>(2 * rows) * sizeof(double);
    return step;
}

// dlogits[c] = dsum (p[c] Sum_k target[k] - target[c])
Prepared prepare(const ops::SoftmaxCrossEntropyGradient& op, const NodeSpec& node) {
    const Targets targets(node, 1, op.label_smoothing);
    const i64 rows = node.inputs[1].tensor.shape[0], c = targets.classes();
    const DType dtype = node.outputs[0].tensor.dtype;
    return make_step(node, [=](const Operands& o) {
        const auto dsum = static_cast<double>(*o.in<float>(0));
        parallel_for(rows, row_grain(c), [&](i64 begin, i64 end) {
            std::vector<double> target(static_cast<std::size_t>(c));
            std::vector<float> low(dtype == DType::f32 ? 0 : target.size());
            for (i64 row = begin; row < end; ++row) {
                const bool unknown = std::isnan(targets.fill(o, row, target.data()));
                const float* x = o.in<float>(1) + row * c;
                float* dx = dtype == DType::f32 ? o.out<float>(0) + row * c : low.data();
                double total = unknown ? std::nan("") : 0;
                for (const double t : target) total += t;
                const Normalizer n = normalizer(x, c);
                for (i64 k = 0; k < c; ++k) {
                    const double p = std::exp(static_cast<double>(x[k]) - n.largest - n.log_sum);
                    // A row left out gives zeros even where its logits are not finite.
                    const double slope = total == 0 ? 0 : p * total;
                    dx[k] = static_cast<float>(dsum * (slope - target[static_cast<std::size_t>(k)]));
                }
                if (dtype == DType::bf16) kernels().elementwise.narrow(dx, o.out<bf16>(0) + row * c, c);
            }
        });
    });
}

// A class stands before the label if its logit is larger, or equal with a lower index; NaN before everything.
Prepared prepare(const ops::TopKCount& op, const NodeSpec& node) {
    const i64 rows = node.inputs[0].tensor.shape[0], c = node.inputs[0].tensor.shape[1];
    auto step = make_step(node, [=](const Operands& o) {
        auto* hits = o.scratch<std::uint8_t>();
        parallel_for(rows, row_grain(c), [&](i64 begin, i64 end) {
            for (i64 row = begin; row < end; ++row) {
                const float* x = o.in<float>(0) + row * c;
                const i64 label = o.in<std::int32_t>(1)[row];
                hits[row] = 0;
                if (label < 0 || label >= c) continue;
                i64 before = 0;
                for (i64 k = 0; k < c; ++k) {
                    if (k == label) continue;
                    before += !(x[k] < x[label]) && (x[k] != x[label] || k < label) ? 1 : 0;
                }
                hits[row] = before < op.k && x[label] == x[label] ? 1 : 0;
            }
        });
        i64 count = 0;
        for (i64 row = 0; row < rows; ++row) count += hits[row];
        *o.out<float>(0) = static_cast<float>(count);
    });
    step->workspace_bytes = static_cast<std::size_t>(rows);
    return step;
}

}  // namespace cambium::cpu
