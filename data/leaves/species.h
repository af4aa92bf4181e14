// The species: what all leaves of one kind have in common. The numbers are proportions of a leaf of length 1. Each
// species is modelled on a plant and named after it; none claims to be a portrait.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "data/leaves/colour.h"

namespace cambium::leaves {

enum class Form : std::uint8_t {
    simple,    // one blade along a midrib
    palmate,   // lobes spread like fingers from the base
    fan,       // a sector of a circle
    pinnate,   // leaflets in pairs along a stalk
    digitate,  // leaflets from one point
};
enum class Margin : std::uint8_t { entire, serrate, doubly_serrate, crenate, spiny };
enum class Veins : std::uint8_t { pinnate, palmate, parallel };

struct Blade {
    float width = 0.5f;    // greatest width of the outline
    float base = 0.6f;     // outline near the base ~ t^base: 0.3 blunt, 0.5 round, 1 wedge
    float apex = 0.8f;     // outline near the tip ~ (1-t)^apex: 0.4 round, 0.8 acute, 1.6 drawn out to a point
    float cordate = 0;     // how far the base reaches back past the stalk: 0.2 a heart
    float notch = 0;       // how far the tip is drawn in
    float asymmetry = 0;   // one half's base set lower, as an elm's
    int lobes = 0;         // per side (simple), in all (palmate)
    float lobe_depth = 0;  // 0 none, 1 to the midrib
    float lobe_point = 0;  // 0 round, 1 pointed
    float lobe_lean = 0;   // towards the tip, or (negative) back
    Margin margin = Margin::entire;
    int teeth = 0;  // per side (simple), per side of a lobe (palmate)
    float tooth_depth = 0;
    Veins veins = Veins::pinnate;
    int vein_pairs = 7;
    float vein_rise = 0.18f;  // how much further up a side vein ends than it starts
};

struct Species {
    std::string_view name;
    Form form = Form::simple;
    Blade blade;
    int leaflets = 0;  // pairs (pinnate), in all (digitate)
    float leaflet_size = 0.4f;
    float spread = 0.2f;  // angle of leaflets to the stalk, or between two fingers or lobes, in turns
    float petiole = 0.2f;
    Colour colour{0.25f, 0.45f, 0.15f};
    Colour autumn{0.75f, 0.6f, 0.2f};
    Colour vein{0.6f, 0.7f, 0.4f};
    float vein_contrast = 0.4f;
    float gloss = 0.2f;
    float chevron = 0;  // strength of a pale mark across the blade
};

inline constexpr int source_species = 24;
inline constexpr int target_species = 6;

// Numbers 0 to 23 are the source species, 24 to 29 the target's: none is in both.
std::span<const Species> all_species();

}  // namespace cambium::leaves
