// Softmax and the classification loss. Both forms of label become one row of target weights t[c], so that
//   loss = Sum_c t[c] (-log p[c])  and  dlogits = p Sum_c t[c] - t.
#include <algorithm>
#include <cmath>

#include "engine/backends/reference/reference.h"
#include "engine/base/fail.h"

namespace cambium::reference {
namespace {

// log(Sum exp(x)), without overflow.
double log_sum_exp(const double* x, std::int64_t count) {
    const double largest = *std::max_element(x, x + count);
    double sum = 0;
    for (std::int64_t i = 0; i < count; ++i) sum += std::exp(x[i] - largest);
    return largest + std::log(sum);
}

// What the loss and its gradient read; `first` is the index of the logits among the inputs.
struct Classification {
    Classification(const Operands& operands, std::size_t first, double label_smoothing)
        : rows(operands.shape(first)), logits(operands.in(first)), smoothing(label_smoothing) {
        if (operands.inputs[first + 1].dtype == DType::i32) {
            labels = operands.in<std::int32_t>(first + 1);
        } else {
            probabilities = operands.in(first + 1);
        }
        if (operands.inputs.size() == first + 3) weights = operands.in(first + 2);
    }

    double weight(std::int64_t c) const { return weights != nullptr ? weights[c] : 1; }
    bool counts(std::int64_t row) const { return labels == nullptr || labels[row] >= 0; }
    double denominator(std::int64_t row) const { return labels == nullptr ? 1 : weight(labels[row]); }

    // Of a row that counts.
    std::vector<double> targets(std::int64_t row) const {
        const std::int64_t C = rows.columns;
        if (labels != nullptr && labels[row] >= C)
            fail("row {} has the label {}, but there are {} classes", row, labels[row], C);
        std::vector<double> t(static_cast<std::size_t>(C));
        for (std::int64_t c = 0; c < C; ++c) {
            const double q = labels != nullptr ? (labels[row] == c ? 1 : 0) : probabilities[row * C + c];
            t[static_cast<std::size_t>(c)] = weight(c) * ((1 - smoothing) * q + smoothing / static_cast<double>(C));
        }
        return t;
    }

    Rows rows;
    const double* logits;
    const std::int32_t* labels = nullptr;
    const double *probabilities = nullptr, *weights = nullptr;
    double smoothing;
};

}  // namespace

void run(const ops::Softmax&, const Operands& operands) {
    const Rows rows(operands.shape(0));
    for (std::int64_t row = 0; row < rows.count; ++row) {
        const double* x = operands.in(0) + row * rows.columns;
        const double total = log_sum_exp(x, rows.columns);
        for (std::int64_t c = 0; c < rows.columns; ++c) operands.out()[row * rows.columns + c] = std::exp(x[c] - total);
    }
}

void run(const ops::SoftmaxGradient&, const Operands& operands) {
    const Rows rows(operands.shape(0));
    for (std::int64_t row = 0; row < rows.count; ++row) {
        const double *dy = operands.in(0) + row * rows.columns, *y = operands.in(1) + row * rows.columns;
        double dot = 0;
        for (std::int64_t c = 0; c < rows.columns; ++c) dot += dy[c] * y[c];
        for (std::int64_t c = 0; c < rows.columns; ++c) operands.out()[row * rows.columns + c] = y[c] * (dy[c] - dot);
    }
}

void run(const ops::SoftmaxCrossEntropy& op, const Operands& operands) {
    const Classification problem(operands, 0, op.label_smoothing);
    const std::int64_t C = problem.rows.columns;
    double sum = 0, denominator = 0;
    for (std::int64_t row = 0; row < problem.rows.count; ++row) {
        if (!problem.counts(row)) continue;
        const std::vector<double> t = problem.targets(row);
        const double* logits = problem.logits + row * C;
        const double total = log_sum_exp(logits, C);
        for (std::int64_t c = 0; c < C; ++c) sum += t[static_cast<std::size_t>(c)] * (total - logits[c]);
        denominator += problem.denominator(row);
    }
    if (double* out = operands.out(0)) *out = sum;
    if (double* out = operands.out(1)) *out = denominator;
}

void run(const ops::SoftmaxCrossEntropyGradient& op, const Operands& operands) {
    const Classification problem(operands, 1, op.label_smoothing);
    const std::int64_t C = problem.rows.columns;
    std::fill_n(operands.out(), problem.rows.count * C, 0.0);
    for (std::int64_t row = 0; row < problem.rows.count; ++row) {
        if (!problem.counts(row)) continue;
        const std::vector<double> t = problem.targets(row);
        const double* logits = problem.logits + row * C;
        const double total = log_sum_exp(logits, C);
        double target_sum = 0;
        for (const double target : t) target_sum += target;
        for (std::int64_t c = 0; c < C; ++c) {
            const double p = std::exp(logits[c] - total);
            operands.out()[row * C + c] = operands.scalar(0) * (p * target_sum - t[static_cast<std::size_t>(c)]);
        }
    }
}

void run(const ops::TopKCount& op, const Operands& operands) {
    const Rows rows(operands.shape(0));
    const std::int32_t* labels = operands.in<std::int32_t>(1);
    double right = 0;
    for (std::int64_t row = 0; row < rows.count; ++row) {
        const std::int64_t label = labels[row];
        if (label < 0) continue;
        if (label >= rows.columns) fail("row {} has the label {}, but there are {} classes", row, label, rows.columns);
        const double* logits = operands.in(0) + row * rows.columns;
        std::int64_t better = 0;  // NaN counts as better: a network that yields it is never right
        for (std::int64_t c = 0; c < rows.columns; ++c) {
            const bool worse = logits[c] < logits[label] || (logits[c] == logits[label] && c >= label);
            if (!worse) ++better;
        }
        if (better < op.k) ++right;
    }
    *operands.out() = right;
}

}  // namespace cambium::reference
