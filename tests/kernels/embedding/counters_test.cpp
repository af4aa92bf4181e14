// What the embedding costs in sectors, as committed: the tuned kernels read and write whole ones.
#include <doctest/doctest.h>

#include "tests/kernels/counters.h"
#include "tests/kernels/embedding/cases.h"

using namespace cambium;
using namespace cambium::test;

namespace {

void count(embedding::Variant variant) {
    EmbeddingCase c;
    c.embedding = {.rows = 16, .columns = 128, .lookups = 64, .variant = variant};
    const EmbeddingData data = make_data(c, true);
    const Counting counting;
    run_on_device(c, data);
}

}  // namespace

TEST_CASE("tuned") {
    count(embedding::Variant::tuned);
    CHECK(counted("embedding_rows", "global write").worst == 1.0);
    CHECK(counted("embedding_rows", "global write").cost == 64 * 128 * 4 / 32);
    CHECK(counted("embedding_gradient_rows", "global read").worst == 1.0);
    CHECK(counted("embedding_gradient_rows", "global write").worst == 1.0);
    CHECK(counted("embedding_gradient_rows", "global write").cost == 16 * 128 * 4 / 32);
}
