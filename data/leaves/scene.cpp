// Composition: the leaf's masks (halves, veins, marks, stalks, what lies in front) are rasterised once; then each pixel
// is lit and mixed from them. The domain dial works on the same masks, so that a picture keeps its pose at every
// distance.
#include "data/leaves/scene.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "data/leaves/background.h"
#include "data/leaves/coverage.h"
#include "data/leaves/outline.h"

namespace cambium::leaves {
namespace {

using Mask = std::vector<float>;

float draw(RandomStream& random, float low, float high) {
    return low + (high - low) * static_cast<float>(random.uniform());
}

struct Masks {
    Mask left, right, veins, marks, stalks, front, outline;
};

// Where the leaf is: leaf coordinates, bent along the midrib, to pixels.
class Pose {
  public:
    Pose(const LeafShape& shape, RandomStream& random, Size size) {
        Point low{1e9f, 1e9f}, high{-1e9f, -1e9f};
        for (const std::vector<Polyline>* half : {&shape.left, &shape.right}) {
            for (const Polyline& polygon : *half) {
                for (const Point p : polygon) {
                    low = {std::min(low.x, p.x), std::min(low.y, p.y)};
                    high = {std::max(high.x, p.x), std::max(high.y, p.y)};
                }
            }
        }
        centre_ = (low + high) * 0.5f;
        bend_ = draw(random, -0.22f, 0.22f);
        const float extent = std::max(high.x - low.x, high.y - low.y);
        const float side = static_cast<float>(std::min(size.width, size.height));
        scale_ = draw(random, 0.62f, 0.88f) / extent * side;
        turn_ = draw(random, -0.14f, 0.14f);
        // Seen a little from the side: one direction foreshortened, the other sheared.
        const float shear = draw(random, -0.18f, 0.18f), tall = draw(random, 0.84f, 1.06f);
        const float s = sin_turns(turn_) * scale_, c = cos_turns(turn_) * scale_;
        const Point to{(0.5f + draw(random, -0.08f, 0.08f)) * static_cast<float>(size.width),
                       (0.5f + draw(random, -0.08f, 0.08f)) * static_cast<float>(size.height)};
        map_ = compose({c, -s, to.x, s, c, to.y}, {1, shear, 0, 0, -tall, 0});
    }
    Point operator()(Point p) const {
        const Point q = p - centre_;
        return map_({q.x + bend_ * q.y * q.y, q.y});
    }
    Polyline operator()(const Polyline& line) const {
        Polyline result;
        result.reserve(line.size());
        for (const Point p : line) result.push_back((*this)(p));
        return result;
    }
    float scale() const { return scale_; }

