// Colours as linear mixtures; each channel is 0 (dark) to 1.
#pragma once

#include "data/leaves/exact_math.h"

namespace cambium::leaves {

struct Colour {
    float r = 0, g = 0, b = 0;
};

inline Colour mix(Colour a, Colour b, float t) { return {mix(a.r, b.r, t), mix(a.g, b.g, t), mix(a.b, b.b, t)}; }
inline Colour scaled(Colour c, float s) { return {c.r * s, c.g * s, c.b * s}; }

}  // namespace cambium::leaves
