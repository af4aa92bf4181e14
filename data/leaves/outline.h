// The drawing of one leaf as polygons and lines: each half of a blade (or lobe, or leaflet) by itself, so that light
// can fall differently on the two sides of its fold.
#pragma once

#include <vector>

#include "data/leaves/geometry.h"
#include "data/leaves/species.h"
#include "engine/base/philox.h"

namespace cambium::leaves {

struct Stroke {
    Polyline line;
    float from = 0, to = 0;  // width at its two ends
};

// In leaf coordinates: the stalk meets the blade at (0, 0), the tip is near (0, 1), y points to the tip.
struct LeafShape {
    std::vector<Polyline> left, right;  // closed polygons that together are the blade
    std::vector<Polyline> margins;      // open lines along the blade's outer edge
    std::vector<Stroke> veins;          // the midribs first
    std::vector<Stroke> stalks;         // petiole and, of compound leaves, what carries the leaflets
    std::vector<Polyline> marks;        // pale patches inside the blade, closed
};

// One individual of a species: every proportion varies a little with `random`.
LeafShape draw_shape(const Species& species, RandomStream& random);

}  // namespace cambium::leaves
