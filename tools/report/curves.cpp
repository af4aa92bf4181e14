#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/report/chart.h"
#include "tools/report/html.h"
#include "tools/report/sections.h"

namespace cambium::report {
namespace {

// "from 2.1 to 0.3", of the first and the last finite value.
std::string course(const std::vector<Point>& points, Chart::Unit unit) {
    double first = missing, last = missing;
    for (const Point& point : points) {
        if (!std::isfinite(point.value)) continue;
        if (!std::isfinite(first)) first = point.value;
        last = point.value;
    }
    if (!std::isfinite(first)) return "is not known";
    const auto text = [&](double value) {
        return unit == Chart::Unit::percent ? fmt::format("{:.1f} %", 100 * value) : significant(value);
    };
    return fmt::format("goes from {} to {}", text(first), text(last));
}

Chart chart(const RunRecord& run, std::string title) {
    Chart chart{.title = std::move(title)};
    chart.phases = run.curves.phases;
    chart.last_step = run.curves.last_step;
    return chart;
}

std::string loss_chart(const RunRecord& run) {
    Chart loss = chart(run, "Loss");
    loss.series = {{.label = "training", .style = "train", .points = run.curves.train_loss},
                   {.label = "validation", .style = "val", .points = run.curves.val_loss, .markers = true}};
    loss.summary = fmt::format("The training loss {}; the validation loss {}.",
                               course(run.curves.train_loss, loss.unit), course(run.curves.val_loss, loss.unit));
    return line_chart(loss);
}

bool same(const std::vector<Point>& a, const std::vector<Point>& b) {
    constexpr double invisible = 1e-3;  // of a chart's height
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Point& p, const Point& q) {
        return p.step == q.step && std::abs(p.value - q.value) < invisible;
    });
}

std::string accuracy_chart(const RunRecord& run) {
    Chart accuracy = chart(run, "Accuracy on the validation photos");
    accuracy.unit = Chart::Unit::percent;
    accuracy.series = {{.label = "top-1", .style = "val", .points = run.curves.val_top1, .markers = true}};
    if (!same(run.curves.val_top1, run.curves.val_balanced)) {  // as they are where all classes have as many photos
        accuracy.series.push_back(
            {.label = "balanced", .style = "second", .points = run.curves.val_balanced, .markers = true});
    }
    accuracy.reference = run.set == "validation" ? run.majority_baseline : run.validation_majority;
    accuracy.reference_label = "majority baseline";
    const bool balanced = run.criterion == "balanced_accuracy" && std::isfinite(run.best_balanced);
    accuracy.best = {run.best_step, balanced ? run.best_balanced : run.best_top1};
    accuracy.best_label = fmt::format("kept: {:.1f} %", 100 * accuracy.best.value);
    if (std::isfinite(run.best_epoch)) accuracy.best_label += fmt::format(", epoch {}", whole(run.best_epoch));
    accuracy.summary = fmt::format("Top-1 {}.", course(run.curves.val_top1, accuracy.unit));
    return line_chart(accuracy);
}

std::string rate_chart(const RunRecord& run) {
    Chart rate = chart(run, "Learning rate");
    rate.series = {{.label = "of the head", .style = "rate", .points = run.curves.rate}};
    rate.summary = fmt::format("It {}.", course(run.curves.rate, rate.unit));
    return line_chart(rate);
}

constexpr const char* explanation =
    "<div class=\"reading\">\n<h3>How to read them</h3>\n"
    "<p>The <strong>loss</strong> says how far the answers are from the truth, and how sure they are when they are "
    "wrong; "
    "lower is better. While both lines fall, the network learns. If training falls on and validation rises, it learns "
    "the training photos by heart: more photos help, or fewer epochs.</p>\n"
    "<p>The <strong>accuracy</strong> counts right answers on photos it does not train on. The state of the marked "
    "epoch was kept, which need not be the last.</p>\n"
    "<p>The <strong>learning rate</strong> is how big a step each correction takes. A dashed upright line is where "
    "another part of the recipe begins.</p>\n</div>\n";

}  // namespace

std::string curves(const RunRecord& run) {
    const std::string charts = loss_chart(run) + accuracy_chart(run) + rate_chart(run);
    if (charts.empty()) {
        return section("curves", "How it learned", "<p>metrics.jsonl holds no figures, so there are no curves.</p>\n");
    }
    return section("curves", "How it learned", "<div class=\"charts\">\n" + charts + explanation + "</div>\n");
}

}  // namespace cambium::report
