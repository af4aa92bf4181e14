// The counters of the elementwise loop, as committed: 16 bytes an access touch no sector too many. The plain variant,
// the same loop without vector accesses, pays what the sector rule predicts, so that a lost vector cannot pass here.
#include <doctest/doctest.h>

#include "tests/kernels/counters.h"
#include "tests/kernels/elementwise/cases.h"

using namespace cambium;
using namespace cambium::test;

namespace {

struct Figures {
    CounterSum reads, writes;
};

Figures count(ElementwiseCase c) {
    const ElementwiseData data = integer_data(c);
    const Counting counting;
    run_on_device(c, data);
    const char* kernel = "";  // whatever was launched
    return {counted(kernel, "global read"), counted(kernel, "global write")};
}

}  // namespace

TEST_CASE("vector accesses: whole sectors, as few instructions as there are 512-byte pieces") {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        const auto bytes = static_cast<std::uint64_t>(size_of(dtype));
        const ElementwiseCase c{.op = Operator::add, .rows = 64, .channels = 64, .dtype = dtype};
        CAPTURE(c.text());
        const Figures found = count(c);
        CHECK(found.reads.worst == 1.0);
        CHECK(found.writes.worst == 1.0);
        CHECK(found.reads.cost == 2 * 4096 * bytes / 32);
        CHECK(found.reads.instructions == 2 * 4096 * bytes / 512);
        CHECK(found.writes.instructions == 4096 * bytes / 512);
    }
}

TEST_CASE("vectors of channels are read 16 bytes at a time too") {
    const Figures found = count({.op = Operator::scale_shift, .rows = 32, .channels = 128});
    CHECK(found.reads.worst == 1.0);
    // The tensor once, and both vectors once for each row that a warp takes.
    CHECK(found.reads.instructions == 3 * 4096 * 4 / 512);
}

TEST_CASE("without vector accesses a warp's elements lie a chunk apart, four or eight to a sector of their own") {
    const Figures f32 =
        count({.op = Operator::add, .rows = 64, .channels = 64, .variant = elementwise::Variant::plain});
    CHECK(f32.reads.worst == 4.0);
    CHECK(f32.writes.worst == 4.0);
    const Figures low = count({.op = Operator::add,
                               .rows = 64,
                               .channels = 64,
                               .dtype = DType::bf16,
                               .variant = elementwise::Variant::plain});
    CHECK(low.reads.worst == 8.0);
    CHECK(low.writes.worst == 8.0);
}
