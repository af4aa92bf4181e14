// Points, polylines and affine maps of the plane, for drawing leaves.
#pragma once

#include <cmath>
#include <vector>

#include "data/leaves/exact_math.h"

namespace cambium::leaves {

struct Point {
    float x = 0, y = 0;
    friend Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
    friend Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
    friend Point operator*(Point a, float s) { return {a.x * s, a.y * s}; }
};

using Polyline = std::vector<Point>;

inline float length(Point p) { return std::sqrt(p.x * p.x + p.y * p.y); }
// The unit vector to the right of the way from a to b (y pointing up).
inline Point right_normal(Point a, Point b) {
    const Point d = b - a;
    const float l = length(d);
    return l > 1e-9f ? Point{d.y / l, -d.x / l} : Point{0, 0};
}
// A direction, in turns clockwise from +y.
inline Point direction(float turns) { return {sin_turns(turns), cos_turns(turns)}; }

// x' = a x + b y + c, y' = d x + e y + f.
struct Affine {
    float a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;
    Point operator()(Point p) const { return {a * p.x + b * p.y + c, d * p.x + e * p.y + f}; }
};

// First `second`, then `first`.
inline Affine compose(const Affine& first, const Affine& second) {
    return {first.a * second.a + first.b * second.d,           first.a * second.b + first.b * second.e,
            first.a * second.c + first.b * second.f + first.c, first.d * second.a + first.e * second.d,
            first.d * second.b + first.e * second.e,           first.d * second.c + first.e * second.f + first.f};
}

// Turns +y to direction(turns), scales, and moves the origin to `to`.
inline Affine placed(Point to, float turns, float scale) {
    const float s = sin_turns(turns) * scale, c = cos_turns(turns) * scale;
    return {c, s, to.x, -s, c, to.y};
}

}  // namespace cambium::leaves
