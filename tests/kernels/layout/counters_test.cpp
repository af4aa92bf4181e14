// The tiled transposition's counters, as committed: whole tiles cost no bank conflict and no sector too many. Without
// the swizzle the factors rise to what the bank rule predicts, so that a lost swizzle cannot pass here.
#include <doctest/doctest.h>

#include "tests/kernels/counters.h"
#include "tests/kernels/layout/counters_kernels.h"

using namespace cambium;
using namespace cambium::test;

namespace {

struct Expected {
    TileKind kind;
    std::uint32_t bytes;  // of an element
    double unswizzled;    // the worst read's factor without the swizzle
};

// A column of words: all rows of a tile of 4-byte words begin at one bank, those of 2-byte words at two of them, those
// of bytes at four. Rows of pairs lie two apart for neighbouring lanes, which is the same bank again.
const Expected kKinds[] = {
    {TileKind::byte, 1, 8}, {TileKind::half, 2, 16}, {TileKind::pair_of_halves, 2, 32}, {TileKind::word, 4, 32}};

void run(TileKind kind, bool swizzled, std::uint32_t bytes) {
    constexpr std::uint32_t rows = 64, columns = 128;
    const std::vector<std::uint32_t> y = run_transposition(kind, swizzled, rows, columns);
    const std::uint32_t mask = bytes == 4 ? 0xffffffffu : (1u << (8 * bytes)) - 1;
    for (std::uint32_t i = 0; i < rows * columns; ++i) REQUIRE(y[i] == ((i % rows * columns + i / rows) & mask));
}

}  // namespace

TEST_CASE("whole tiles: no bank conflicts, no sector too many") {
    for (const Expected& e : kKinds) {
        CAPTURE(static_cast<int>(e.kind));
        const Counting counting;
        run(e.kind, true, e.bytes);
        CHECK(counted("transpose_tiles", "shared read").worst == 1.0);
        CHECK(counted("transpose_tiles", "shared write").worst == 1.0);
        CHECK(counted("transpose_tiles", "global read").worst == 1.0);
        CHECK(counted("transpose_tiles", "global write").worst == 1.0);
        CHECK(counted("transpose_tiles", "global read").cost == 64 * 128 * e.bytes / 32);
        CHECK(counted("transpose_tiles", "global write").cost == 64 * 128 * e.bytes / 32);
    }
}

TEST_CASE("without the swizzle the factors are those of the bank rule") {
    for (const Expected& e : kKinds) {
        CAPTURE(static_cast<int>(e.kind));
        const Counting counting;
        run(e.kind, false, e.bytes);
        CHECK(counted("transpose_tiles", "shared read").worst == e.unswizzled);
    }
}
