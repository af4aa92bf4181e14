#include "tools/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/report/html.h"

namespace cambium::report {
namespace {

// Units of the viewBox; a chart is shown about this wide, so that text keeps the size of the page's small print.
constexpr double width = 520, height = 300, left = 54, right = 14, top = 26, bottom = 40;
constexpr std::size_t most_points = 200;

double log_or_not(bool logarithmic, double value) { return logarithmic ? std::log10(value) : value; }

// The mapping from values to places, and the ticks along both sides.
struct Frame {
    bool logarithmic = false;
    double x_last = 1, y_low = 0, y_high = 1, y_distance = 1;

    double x(double step) const { return left + (width - left - right) * step / x_last; }
    double y(double value) const {
        const double share = (log_or_not(logarithmic, value) - y_low) / (y_high - y_low);
        return height - bottom - (height - top - bottom) * share;
    }
    bool shows(double value) const { return std::isfinite(value) && (!logarithmic || value > 0); }
};

bool has_values(const Series& series) {
    return std::any_of(series.points.begin(), series.points.end(),
                       [](const Point& p) { return std::isfinite(p.value); });
}

std::vector<double> finite_values(const Chart& chart) {
    std::vector<double> values;
    for (const Series& series : chart.series) {
        for (const Point& point : series.points) {
            if (std::isfinite(point.value)) values.push_back(point.value);
        }
    }
    std::sort(values.begin(), values.end());
    return values;
}

Frame frame_of(const Chart& chart, const std::vector<double>& sorted) {
    Frame frame;
    const bool percent = chart.unit == Chart::Unit::percent;
    const double median = sorted[sorted.size() / 2];
    frame.logarithmic = !percent && sorted.front() > 0 && sorted.back() > 20 * median;
    double low = frame.logarithmic ? std::floor(std::log10(sorted.front())) : std::min(0.0, sorted.front());
    double high = log_or_not(frame.logarithmic, sorted.back());
    if (percent) {
        low = sorted.front();
        if (std::isfinite(chart.reference)) low = std::min(low, chart.reference);
        low = std::clamp(low - 0.05, 0.0, 0.9);
        high = 1;
    }
    const Ticks ticks = round_ticks(low, high, 5);
    frame.y_low = ticks.first;
    frame.y_high = percent ? 1 : ticks.last;
    frame.y_distance = frame.logarithmic ? std::max(1.0, std::round(ticks.distance)) : ticks.distance;
    if (frame.logarithmic) frame.y_high = std::ceil(high);
    frame.x_last = std::isfinite(chart.last_step) ? chart.last_step : 0;
    for (const Series& series : chart.series) {
        for (const Point& point : series.points) frame.x_last = std::max(frame.x_last, point.step);
    }
    frame.x_last = std::max(frame.x_last, 1.0);
    return frame;
}

std::string tick_text(const Chart& chart, const Frame& frame, double tick) {
    if (frame.logarithmic) return significant(std::pow(10, tick));
    if (chart.unit == Chart::Unit::percent) return fmt::format("{:.0f} %", 100 * tick);
    return fmt::format("{:.4g}", std::abs(tick) < 1e-9 * frame.y_distance ? 0 : tick);
}

std::string axes(const Chart& chart, const Frame& frame) {
    std::string svg = "<g class=\"grid\">";
    std::string labels = "<g class=\"tick\">";
    for (int i = 0; i < 100; ++i) {
        const double tick = frame.y_low + i * frame.y_distance;
        if (tick > frame.y_high + 1e-6 * frame.y_distance) break;
        const double y = frame.y(frame.logarithmic ? std::pow(10, tick) : tick);
        svg += fmt::format("<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", left, width - right, y, y);
        labels += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", left - 8, y + 4.5,
                              tick_text(chart, frame, tick));
    }
    const Ticks ticks = round_ticks(0, frame.x_last, 5);
    const double distance = std::max(1.0, std::round(ticks.distance));  // there is no half step
    for (double tick = 0; tick <= frame.x_last * (1 + 1e-9); tick += distance) {
        const double x = frame.x(tick);
        const char* anchor = x > width - right - 20 ? "end" : "middle";
        svg += fmt::format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>", x, height - bottom,
                           height - bottom + 5);
        labels += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"{}\">{}</text>",
                              anchor[0] == 'e' ? x + right - 2 : x, height - bottom + 19, anchor, whole(tick));
    }
    labels += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">training step</text>",
                          (left + width - right) / 2, height - 4);
    return svg + "</g>" + labels + "</g>\n";
}

