// Coverage: how much of each pixel a set of polygons covers, exactly, so that edges are antialiased without
// supersampling. Each edge adds its signed area to the pixels it crosses; a sum along the row turns that into coverage.
#pragma once

#include <span>
#include <vector>

#include "data/leaves/geometry.h"

namespace cambium::leaves {

class Coverage {
  public:
    Coverage(int width, int height);

    // A closed polygon in pixels (pixel (0, 0) spans [0, 1) x [0, 1)), either way round.
    void add(std::span<const Point> polygon) { add(polygon, signed_area(polygon) < 0 ? -1.0f : 1.0f); }
    // Takes a polygon away from what was added.
    void cut(std::span<const Point> polygon) { add(polygon, signed_area(polygon) < 0 ? 1.0f : -1.0f); }
    // A line whose width goes from `from` to `to` pixels. Lines thinner than a pixel come out fainter, not gone.
    void add_stroke(std::span<const Point> line, float from, float to);

    // Ends drawing. The covered share of each pixel, in [0, 1], [height, width].
    const std::vector<float>& resolve();

  private:
    static float signed_area(std::span<const Point> polygon);
    void add(std::span<const Point> polygon, float sign);
    void add_edge(Point from, Point to, float sign);
    void add_row_part(float* row, float x0, float x1, float height) const;

    int width_, height_;
    std::vector<float> values_;
};

}  // namespace cambium::leaves
