// The embedding and its gradient against loops: whole numbers exactly, random data within the error rule, and what must
// be refused.
#include <doctest/doctest.h>

#include "engine/base/error.h"
#include "tests/kernels/embedding/cases.h"
#include "tests/kernels/rule.h"
#include "tests/kernels/schedule.h"

using namespace cambium;
using namespace cambium::test;
using embedding::Variant;

namespace {

int case_count() { return is_checked_run() ? 30 : 150; }

}  // namespace

TEST_CASE("random sizes: integers exactly, reals within the error rule") {
    for (int i = 0; i < case_count(); ++i) {
        for (const bool integers : {true, false}) {
            EmbeddingCase c = random_case(i);
            const EmbeddingData data = make_data(c, integers);
            const ExactEmbedding exact = exact_embedding(c, data);
            for (const Variant variant : {Variant::plain, Variant::tuned}) {
                c.embedding.variant = variant;
                CAPTURE(c.text());
                const EmbeddingResult found = run_on_device(c, data);
                CHECK(found.y == exact.y);
                if (integers) CHECK(unequal(found.dtable, exact.dtable) == 0);
                CHECK(breach(found.dtable, exact.dtable_f32, exact.dtable, exact.terms) == "");
            }
        }
    }
}

TEST_CASE("what makes no sense is refused before anything is launched") {
    dev::Stream stream;
    dev::Buffer<float> memory(64);
    dev::Buffer<std::int32_t> index(4);
    float* p = memory.data();
    const embedding::Embedding good{.rows = 4, .columns = 4, .lookups = 4};
    const auto refuses = [&](const embedding::Embedding& e, const float* table, void* y, const char* why) {
        CHECK_THROWS_WITH_AS(embedding::forward(e, table, index.data(), y, stream), doctest::Contains(why), UsageError);
    };
    embedding::Embedding e = good;
    e.lookups = -1;
    refuses(e, p, p, "sizes are at least 0");
    e = good;
    e.dtype = DType::f16;
    refuses(e, p, p, "activations are f32 or bf16, not f16");
    refuses(good, nullptr, p, "null or not aligned");
    refuses(good, p, reinterpret_cast<std::byte*>(p) + 2, "null or not aligned");
    CHECK_THROWS_WITH_AS(embedding::backward(good, p, nullptr, p, stream), doctest::Contains("null or not aligned"),
                         UsageError);
}
