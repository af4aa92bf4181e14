// Six grounds out of value noise at two or three scales; their tones overlap, so that a ground tells nothing of the
// species.
#include "data/leaves/background.h"

#include "data/leaves/exact_math.h"

namespace cambium::leaves {
Background::Background(Ground ground, RandomStream& random) : ground_(ground), seed_(random.bits()) {
    const float turn = static_cast<float>(random.uniform());
    cos_ = cos_turns(turn);
    sin_ = sin_turns(turn);
    tone_ = static_cast<float>(random.uniform());
    warm_ = static_cast<float>(random.uniform());
}

float Background::shadow() const {
    switch (ground_) {
        case Ground::sky:
            return 0.0f;
        case Ground::grass:
            return 0.35f;
        default:
            return 0.5f;
    }
}

Colour Background::at(float x, float y) const {
    const float u = cos_ * x + sin_ * y, v = cos_ * y - sin_ * x;
    switch (ground_) {
        case Ground::soil:
            return soil(u, v);
        case Ground::sky:
            return sky(x, y);
        case Ground::paper:
            return paper(u, v);
        case Ground::stone:
            return stone(u, v);
        case Ground::wood:
            return wood(u, v);
        case Ground::grass:
            return grass(u, v);
    }
    return {};
}

// Crumbs of earth with small pebbles.
Colour Background::soil(float x, float y) const {
    const float coarse = noise(6 * x, 6 * y, seed_), fine = noise(23 * x, 23 * y, seed_ + 1);
    const Colour earth =
        mix({0.20f, 0.14f, 0.09f}, {0.46f, 0.35f, 0.24f}, 0.3f * tone_ + 0.45f * coarse + 0.35f * fine);
    const float pebble = smoothstep(0.74f, 0.80f, noise(11 * x, 11 * y, seed_ + 2));
    return mix(earth, scaled({0.62f, 0.57f, 0.50f}, 0.7f + 0.5f * fine), pebble);
}

// A gradient, and clouds without edges.
Colour Background::sky(float x, float y) const {
    const Colour blue = mix({0.36f, 0.56f, 0.84f}, {0.74f, 0.85f, 0.95f}, clamp01(0.25f * tone_ + 0.8f * y));
    const float cloud = 0.6f * noise(2.2f * x, 3.4f * y, seed_) + 0.4f * noise(5.5f * x, 8 * y, seed_ + 1);
    return mix(blue, {0.95f, 0.95f, 0.96f}, smoothstep(0.45f, 0.8f, cloud + 0.2f * warm_));
}

// White to cream, a little uneven, sometimes ruled.
Colour Background::paper(float x, float y) const {
    const float uneven = 0.05f * noise(2 * x, 2 * y, seed_) + 0.03f * noise(40 * x, 40 * y, seed_ + 1);
    const Colour sheet =
        scaled(mix({0.96f, 0.96f, 0.95f}, {0.92f, 0.85f, 0.70f}, warm_), 0.82f + 0.14f * tone_ + uneven);
    if ((seed_ & 3u) != 0) return sheet;
    const float at = 9 * y - std::floor(9 * y), line = smoothstep(0.07f, 0.02f, std::abs(at - 0.5f));
    return mix(sheet, {0.55f, 0.65f, 0.80f}, 0.6f * line);
}

// Grey speckle with a few cracks.
Colour Background::stone(float x, float y) const {
    const float speckle = noise(34 * x, 34 * y, seed_), patch = noise(4 * x, 4 * y, seed_ + 1);
    const float grey = 0.30f + 0.28f * tone_ + 0.22f * (speckle - 0.5f) + 0.16f * (patch - 0.5f);
    const float ridge = std::abs(noise(3 * x, 3 * y, seed_ + 2) - 0.5f);
    const float crack = smoothstep(0.02f, 0.0f, ridge);
    return mix({grey * (1.0f + 0.08f * warm_), grey, grey * (1.04f - 0.12f * warm_)}, {0.12f, 0.11f, 0.10f},
               0.6f * crack);
}

// Planks: grain stretched along one direction, dark joints across the other.
Colour Background::wood(float x, float y) const {
    const float plank = std::floor(3 * y), within = 3 * y - plank;
    const float own = hash01(static_cast<int>(plank), 7, seed_);
    const float grain = noise(3 * x + 9 * own, 30 * y, seed_ + 1), rings = noise(1.5f * x + 5 * own, 11 * y, seed_ + 2);
    const Colour board = mix({0.36f, 0.24f, 0.14f}, {0.74f, 0.57f, 0.38f},
                             clamp01(0.45f * tone_ + 0.35f * own + 0.3f * (grain - 0.5f) + 0.3f * rings));
    const float joint = smoothstep(0.05f, 0.015f, std::min(within, 1.0f - within));
    return mix(board, {0.12f, 0.08f, 0.05f}, 0.8f * joint);
}

// Out-of-focus blades: long soft streaks of green and straw.
Colour Background::grass(float x, float y) const {
    const float wave = 0.12f * noise(3 * x, 2 * y, seed_);
    const float streak = noise(14 * (x + wave), 2.2f * y, seed_ + 1),
                under = noise(7 * (x - wave), 1.7f * y, seed_ + 2);
    const Colour green =
        mix({0.10f, 0.17f, 0.06f}, {0.45f, 0.58f, 0.24f}, clamp01(0.25f * tone_ + 0.85f * streak * (0.4f + under)));
    return mix(green, {0.70f, 0.64f, 0.38f},
               0.55f * smoothstep(0.70f, 0.82f, noise(20 * (x + wave), 3 * y, seed_ + 3) + 0.1f * warm_));
}

}  // namespace cambium::leaves
