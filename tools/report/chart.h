// Line charts over the steps of a run, as inline SVG that takes its colours from the page's style sheet. Lines differ
// in dash and marker as well as in colour.
#pragma once

#include <string>
#include <vector>

#include "tools/report/run_record.h"

namespace cambium::report {

struct Series {
    std::string label;
    std::string style;  // class of the style sheet: "train", "val", "second", "rate"
    std::vector<Point> points;
    bool markers = false;  // one per point, where there are few
};

struct Chart {
    std::string title;
    enum class Unit : std::uint8_t { plain, percent } unit = Unit::plain;
    std::vector<Series> series{};
    std::vector<Curves::Mark> phases{};
    double last_step = missing;
    // A dotted line across, and one emphasised point; nothing where the value is NaN.
    double reference = missing;
    std::string reference_label{};
    Point best{missing, missing};
    std::string best_label{};
    std::string summary{};  // what a person who cannot see the chart is told
};

// <figure> with heading, legend and SVG; empty if no series has a finite point. Where the largest value is far above
// the median, the axis is logarithmic, and the title says so. Long series are drawn as means over stretches of steps.
std::string line_chart(const Chart& chart);

// Round numbers that cover [low, high] in about `count` steps: the first, the last and the distance.
struct Ticks {
    double first = 0, last = 1, distance = 1;
};
Ticks round_ticks(double low, double high, int count);

}  // namespace cambium::report
