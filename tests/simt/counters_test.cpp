// Counters against patterns whose cost follows from the hardware's rules: 32 banks of 4 bytes; 8 lanes at a time for
// 16-byte accesses and for each matrix of ldmatrix, 16 lanes for 8 bytes; 32-byte sectors.
#include <doctest/doctest.h>

#include "kernels/simt/simt.h"
#include "tests/simt/counters_kernels.h"

using namespace cambium;

namespace {

template <class Run>
simt::Counter counted(const char* operation, Run&& run) {
    simt::reset_counters();
    simt::options().count = true;
    run();
    simt::options().count = false;
    simt::Counter found;
    for (const simt::Counter& c : simt::counters()) {
        if (c.operation == operation) found = c;
    }
    return found;
}

}  // namespace

TEST_CASE("bank-conflict factors of strided reads are exact") {
    struct Pattern {
        int bytes, stride;
        double factor;
    };
    // 4 bytes: the stride's power of two, up to 32; odd strides are free; 0 is a broadcast. 8 bytes: two passes of 16
    // lanes.
    for (const Pattern p : {Pattern{4, 1, 1},
                            {4, 2, 2},
                            {4, 4, 4},
                            {4, 8, 8},
                            {4, 16, 16},
                            {4, 32, 32},
                            {4, 3, 1},
                            {4, 31, 1},
                            {4, 0, 1},
                            {8, 1, 1},
                            {8, 2, 2},
                            {8, 16, 16},
                            {16, 1, 1},
                            {16, 2, 2},
                            {16, 8, 8},
                            {16, 3, 1}}) {
        const simt::Counter c = counted("shared read", [&] { test::read_shared_with_stride(p.bytes, p.stride); });
        CHECK_MESSAGE(c.factor() == p.factor,
                      p.bytes << " bytes, stride " << p.stride << ": " << c.cost << " / " << c.ideal);
        CHECK(c.instructions == 1);
        CHECK(c.ideal == (p.stride == 0 ? 1u : static_cast<unsigned>(p.bytes) / 4u));
    }
}

TEST_CASE("ldmatrix conflicts follow the rows' pitch and swizzle") {
    struct Pattern {
        int pitch, swizzle;
        double factor;
    };
    // Rows of 64 bytes: every second row in the same banks, four-fold. 128 and 256 bytes: all eight. 16 bytes of
    // padding, or a swizzle by the row, free them.
    for (const Pattern p : {Pattern{16, 0, 1},
                            {32, 0, 2},
                            {64, 0, 4},
                            {128, 0, 8},
                            {256, 0, 8},
                            {80, 0, 1},
                            {144, 0, 1},
                            {128, 7, 1},
                            {256, 7, 1},
                            {128, 3, 2}}) {
        const simt::Counter c = counted("shared read", [&] { test::read_shared_matrices(p.pitch, p.swizzle); });
        CHECK_MESSAGE(c.factor() == p.factor,
                      "pitch " << p.pitch << " swizzle " << p.swizzle << ": " << c.cost << " / " << c.ideal);
        CHECK(c.ideal == 4);
    }
}

TEST_CASE("sectors of global reads are exact") {
    struct Pattern {
        int bytes, stride, offset;
        unsigned sectors, ideal;
    };
    for (const Pattern p : {Pattern{4, 1, 0, 4, 4},
                            {4, 1, 1, 5, 4},
                            {4, 2, 0, 8, 4},
                            {4, 8, 0, 32, 4},
                            {4, 32, 0, 32, 4},
                            {4, 0, 0, 1, 1},
                            {1, 1, 0, 1, 1},
                            {1, 32, 0, 32, 1},
                            {16, 1, 0, 16, 16},
                            {16, 2, 0, 32, 16}}) {
        const simt::Counter c =
            counted("global read", [&] { test::read_global_with_stride(p.bytes, p.stride, p.offset); });
        CHECK_MESSAGE(c.cost == p.sectors, p.bytes << " bytes, stride " << p.stride << ", offset " << p.offset);
        CHECK(c.ideal == p.ideal);
    }
}

TEST_CASE("warp-wide instructions are counted once a warp") {
    const simt::Counter c = counted("ldmatrix", [] { test::read_shared_matrices(128, 7); });
    CHECK(c.instructions == 1);
    const simt::Counter b = counted("barrier", [] { test::read_shared_matrices(128, 7); });
    CHECK(b.instructions == 1);
    CHECK(c.place.file.find("counters_kernels.cu") != std::string::npos);
}
