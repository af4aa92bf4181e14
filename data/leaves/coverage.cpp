#include "data/leaves/coverage.h"

#include <algorithm>
#include <array>

namespace cambium::leaves {

Coverage::Coverage(int width, int height)
    : width_(width),
      height_(height),
      // Two columns more than pixels: an edge adds to the pixel it is in and to the next.
      values_(static_cast<std::size_t>(width + 2) * static_cast<std::size_t>(height)) {}

float Coverage::signed_area(std::span<const Point> polygon) {
    float twice = 0;
    for (std::size_t i = 0; i < polygon.size(); ++i) {
        const Point p = polygon[i], q = polygon[i + 1 < polygon.size() ? i + 1 : 0];
        twice += p.x * q.y - q.x * p.y;
    }
    return twice;
}

void Coverage::add(std::span<const Point> polygon, float sign) {
    for (std::size_t i = 0; i < polygon.size(); ++i) {
        add_edge(polygon[i], polygon[i + 1 < polygon.size() ? i + 1 : 0], sign);
    }
}

// The part of an edge within one row: `height` is its signed extent in y, from x0 to x1. Everything to its right is
// covered by that height; within its own pixels, by the mean of where it runs.
void Coverage::add_row_part(float* row, float x0, float x1, float height) const {
    const float limit = static_cast<float>(width_);
    x0 = std::min(limit, std::max(0.0f, x0));
    x1 = std::min(limit, std::max(0.0f, x1));
    if (x0 > x1) std::swap(x0, x1);
    const float per_x = x1 > x0 ? height / (x1 - x0) : 0.0f;
    const int last = static_cast<int>(x1);
    for (int column = static_cast<int>(x0); column <= last; ++column) {
        const float left = std::max(x0, static_cast<float>(column));
        const float right = std::min(x1, static_cast<float>(column + 1));
        const float part = x1 > x0 ? per_x * (right - left) : height;
        const float share = 0.5f * (left + right) - static_cast<float>(column);
        row[column] += part * (1.0f - share);
        row[column + 1] += part * share;
    }
}

void Coverage::add_edge(Point from, Point to, float sign) {
    if (from.y == to.y) return;
    if (from.y > to.y) {
        std::swap(from, to);
        sign = -sign;
    }
    if (to.y <= 0.0f || from.y >= static_cast<float>(height_)) return;
    const float slope = (to.x - from.x) / (to.y - from.y);
    const float top = std::max(0.0f, from.y), bottom = std::min(static_cast<float>(height_), to.y);
    for (int y = static_cast<int>(top); y < height_ && static_cast<float>(y) < bottom; ++y) {
        const float y0 = std::max(top, static_cast<float>(y)), y1 = std::min(bottom, static_cast<float>(y + 1));
        float* row = values_.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width_ + 2);
        // Minus: with y pointing down, a polygon of positive area has its inside to the left of its downward edges.
        add_row_part(row, from.x + slope * (y0 - from.y), from.x + slope * (y1 - from.y), -sign * (y1 - y0));
    }
}

void Coverage::add_stroke(std::span<const Point> line, float from, float to) {
    for (std::size_t i = 0; i + 1 < line.size(); ++i) {
        const float steps = static_cast<float>(line.size() - 1);
        const float w0 = 0.5f * mix(from, to, static_cast<float>(i) / steps);
        const float w1 = 0.5f * mix(from, to, static_cast<float>(i + 1) / steps);
        const Point n = right_normal(line[i], line[i + 1]);
        const std::array<Point, 4> quad{line[i] + n * w0, line[i + 1] + n * w1, line[i + 1] - n * w1, line[i] - n * w0};
        add(quad);
    }
}

const std::vector<float>& Coverage::resolve() {
    for (int y = 0; y < height_; ++y) {
        const float* row = values_.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width_ + 2);
        float* target = values_.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width_);
        float sum = 0;
        for (int x = 0; x < width_; ++x) {
            sum += row[x];
            target[x] = clamp01(sum);  // rows close up in place: the target never overtakes the source
        }
    }
    values_.resize(static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_));
    return values_;
}

}  // namespace cambium::leaves