  private:
    Point centre_;
    float bend_ = 0, scale_ = 1, turn_ = 0;
    Affine map_;
};

// Bites along the margin and holes inside, as insects leave them: ragged discs cut out of both halves.
void cut_holes(Coverage& left, Coverage& right, Coverage& veins, const LeafShape& shape, const Pose& pose,
               RandomStream& random) {
    const int holes = static_cast<int>(random.below(10)) - 6;
    for (int i = 0; i < holes; ++i) {
        const Polyline& margin = shape.margins[random.below(static_cast<std::uint32_t>(shape.margins.size()))];
        const Point edge = margin[random.below(static_cast<std::uint32_t>(margin.size()))];
        const Point at = edge * draw(random, 0.5f, 1.0f);
        const float radius = draw(random, 0.015f, 0.05f);
        Polyline hole;
        for (int k = 0; k < 12; ++k) {
            hole.push_back(pose(at + direction(static_cast<float>(k) / 12.0f) * (radius * draw(random, 0.7f, 1.2f))));
        }
        left.cut(hole);
        right.cut(hole);
        veins.cut(hole);
    }
}

// What lies across the leaf: a blade of grass or two, or a twig.
void draw_front(Coverage& front, RandomStream& random, Size size) {
    const float side = static_cast<float>(std::min(size.width, size.height));
    const int count = static_cast<int>(random.below(6)) - 3;
    for (int i = 0; i < count; ++i) {
        const float turn = draw(random, 0, 1), away = draw(random, -0.42f, 0.42f), curve = draw(random, -0.2f, 0.2f);
        const Point along = direction(turn), across{along.y, -along.x};
        const Point middle{0.5f * static_cast<float>(size.width), 0.5f * static_cast<float>(size.height)};
        const float reach = draw(random, -0.2f, 0.8f);
        Polyline line;
        for (int k = 0; k <= 10; ++k) {
            const float u = mix(-0.8f, reach, static_cast<float>(k) / 10.0f);
            line.push_back(middle + (along * u + across * (away + curve * u * u)) * side);
        }
        front.add_stroke(line, draw(random, 0.02f, 0.05f) * side, 0.006f * side);
    }
}

Masks rasterise(const LeafShape& shape, const Pose& pose, RandomStream& random, Size size, bool outline) {
    Coverage left(size.width, size.height), right = left, veins = left, marks = left, stalks = left, front = left,
                                            edges = left;
    for (const Polyline& polygon : shape.left) left.add(pose(polygon));
    for (const Polyline& polygon : shape.right) right.add(pose(polygon));
    for (const Stroke& vein : shape.veins) {
        veins.add_stroke(pose(vein.line), vein.from * pose.scale(), vein.to * pose.scale());
    }
    for (const Polyline& polygon : shape.marks) marks.add(pose(polygon));
    for (const Stroke& stalk : shape.stalks) {
        stalks.add_stroke(pose(stalk.line), stalk.from * pose.scale(), stalk.to * pose.scale());
    }
    cut_holes(left, right, veins, shape, pose, random);
    draw_front(front, random, size);
    if (outline) {
        const float pen = 0.016f * static_cast<float>(std::min(size.width, size.height));
        for (const Polyline& margin : shape.margins) edges.add_stroke(pose(margin), pen, pen);
    }
    return {left.resolve(),   right.resolve(), veins.resolve(), marks.resolve(),
            stalks.resolve(), front.resolve(), edges.resolve()};
}

// How one leaf looks, and the light it is seen in.
struct Look {
    Colour blade, vein, rim, front, tint;
    float contrast, gloss, chevron, fold, rough, exposure, spots, noise_level, vignette;
    Point light;  // unit vector in the image plane, towards the light
    std::uint32_t seed;
};

Look draw_look(const Species& species, RandomStream& random) {
    Look look{};
    const float season = draw(random, 0, 1), turning = smoothstep(0.72f, 1.0f, season) * draw(random, 0.3f, 1.0f);
    Colour blade = mix(species.colour, species.autumn, turning);
    const float warm = draw(random, -0.10f, 0.10f);
    look.blade = scaled({blade.r * (1.0f + warm), blade.g, blade.b * (1.0f - warm)}, draw(random, 0.78f, 1.25f));
    look.vein = mix(look.blade, species.vein, draw(random, 0.75f, 1.0f));
    look.rim = mix(look.blade, {0.45f, 0.30f, 0.14f}, draw(random, 0.0f, 0.6f));
    look.front = mix({0.34f, 0.46f, 0.16f}, {0.50f, 0.40f, 0.25f}, draw(random, 0, 1));
    look.tint = {draw(random, 0.92f, 1.08f), 1.0f, draw(random, 0.92f, 1.08f)};
    look.contrast = species.vein_contrast * draw(random, 0.8f, 1.3f);
    look.gloss = species.gloss * draw(random, 0.5f, 1.3f);
    look.chevron = species.chevron * draw(random, 0.6f, 1.1f);
    look.fold = draw(random, 0.06f, 0.26f);
    look.rough = draw(random, 0.10f, 0.28f);
    look.exposure = draw(random, 0.85f, 1.2f);
    look.spots = smoothstep(0.6f, 1.0f, draw(random, 0, 1));
    look.noise_level = draw(random, 0.005f, 0.035f);
    look.vignette = draw(random, 0.0f, 0.35f);
    look.light = direction(draw(random, 0, 1));
    look.seed = random.bits();
    return look;
}

// The mask's mean over a small square around (x, y): a soft shadow.
float softened(const Mask& a, const Mask& b, Size size, float x, float y, int radius) {
    float sum = 0;
    int count = 0;
    const int step = std::max(1, radius);
    for (int dy = -step; dy <= step; dy += step) {
        for (int dx = -step; dx <= step; dx += step) {
            const int px = static_cast<int>(x) + dx, py = static_cast<int>(y) + dy;
            ++count;
            if (px < 0 || py < 0 || px >= size.width || py >= size.height) continue;
            const auto i =
                static_cast<std::size_t>(py) * static_cast<std::size_t>(size.width) + static_cast<std::size_t>(px);
            sum += std::min(1.0f, a[i] + b[i]);
        }
    }
    return sum / static_cast<float>(count);
}

// A value of a mask at a pixel, 0 outside the image.
float sample(const Mask& mask, Size size, int x, int y) {
    if (x < 0 || y < 0 || x >= size.width || y >= size.height) return 0;
    return mask[static_cast<std::size_t>(y) * static_cast<std::size_t>(size.width) + static_cast<std::size_t>(x)];
}

class Painter {
  public:
    Painter(const Masks& masks, const Look& look, const Background& background, Size size)
        : masks_(masks),
          look_(look),
          background_(background),
          size_(size),
          unit_(1.0f / static_cast<float>(std::min(size.width, size.height))),
          step_(std::max(1, static_cast<int>(0.016f / unit_ + 0.5f))) {}

