// Counted runs: whole tiles of each direction and type, 16 bytes a copy.
#pragma once

#include <cmath>
#include <numeric>
#include <string_view>

#include "kernels/simt/simt.h"
#include "tests/kernels/conv/cases.h"

namespace cambium::test {

// 3 x 3, as many channels and images as fill the tile. fprop and wgrad: 8 x 8 pixels. dgrad: stride 2, so that each of
// its four products has 8 x 8.
inline ConvCase whole_tiles(conv::Direction direction, conv::Math math, conv::Tile tile = conv::Tile::small) {
    ConvCase c;
    c.conv = {.direction = direction,
              .sizes = {.n = 1, .h = 8, .w = 8, .c = 64, .k = 64, .r = 3, .s = 3, .padding = {1, 1}},
              .math = math,
              .plan = conv::Plan{.tile = tile}};
    conv::Sizes& z = c.conv.sizes;
    if (tile != conv::Tile::small) z.n = 2;
    if (tile == conv::Tile::oblong && direction == conv::Direction::wgrad) z.c = 128;
    if (tile == conv::Tile::large) z.c = z.k = 128;
    if (direction == conv::Direction::dgrad) z.h = z.w = 16, z.stride[0] = z.stride[1] = 2;
    return c;
}

// Runs it with counters on.
inline std::vector<float> count(const ConvCase& c, const ConvData& data) {
    simt::reset_counters();
    simt::options().count = true;
    std::vector<float> result = run_on_device(c, data);
    simt::options().count = false;
    return result;
}

// The worst place, for an average would hide one operand behind the other.
inline double worst(std::string_view operation) {
    double worst = 1;
    for (const simt::Counter& c : simt::counters()) {
        if (c.operation == operation) worst = std::fmax(worst, c.factor());
    }
    return worst;
}

// Everything of one kind: banks' wavefronts or sectors.
inline std::uint64_t cost(std::string_view operation) {
    std::uint64_t sum = 0;
    for (const simt::Counter& c : simt::counters()) sum += c.operation == operation ? c.cost : 0;
    return sum;
}

}  // namespace cambium::test