// Where phases change: a dashed line, and the name of what begins there.
std::string phase_marks(const Chart& chart, const Frame& frame) {
    if (chart.phases.size() < 2) return {};
    std::string svg = "<g class=\"phase\">";
    for (std::size_t i = 0; i < chart.phases.size(); ++i) {
        const double x = i == 0 ? left : frame.x(chart.phases[i].step);
        const double end = i + 1 < chart.phases.size() ? frame.x(chart.phases[i + 1].step) : width - right;
        if (i > 0) {
            svg += fmt::format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>", x, 6, height - bottom);
        }
        if (end - x < 8.0 * static_cast<double>(chart.phases[i].label.size() + 2)) continue;  // no room for the name
        svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\">{}</text>", x + 5, 16, escape(chart.phases[i].label));
    }
    return svg + "</g>\n";
}

// Means over equal stretches; a stretch with a value that is not finite keeps it, so that the gap stays visible.
std::vector<Point> thinned(const std::vector<Point>& points) {
    if (points.size() <= most_points) return points;
    std::vector<Point> out;
    for (std::size_t i = 0; i < most_points; ++i) {
        const std::size_t begin = i * points.size() / most_points, end = (i + 1) * points.size() / most_points;
        Point mean;
        for (std::size_t j = begin; j < end; ++j) {
            mean.step += points[j].step / static_cast<double>(end - begin);
            mean.value += points[j].value / static_cast<double>(end - begin);
        }
        out.push_back(mean);
    }
    return out;
}

std::string polylines(const Series& series, const Frame& frame) {
    const std::vector<Point> points = thinned(series.points);
    std::string path, dots;
    bool open = false;
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (!frame.shows(points[i].value)) {
            open = false;
            continue;
        }
        const double x = frame.x(points[i].step), y = frame.y(points[i].value);
        const bool alone = !open && (i + 1 == points.size() || !frame.shows(points[i + 1].value));
        path += fmt::format("{}{:.1f} {:.1f}", open ? " L" : path.empty() ? "M" : " M", x, y);
        if (alone || (series.markers && points.size() <= 40)) {
            dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.2\"/>", x, y);
        }
        open = true;
    }
    return fmt::format("<g class=\"line {}\"><path d=\"{}\"/>{}</g>\n", series.style, path, dots);
}

std::string reference_line(const Chart& chart, const Frame& frame) {
    if (!frame.shows(chart.reference)) return {};
    const double y = frame.y(chart.reference);
    return fmt::format(
        "<g class=\"reference\"><line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text></g>\n",
        left, width - right, y, y, width - right - 4, y - 6, escape(chart.reference_label));
}

bool has_best(const Chart& chart) { return std::isfinite(chart.best.step) && std::isfinite(chart.best.value); }

std::string best_point(const Chart& chart, const Frame& frame) {
    if (!has_best(chart)) return {};
    return fmt::format("<g class=\"best\"><circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"6.5\"/></g>\n",
                       frame.x(chart.best.step), frame.y(chart.best.value));
}

std::string legend(const Chart& chart) {
    std::string html = "<p class=\"legend\">";
    for (const Series& series : chart.series) {
        if (!has_values(series)) continue;
        html += fmt::format(
            "<span><svg width=\"30\" height=\"12\" viewBox=\"0 0 30 12\" aria-hidden=\"true\"><g class=\"line {}\">"
            "<path d=\"M1 6 L29 6\"/>{}</g></svg> {}</span> ",
            series.style, series.markers ? "<circle cx=\"15\" cy=\"6\" r=\"3.2\"/>" : "", escape(series.label));
    }
    if (has_best(chart)) {
        html += fmt::format(
            "<span><svg width=\"16\" height=\"16\" viewBox=\"0 0 16 16\" aria-hidden=\"true\"><g class=\"best\">"
            "<circle cx=\"8\" cy=\"8\" r=\"6\"/></g></svg> {}</span>",
            escape(chart.best_label));
    }
    return html + "</p>\n";
}

}  // namespace

Ticks round_ticks(double low, double high, int count) {
    if (!(high > low)) high = low + std::max(1e-9, std::abs(low));
    const double rough = (high - low) / count;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    double distance = 10 * power;
    for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
        if (factor * power >= rough * (1 - 1e-9)) {
            distance = factor * power;
            break;
        }
    }
    return {std::floor(low / distance + 1e-9) * distance, std::ceil(high / distance - 1e-9) * distance, distance};
}

std::string line_chart(const Chart& chart) {
    const std::vector<double> values = finite_values(chart);
    if (values.empty()) return {};
    const Frame frame = frame_of(chart, values);
    std::string svg = axes(chart, frame) + phase_marks(chart, frame) + reference_line(chart, frame);
    for (const Series& series : chart.series) {
        if (has_values(series)) svg += polylines(series, frame);
    }
    svg += best_point(chart, frame);
    return fmt::format(
        "<figure class=\"chart\">\n<figcaption><h3>{0}{1}</h3>{2}</figcaption>\n"
        "<svg viewBox=\"0 0 {3} {4}\" role=\"img\" aria-label=\"{5}\">\n{6}</svg>\n</figure>\n",
        escape(chart.title), frame.logarithmic ? " (logarithmic)" : "", legend(chart), width, height,
        escape(chart.title + ". " + chart.summary), svg);
}

}  // namespace cambium::report