    Colour photo(int x, int y) const {
        const std::size_t i = index(x, y);
        const float u = (static_cast<float>(x) + 0.5f) * unit_, v = (static_cast<float>(y) + 0.5f) * unit_;
        const float dark = background_.shadow();
        Colour c = background_.at(u, v);
        if (dark > 0) {
            const float reach = 0.035f / unit_;
            const float shadow =
                softened(masks_.left, masks_.right, size_, static_cast<float>(x) + look_.light.x * reach,
                         static_cast<float>(y) + look_.light.y * reach, step_);
            c = scaled(c, 1.0f - dark * shadow);
        }
        c = mix(c, scaled(look_.vein, 0.85f), masks_.stalks[i]);
        const float cover = std::min(1.0f, masks_.left[i] + masks_.right[i]);
        if (cover > 0) c = mix(c, leaf(x, y, u, v, i), cover);
        c = mix(c, scaled(look_.front, 0.8f + 0.4f * noise(20 * u, 20 * v, look_.seed + 9)), masks_.front[i]);
        return developed(c, x, y, u, v);
    }

    // Ink on paper: outline, veins and stalk, hatching on the half away from the light.
    Colour drawing(int x, int y, Colour paper, Colour ink) const {
        const std::size_t i = index(x, y);
        const float u = (static_cast<float>(x) + 0.5f) * unit_, v = (static_cast<float>(y) + 0.5f) * unit_;
        const float hatch = smoothstep(0.55f, 0.95f, sin_turns(16.0f * (u + v)));
        const float shade = 0.30f * hatch * (look_.light.x > 0 ? masks_.left[i] : masks_.right[i]);
        const float lines =
            std::max(std::max(masks_.outline[i], 0.75f * masks_.stalks[i]), std::max(0.62f * masks_.veins[i], shade));
        return mix(paper, ink, clamp01(lines + 0.08f * masks_.front[i]));
    }

  private:
    std::size_t index(int x, int y) const {
        return static_cast<std::size_t>(y) * static_cast<std::size_t>(size_.width) + static_cast<std::size_t>(x);
    }

    Colour leaf(int x, int y, float u, float v, std::size_t i) const {
        const float left = masks_.left[i], right = masks_.right[i], all = left + right;
        const float side = all > 0 ? (right - left) / all : 0.0f;
        const float patch = noise(7 * u, 7 * v, look_.seed), grain = noise(32 * u, 32 * v, look_.seed + 1);
        Colour c = scaled(look_.blade, 1.0f + look_.rough * (patch - 0.5f) + 0.14f * (grain - 0.5f));
        if (look_.spots > 0) {
            c = mix(c, look_.rim, look_.spots * smoothstep(0.66f, 0.74f, noise(9 * u, 9 * v, look_.seed + 2)));
        }
        if (!masks_.marks.empty()) c = mix(c, {0.70f, 0.80f, 0.62f}, look_.chevron * masks_.marks[i]);
        c = mix(c, look_.vein, look_.contrast * masks_.veins[i]);
        // The blade rises between its veins: a vein's side that turns to the light is brighter, the other darker.
        const int lx = look_.light.x > 0.38f ? step_ : look_.light.x < -0.38f ? -step_ : 0;
        const int ly = look_.light.y > 0.38f ? step_ : look_.light.y < -0.38f ? -step_ : 0;
        const float relief = sample(masks_.veins, size_, x + lx, y + ly) - sample(masks_.veins, size_, x - lx, y - ly);
        const float bright = 1.0f + look_.fold * side * look_.light.x + 0.16f * relief;
        const float shine = look_.gloss * smoothstep(0.58f, 0.85f, noise(3.5f * u, 3.5f * v, look_.seed + 3)) *
                            (0.6f + 0.4f * side * look_.light.x);
        return mix(scaled(c, bright), {0.92f, 0.96f, 0.95f}, 0.45f * clamp01(shine));
    }

