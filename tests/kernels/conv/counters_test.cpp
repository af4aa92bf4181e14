// The tuned kernels' counters, as committed: whole tiles cost no bank conflict and no sector too many, also where they
// are gathered around an image's edge.
#include "tests/kernels/conv/counters.h"

#include <doctest/doctest.h>

#include "tests/kernels/counters.h"

using namespace cambium;
using namespace cambium::test;

namespace {

void check_ideal() {
    for (const char* operation :
         {"shared read", "shared write", "cp.async target", "cp.async source", "global write"}) {
        CAPTURE(operation);
        CHECK(worst(operation) == 1.0);
    }
}

}  // namespace

TEST_CASE("whole tiles: no bank conflicts, no sector too many") {
    using conv::Direction, conv::Math;
    // Taps inside of the image: of 8 windows in a line 22 of 24, two being in the padding; with stride 2, 23.
    for (const auto& [direction, taps] :
         {std::pair{Direction::fprop, 22 * 22}, {Direction::dgrad, 23 * 23}, {Direction::wgrad, 22 * 22}}) {
        for (const Math math : {Math::bf16, Math::tf32, Math::f32}) {
            const ConvCase c = whole_tiles(direction, math);
            CAPTURE(c.text());
            const ConvData data = make_data(c, Fill::integers);
            const std::vector<float> found = count(c, data);
            check_ideal();
            // 64 channels of each of those taps once; and the filter, or dy once for each tap, which is as much.
            const std::uint64_t sectors = math == Math::bf16 ? 64 * 2 / 32 : 64 * 4 / 32;
            CHECK(cost("cp.async source") == (static_cast<std::uint64_t>(taps) + 9 * 64) * sectors);
            CHECK(cost("global write") == found.size() * sizeof(float) / 32);
        }
    }
}

TEST_CASE("the wider tiles: neither") {
    using conv::Direction, conv::Math, conv::Tile;
    for (const Direction direction : {Direction::fprop, Direction::dgrad, Direction::wgrad}) {
        for (const Math math : {Math::bf16, Math::tf32, Math::f32}) {
            for (const Tile tile : {Tile::oblong, Tile::large}) {
                const ConvCase c = whole_tiles(direction, math, tile);
                CAPTURE(c.text());
                const std::vector<float> found = count(c, make_data(c, Fill::integers));
                check_ideal();
                CHECK(cost("global write") == found.size() * sizeof(float) / 32);
            }
        }
    }
}

TEST_CASE("moments cost three whole sectors a cell and eight channels, and merging them no bank conflict") {
    using conv::Math, conv::Tile;
    for (const Math math : {Math::bf16, Math::tf32, Math::f32}) {
        for (const Tile tile : {Tile::small, Tile::large}) {
            const ConvCase c = whole_tiles(conv::Direction::fprop, math, tile);
            CAPTURE(c.text());
            const ConvData data = make_data(c, Fill::integers);
            simt::reset_counters();
            simt::options().count = true;
            const WithMoments found = run_with_moments(c, data);
            simt::options().count = false;
            const conv::Sizes& z = c.conv.sizes;
            const auto cells = static_cast<std::uint64_t>(z.n * z.p() * z.q() / conv::moment_rows(c.conv));
            check_ideal();
            CHECK(counted("conv::tuned", "global write").cost ==
                  (found.y.size() + cells * 3 * static_cast<std::uint64_t>(z.k)) * sizeof(float) / 32);
            CHECK(counted("merge_cell_moments", "global read").worst == 1.0);
        }
    }
}

// ResNet's stem on an eighth of its pixels: 2-byte copies of its pixels cost up to 4 times the fewest wavefronts, 8
// times the fewest sectors.
TEST_CASE("a stem of three channels: copied 16 bytes at a time, no bank conflicts") {
    using conv::Direction, conv::Math;
    for (const Direction direction : {Direction::fprop, Direction::wgrad}) {
        for (const Math math : {Math::bf16, Math::tf32, Math::f32}) {
            ConvCase c;
            c.conv = {.direction = direction,
                      .sizes = {.n = 1, .h = 32, .w = 32, .c = 3, .k = 64, .r = 7, .s = 7, .stride = {2, 2}},
                      .math = math};
            c.conv.sizes.padding[0] = c.conv.sizes.padding[1] = 3;
            CAPTURE(c.text());
            count(c, make_data(c, Fill::integers));
            for (const char* operation : {"shared read", "shared write", "cp.async target"}) {
                CAPTURE(operation);
                CHECK(worst(operation) == 1.0);
            }
            // Windows in the padding copy nothing, which leaves an access less than its share of whole sectors.
            CHECK(worst("cp.async source") < 1.2);
            CHECK(worst("global write") < 1.2);  // lines of 37 pixels of 16 bytes end within a sector
            CHECK(counted("pad_pixels", "global read").worst < 1.2);
            CHECK(counted("crop_pixels", "global read").worst < 2);  // a channel of four, a tap of eight are left out
        }
    }
}
