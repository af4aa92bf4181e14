#include "tools/training/metrics.h"

#include <algorithm>
#include <cmath>

#include "engine/base/fail.h"

namespace cambium {
namespace {

double log_sum_exp(std::span<const float> row) {
    const double largest = static_cast<double>(*std::max_element(row.begin(), row.end()));
    double sum = 0;
    for (const float value : row) sum += std::exp(static_cast<double>(value) - largest);
    return largest + std::log(sum);
}

// How many classes come before `label`.
std::size_t rank_of(std::span<const float> row, std::size_t label) {
    std::size_t rank = 0;
    for (std::size_t c = 0; c < row.size(); ++c) rank += row[c] > row[label] || (row[c] == row[label] && c < label);
    return rank;
}

double ratio(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

void finish(Scores& scores) {
    std::int64_t occurring = 0, most = 0;
    for (ClassScore& c : scores.classes) {
        c.recall = ratio(c.right, c.count);
        c.precision = ratio(c.right, c.predicted);
        c.f1 = ratio(2 * c.right, c.count + c.predicted);
        if (c.count == 0) continue;
        ++occurring;
        most = std::max(most, c.count);
        scores.balanced_accuracy += c.recall;
        scores.macro_f1 += c.f1;
    }
    scores.balanced_accuracy /= static_cast<double>(occurring);
    scores.macro_f1 /= static_cast<double>(occurring);
    scores.majority = ratio(most, scores.count);
}

std::span<const float> row_of(const Tensor& logits, std::size_t n) {
    const auto classes = static_cast<std::size_t>(logits.shape()[1]);
    return logits.values<float>().subspan(n * classes, classes);
}

}  // namespace

Scores score(const Tensor& logits, const std::vector<int>& labels) {
    if (labels.empty() || logits.shape().rank() != 2 || logits.shape()[0] != static_cast<std::int64_t>(labels.size())) {
        fail("cannot score logits {} against {} labels", to_string(logits.spec()), labels.size());
    }
    const auto classes = static_cast<std::size_t>(logits.shape()[1]);
    Scores scores{.count = static_cast<std::int64_t>(labels.size())};
    scores.classes.resize(classes);
    scores.confusion.assign(classes * classes, 0);
    std::int64_t right = 0, among5 = 0;
    for (std::size_t n = 0; n < labels.size(); ++n) {
        const std::span<const float> row = row_of(logits, n);
        const auto label = static_cast<std::size_t>(labels[n]);
        const std::size_t rank = rank_of(row, label);
        const auto predicted = static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
        scores.loss += log_sum_exp(row) - static_cast<double>(row[label]);
        right += rank == 0;
        among5 += rank < 5;
        ++scores.classes[label].count;
        scores.classes[label].right += rank == 0;
        ++scores.classes[predicted].predicted;
        ++scores.confusion[label * classes + predicted];
    }
    scores.loss /= static_cast<double>(scores.count);
    scores.top1 = ratio(right, scores.count);
    scores.top5 = ratio(among5, scores.count);
    finish(scores);
    return scores;
}

std::vector<Mistake> worst_mistakes(const Tensor& logits, const std::vector<int>& labels, std::size_t limit) {
    std::vector<Mistake> mistakes;
    for (std::size_t n = 0; n < labels.size(); ++n) {
        const std::span<const float> row = row_of(logits, n);
        const auto best = std::max_element(row.begin(), row.end());
        const int predicted = static_cast<int>(best - row.begin());
        if (predicted == labels[n]) continue;
        mistakes.push_back({static_cast<std::int64_t>(n), labels[n], predicted,
                            std::exp(static_cast<double>(*best) - log_sum_exp(row))});
    }
    std::stable_sort(mistakes.begin(), mistakes.end(),
                     [](const Mistake& a, const Mistake& b) { return a.probability > b.probability; });
    mistakes.resize(std::min(mistakes.size(), limit));
    return mistakes;
}

}  // namespace cambium