    // The camera: exposure, white balance, vignette, noise of the sensor.
    Colour developed(Colour c, int x, int y, float u, float v) const {
        const float dx = u - 0.5f, dy = v - 0.5f;
        const float gain = look_.exposure * (1.0f - look_.vignette * (dx * dx + dy * dy) * 1.6f);
        const std::uint32_t h = hash_lattice(x, y, look_.seed + 11);
        const auto grain = [&](int shift) {  // the sum of two uniforms: a tent, mean 0
            const std::uint32_t sum = ((h >> shift) & 31u) + ((h >> (shift + 5)) & 31u);
            return look_.noise_level * (static_cast<float>(sum) * (1.7f / 31.0f) - 1.7f);
        };
        return {c.r * gain * look_.tint.r + grain(0), c.g * gain * look_.tint.g + grain(10),
                c.b * gain * look_.tint.b + grain(20)};
    }

    const Masks& masks_;
    const Look& look_;
    const Background& background_;
    Size size_;
    float unit_;
    int step_;
};

std::uint8_t to_byte(float value) { return static_cast<std::uint8_t>(clamp01(value) * 255.0f + 0.5f); }

// The far half of the dial: pairs of cells of an 8 x 8 grid change places, the same pairs in every picture; `share` of
// them.
void swap_cells(Image& image, float share) {
    constexpr int grid = 8, cells = grid * grid;
    const int width = image.width() / grid, height = image.height() / grid;
    const int pairs = static_cast<int>(share * (cells / 2) + 0.5f);
    for (int pair = 0; pair < pairs; ++pair) {
        // 27 is odd, so that pair -> 27 pair + 5 (mod 32) visits each of the 32 pairs once, in a scattered order.
        const int a = (27 * pair + 5) % 32, b = cells - 1 - (a * 11 + 3) % 32;
        for (int y = 0; y < height; ++y) {
            std::uint8_t* first = image.at(a % grid * width, a / grid * height + y);
            std::uint8_t* second = image.at(b % grid * width, b / grid * height + y);
            std::swap_ranges(first, first + width * 3, second);
        }
    }
}

}  // namespace

Image draw_scene(const Species& species, RandomStream& random, double distance, Size size) {
    const float near = clamp01(static_cast<float>(distance)), far = clamp01(static_cast<float>(distance) - 1.0f);
    const LeafShape shape = draw_shape(species, random);
    const Pose pose(shape, random, size);
    const Look look = draw_look(species, random);
    const Background background(static_cast<Ground>(random.below(grounds)), random);
    const Masks masks = rasterise(shape, pose, random, size, near > 0);
    const Painter painter(masks, look, background, size);
    // Paper and ink change places by way of colours of their own, so that the drawing never loses its contrast.
    const float back = 2.0f * std::abs(far - 0.5f);
    const Colour between_paper{0.90f, 0.55f, 0.20f}, between_ink{0.10f, 0.25f, 0.75f};
    const Colour white{0.97f, 0.96f, 0.93f}, black{0.10f, 0.09f, 0.09f};
    const Colour paper = mix(between_paper, far < 0.5f ? white : black, back);
    const Colour ink = mix(between_ink, far < 0.5f ? black : white, back);
    Image image(size);
    for (int y = 0; y < size.height; ++y) {
        std::uint8_t* out = image.row(y);
        for (int x = 0; x < size.width; ++x, out += 3) {
            Colour c = near < 1.0f ? painter.photo(x, y) : Colour{};
            c = {clamp01(c.r), clamp01(c.g), clamp01(c.b)};
            if (near > 0) c = mix(c, painter.drawing(x, y, paper, ink), near);
            out[0] = to_byte(c.r);
            out[1] = to_byte(c.g);
            out[2] = to_byte(c.b);
        }
    }
    if (far > 0) swap_cells(image, far);
    return image;
}

}  // namespace cambium::leaves
