// From proportions to polygons. A margin is first a smooth line from base to tip, then walked in equal steps and pushed
// out by its teeth; everything else (lobes, leaflets) is that, placed several times.
#include "data/leaves/outline.h"

#include <algorithm>

namespace cambium::leaves {
namespace {

float draw(RandomStream& random, float low, float high) {
    return low + (high - low) * static_cast<float>(random.uniform());
}
float vary(RandomStream& random, float value, float share) { return value * draw(random, 1.0f - share, 1.0f + share); }

Blade vary(Blade blade, RandomStream& random) {
    blade.width = vary(random, blade.width, 0.09f);
    blade.base = vary(random, blade.base, 0.06f);
    blade.apex = vary(random, blade.apex, 0.08f);
    blade.cordate = vary(random, blade.cordate, 0.2f);
    blade.notch = vary(random, blade.notch, 0.25f);
    blade.lobe_depth = vary(random, blade.lobe_depth, 0.12f);
    blade.tooth_depth = vary(random, blade.tooth_depth, 0.15f);
    if (blade.teeth > 5) blade.teeth += static_cast<int>(random.below(3)) - 1;
    if (blade.vein_pairs > 3) blade.vein_pairs += static_cast<int>(random.below(3)) - 1;
    return blade;
}

// How far a tooth reaches at phase f in [0, 1) of its period, 0 to 1.
float tooth(Margin margin, float f) {
    switch (margin) {
        case Margin::entire:
            return 0;
        case Margin::serrate:
            return f;
        case Margin::doubly_serrate: {
            const float fine = 3.0f * f - std::floor(3.0f * f);
            return 0.65f * f + 0.35f * fine;
        }
        case Margin::crenate:
            return sin_turns(0.5f * f);
        case Margin::spiny: {
            const float fromMiddle = 2.0f * f - 1.0f;
            return fromMiddle * fromMiddle;
        }
    }
    return 0;
}

int steps_per_tooth(Margin margin) { return margin == Margin::doubly_serrate ? 9 : 6; }

// `line` resampled in equal steps, with `teeth` of height `depth` on its right (side 1) or left (side -1), pointing
// forwards. They fade in over the first tenth and out towards the tip.
Polyline toothed(const Polyline& line, Margin margin, int teeth, float depth, int side) {
    if (margin == Margin::entire || teeth <= 0) return line;
    std::vector<float> along(line.size());
    for (std::size_t i = 1; i < line.size(); ++i) along[i] = along[i - 1] + length(line[i] - line[i - 1]);
    const int steps = teeth * steps_per_tooth(margin);
    Polyline result;
    result.reserve(static_cast<std::size_t>(steps) + 1);
    std::size_t segment = 0;
    for (int i = 0; i <= steps; ++i) {
        const float share = static_cast<float>(i) / static_cast<float>(steps), at = share * along.back();
        while (segment + 2 < line.size() && along[segment + 1] < at) ++segment;
        const Point a = line[segment], b = line[segment + 1];
        const float span = along[segment + 1] - along[segment];
        const Point p = a + (b - a) * (span > 0 ? clamp01((at - along[segment]) / span) : 0.0f);
        const float phase = share * static_cast<float>(teeth);
        const float fade = smoothstep(0.02f, 0.12f, share) * (1.0f - smoothstep(0.72f, 1.0f, share));
        const float height = depth * fade * tooth(margin, phase - std::floor(phase));
        const Point out = right_normal(a, b) * static_cast<float>(side), forward = b - a;
        const float lean = length(forward) > 1e-9f ? 0.6f * height / length(forward) : 0.0f;
        result.push_back(p + out * height + forward * (margin == Margin::crenate ? 0.0f : lean));
    }
    return result;
}

// Half the width of a simple blade at t in [0, 1] from base to tip, without lobes.
float half_width(const Blade& blade, float t) {
    if (t <= 0.0f || t >= 1.0f) return 0.0f;
    const float peak = blade.base / (blade.base + blade.apex);
    const float scale = power(peak, blade.base) * power(1.0f - peak, blade.apex);
    return 0.5f * blade.width * power(t, blade.base) * power(1.0f - t, blade.apex) / scale;
}

// The point of the right half at share s of the width and t of the length; s = 1 is the margin.
Point blade_point(const Blade& blade, float s, float t) {
    const float smooth = half_width(blade, t);
    float x = smooth * s, y = t;
    if (blade.lobes > 0) {
        const float phase = static_cast<float>(blade.lobes) * power(t, 0.92f);
        const float f = phase - std::floor(phase);
        const float wave = 0.5f - 0.5f * cos_turns(f), round = wave * (2.0f - wave),
                    sharp = 1.0f - std::abs(2.0f * f - 1.0f);
        const float peak = mix(round, sharp * mix(1.0f, sharp, 0.4f), blade.lobe_point);
        const float fade = smoothstep(0.0f, 0.12f, t);
        x *= 1.0f - blade.lobe_depth * fade * (1.0f - peak);
        y += blade.lobe_lean * peak * smooth * s;
    }
    const float relative = 2.0f * smooth / blade.width, rest = 1.0f - t;
    y -= blade.cordate * relative * s * rest * rest * rest;
    if (blade.notch > 0) y -= blade.notch * power(t, 6.0f) * clamp01(1.0f - x / (0.36f * blade.width));
    return {x, y};
}

Polyline mirrored(Polyline line) {
    for (Point& p : line) p.x = -p.x;
    return line;
}
Polyline mapped(const Affine& map, Polyline line) {
    for (Point& p : line) p = map(p);
    return line;
}

void add_vein(LeafShape& shape, const Affine& map, Polyline line, float from, float to, bool both_sides) {
    if (both_sides) shape.veins.push_back({mapped(map, mirrored(line)), from, to});
    shape.veins.push_back({mapped(map, std::move(line)), from, to});
}

// Side veins start on the midrib and end near the margin, `rise` further up, bending to the tip.
void add_side_veins(LeafShape& shape, const Blade& blade, const Affine& map, float scale) {
    const int pairs = blade.vein_pairs;
    for (int i = 0; i < pairs; ++i) {
        const float share = (static_cast<float>(i) + 0.6f) / (static_cast<float>(pairs) + 0.35f);
        const float end = blade.lobes > 0 ? (static_cast<float>(i) + 0.5f) / static_cast<float>(pairs) : share + 0.05f;
        const float start = std::max(0.02f, (blade.lobes > 0 ? end : share) - 0.6f * blade.vein_rise * (1.3f - share));
        const Point tip = blade_point(blade, 0.93f, std::min(0.98f, std::max(end, start + 0.3f * blade.vein_rise)));
        Polyline line;
        for (int k = 0; k <= 5; ++k) {
            const float u = static_cast<float>(k) / 5.0f;
            line.push_back({tip.x * u, mix(start, tip.y, u * mix(0.8f, 1.0f, u))});
        }
        add_vein(shape, map, std::move(line), 0.012f * scale, 0.005f * scale, true);
    }
}

void add_blade_veins(LeafShape& shape, const Blade& blade, const Affine& map, float scale) {
    const float tip = 1.0f - 0.97f * blade.notch;
    add_vein(shape, map, {{0, 0}, {0, 0.5f * tip}, {0, 0.98f * tip}}, 0.026f * scale, 0.006f * scale, false);
    switch (blade.veins) {
        case Veins::pinnate:
            add_side_veins(shape, blade, map, scale);
            break;
        case Veins::palmate:
            for (const float end : {0.16f, 0.50f}) {
                Polyline line;
                const Point tip_point = blade_point(blade, 0.9f, end);
                for (int k = 0; k <= 6; ++k) {
                    const float u = static_cast<float>(k) / 6.0f;
                    line.push_back({tip_point.x * u * (1.25f - 0.25f * u), tip_point.y * u * mix(0.75f, 1.0f, u)});
                }
                add_vein(shape, map, std::move(line), 0.018f * scale, 0.005f * scale, true);
            }
            add_side_veins(shape, blade, map, scale);
            break;
        case Veins::parallel:
            for (int i = 1; i <= blade.vein_pairs; ++i) {
                Polyline line;
                const float s = static_cast<float>(i) / static_cast<float>(blade.vein_pairs + 1);
                for (int k = 0; k <= 12; ++k)
                    line.push_back(blade_point(blade, s, 0.01f + 0.08f * static_cast<float>(k)));
                add_vein(shape, map, std::move(line), 0.012f * scale, 0.006f * scale, true);
            }
            break;
    }
}

// A pale mark as clover leaflets have it: an arrow across the blade.
void add_chevron(LeafShape& shape, const Blade& blade, const Affine& map) {
    Polyline line;
    for (int side = -1; side <= 1; side += 2) {
        for (int k = 0; k <= 6; ++k) {
            const float u = side < 0 ? static_cast<float>(6 - k) / 6.0f : static_cast<float>(k) / 6.0f;
            const float t = 0.52f - 0.12f * u;
            line.push_back({static_cast<float>(side) * 0.8f * u * half_width(blade, t), t});
        }
    }
    Polyline back = line;
    std::reverse(back.begin(), back.end());
    for (Point p : back) line.push_back({p.x, p.y - 0.10f});
    shape.marks.push_back(mapped(map, std::move(line)));
}

void add_simple_blade(LeafShape& shape, const Species& species, const Blade& blade, const Affine& map, float scale) {
    constexpr int stations = 56;
    for (int side = -1; side <= 1; side += 2) {
        Polyline smooth;
        for (int i = 0; i <= stations; ++i) {
            const float t = 0.5f - 0.5f * cos_turns(static_cast<float>(i) / (2.0f * stations));  // denser at both ends
            Point p = blade_point(blade, 1.0f, t);
            if (side > 0) p.y -= blade.asymmetry * (1.0f - t) * (1.0f - t) * 2.0f * half_width(blade, t) / blade.width;
            smooth.push_back(p);
        }
        Polyline margin = toothed(smooth, blade.margin, blade.teeth, blade.tooth_depth, 1);
        if (side < 0) margin = mirrored(std::move(margin));
        margin = mapped(map, std::move(margin));
        (side < 0 ? shape.left : shape.right).push_back(margin);
        shape.margins.push_back(std::move(margin));
    }
    add_blade_veins(shape, blade, map, scale);
    if (species.chevron > 0) add_chevron(shape, blade, map);
}

// A quadratic curve from a to c, drawn towards b.
void append_curve(Polyline& line, Point a, Point b, Point c, int steps) {
    for (int i = 1; i <= steps; ++i) {
        const float u = static_cast<float>(i) / static_cast<float>(steps), v = 1.0f - u;
        line.push_back(a * (v * v) + b * (2.0f * u * v) + c * (u * u));
    }
}

// One half of a lobe: from the sinus between lobes to the tip. `side` is -1 (left of the tip) or 1.
void add_lobe_half(LeafShape& shape, const Blade& blade, Point sinus, Point tip, int side) {
    // Round lobes bulge outwards on their way; pointed ones run nearly straight.
    const Point along = tip - sinus, out = right_normal(sinus, tip) * static_cast<float>(side);
    const Point control = sinus + along * mix(0.75f, 0.5f, blade.lobe_point) +
                          out * (length(along) * mix(0.32f, 0.06f, blade.lobe_point));
    Polyline edge{sinus};
    append_curve(edge, sinus, control, tip, 10);
    edge = toothed(edge, blade.margin, blade.teeth, blade.tooth_depth, side);
    shape.margins.push_back(edge);
    edge.push_back({0, 0});
    (side < 0 ? shape.left : shape.right).push_back(std::move(edge));
}

void add_palmate(LeafShape& shape, const Species& species, const Blade& blade, RandomStream& random) {
    const int lobes = blade.lobes, half = lobes / 2;
    std::vector<Point> tips, sinuses;
    const auto reach = [&](int k) {
        const float away = static_cast<float>(std::abs(k - half)) / static_cast<float>(std::max(1, half));
        return mix(1.0f, 0.55f, away * mix(1.0f, away, 0.5f));
    };
    for (int k = 0; k < lobes; ++k) {
        const float angle = species.spread * static_cast<float>(k - half) + draw(random, -0.008f, 0.008f);
        tips.push_back(direction(angle) * vary(random, reach(k), 0.05f));
    }
    for (int k = 0; k <= lobes; ++k) {
        const bool outer = k == 0 || k == lobes;
        const float angle = species.spread * (static_cast<float>(k - half) - 0.5f) * (outer ? 1.12f : 1.0f);
        const float near = std::min(reach(std::max(0, k - 1)), reach(std::min(lobes - 1, k)));
        sinuses.push_back(direction(angle) * (near * (outer ? 0.45f : 1.0f - blade.lobe_depth)));
    }
    for (int k = 0; k < lobes; ++k) {
        const auto i = static_cast<std::size_t>(k);
        add_lobe_half(shape, blade, sinuses[i], tips[i], -1);
        add_lobe_half(shape, blade, sinuses[i + 1], tips[i], 1);
        shape.veins.push_back({{{0, 0}, tips[i] * 0.5f, tips[i] * 0.95f}, 0.026f, 0.007f});
    }
    for (int k = 0; k < lobes; ++k) {
        const Point tip = tips[static_cast<std::size_t>(k)];
        const Point out = right_normal({0, 0}, tip);
        for (int i = 1; i <= 3; ++i) {
            const Point start = tip * (0.22f + 0.17f * static_cast<float>(i)), forward = tip * 0.15f;
            const float reach_out = 0.15f * length(tip) * (1.15f - 0.22f * static_cast<float>(i));
            shape.veins.push_back({{start, start + forward + out * reach_out}, 0.012f, 0.004f});
            shape.veins.push_back({{start, start + forward - out * reach_out}, 0.012f, 0.004f});
        }
    }
}

void add_fan(LeafShape& shape, const Species& species, const Blade& blade) {
    constexpr int stations = 40;
    for (int side = -1; side <= 1; side += 2) {
        Polyline arc;
        for (int i = 0; i <= stations; ++i) {
            const float share = 1.0f - static_cast<float>(i) / stations;  // from the corner to the middle
            const float notch = blade.notch * clamp01(1.0f - share / 0.16f);
            arc.push_back(direction(species.spread * share) * (0.96f - notch - 0.10f * power(share, 4.0f)));
        }
        Polyline edge{{0, 0}};
        append_curve(edge, {0, 0}, arc.front() * 0.55f + Point{-0.05f, 0.02f}, arc.front(), 8);
        arc = toothed(arc, blade.margin, blade.teeth, blade.tooth_depth, 1);
        edge.insert(edge.end(), arc.begin(), arc.end());
        if (side < 0) edge = mirrored(std::move(edge));
        shape.margins.push_back(edge);
        (side < 0 ? shape.left : shape.right).push_back(std::move(edge));
        for (int i = 0; i < blade.vein_pairs; ++i) {
            const float share = (static_cast<float>(i) + 0.5f) / static_cast<float>(blade.vein_pairs);
            Point tip = direction(species.spread * share) * (share < 0.16f ? 0.72f : 0.88f);
            Point bend = direction(species.spread * share * 0.8f) * 0.4f;
            if (side < 0) tip.x = -tip.x, bend.x = -bend.x;
            shape.veins.push_back({{{0, 0}, bend, tip}, 0.009f, 0.006f});
        }
    }
}

void add_pinnate(LeafShape& shape, const Species& species, const Blade& blade, RandomStream& random) {
    const float size = species.leaflet_size;
    const float end = 1.0f - size;
    for (int i = 0; i < species.leaflets; ++i) {
        const float y = 0.04f + (end - 0.06f) * static_cast<float>(i) / static_cast<float>(species.leaflets) + 0.05f;
        for (int side = -1; side <= 1; side += 2) {
            const float angle = static_cast<float>(side) * vary(random, species.spread, 0.08f);
            const float scale = size * draw(random, 0.84f, 0.98f);
            add_simple_blade(shape, species, blade, placed({0, y + draw(random, -0.012f, 0.012f)}, angle, scale),
                             scale * 1.5f);
        }
    }
    add_simple_blade(shape, species, blade, placed({0, end}, draw(random, -0.01f, 0.01f), size), size * 1.5f);
    shape.stalks.push_back({{{0, 0}, {0, 0.5f * end}, {0, end}}, 0.022f, 0.014f});
}

void add_digitate(LeafShape& shape, const Species& species, const Blade& blade, RandomStream& random) {
    const int half = species.leaflets / 2;
    for (int k = 0; k < species.leaflets; ++k) {
        const float away = static_cast<float>(std::abs(k - half)) / static_cast<float>(std::max(1, half));
        const float scale =
            species.leaflet_size * (species.leaflets > 3 ? mix(1.0f, 0.62f, away) : 1.0f) * draw(random, 0.94f, 1.06f);
        const float angle = species.spread * static_cast<float>(k - half) + draw(random, -0.008f, 0.008f);
        add_simple_blade(shape, species, blade, placed({0, 0}, angle, scale), scale * 1.3f);
    }
}

}  // namespace

LeafShape draw_shape(const Species& species, RandomStream& random) {
    LeafShape shape;
    const Blade blade = vary(species.blade, random);
    switch (species.form) {
        case Form::simple:
            add_simple_blade(shape, species, blade, {}, 1.0f);
            break;
        case Form::palmate:
            add_palmate(shape, species, blade, random);
            break;
        case Form::fan:
            add_fan(shape, species, blade);
            break;
        case Form::pinnate:
            add_pinnate(shape, species, blade, random);
            break;
        case Form::digitate:
            add_digitate(shape, species, blade, random);
            break;
    }
    const float petiole = vary(random, species.petiole, 0.2f), sway = draw(random, -0.25f, 0.25f) * petiole;
    Polyline line;
    for (int k = 0; k <= 6; ++k) {
        const float u = static_cast<float>(k) / 6.0f;
        line.push_back({sway * u * u, -petiole * u});
    }
    shape.stalks.push_back({std::move(line), 0.024f, 0.036f});
    return shape;
}

}  // namespace cambium::leaves
