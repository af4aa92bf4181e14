// What a leaf lies on or stands before.
#pragma once

#include <cstdint>

#include "data/leaves/species.h"
#include "engine/base/philox.h"

namespace cambium::leaves {

enum class Ground : std::uint8_t { soil, sky, paper, stone, wood, grass };
inline constexpr int grounds = 6;

class Background {
  public:
    Background(Ground ground, RandomStream& random);
    // The colour at (x, y); the image is the unit square, y down.
    Colour at(float x, float y) const;
    // How dark the leaf's shadow on it is: 0 for the sky.
    float shadow() const;

  private:
    Colour soil(float x, float y) const;
    Colour sky(float x, float y) const;
    Colour paper(float x, float y) const;
    Colour stone(float x, float y) const;
    Colour wood(float x, float y) const;
    Colour grass(float x, float y) const;

    Ground ground_;
    std::uint32_t seed_;
    float cos_, sin_;    // a rotation of grain, lines and blades of grass
    float tone_, warm_;  // this one's brightness and hue, 0 to 1
};

}  // namespace cambium::leaves
