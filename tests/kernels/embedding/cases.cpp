#include "tests/kernels/embedding/cases.h"

#include <algorithm>
#include <cmath>

#include "engine/base/philox.h"
#include "tests/kernels/rule.h"

namespace cambium::test {
namespace {

std::size_t size(std::int64_t value) { return static_cast<std::size_t>(value); }

template <class T>
std::vector<T> skewed(const std::vector<float>& values, int skew) {
    std::vector<T> result(size(skew), T(0.0f));
    for (const float x : values) result.push_back(T(x));
    return result;
}

template <class T>
std::vector<float> downloaded(const T* from, std::size_t count, dev::Stream& stream) {
    std::vector<T> values(count);
    dev::copy_to_host(values.data(), from, count * sizeof(T), stream);
    return widened(values);
}

template <class T>
EmbeddingResult run_typed(const EmbeddingCase& c, const EmbeddingData& data) {
    dev::Stream stream;
    const std::size_t skew = size(c.skew);
    const dev::Buffer<float> table(skewed<float>(data.table, c.skew), stream, "table");
    const dev::Buffer<T> dy(skewed<T>(data.dy, c.skew), stream, "dy");
    const dev::Buffer<std::int32_t> index(data.index, stream, "index");
    dev::Buffer<T> y(data.dy.size() + skew, "y");
    dev::Buffer<float> dtable(data.table.size() + skew, "dtable");
    embedding::forward(c.embedding, table.data() + skew, index.data(), y.data() + skew, stream);
    embedding::backward(c.embedding, dy.data() + skew, index.data(), dtable.data() + skew, stream);
    return {downloaded(y.data() + skew, data.dy.size(), stream),
            downloaded(dtable.data() + skew, data.table.size(), stream)};
}

template <class Choices>
auto one_of(RandomStream& random, const Choices& choices) {
    return choices[random.below(static_cast<std::uint32_t>(std::size(choices)))];
}

}  // namespace

std::string EmbeddingCase::text() const {
    return std::to_string(embedding.lookups) + " of [" + std::to_string(embedding.rows) + ", " +
           std::to_string(embedding.columns) + "]" + (embedding.dtype == DType::bf16 ? " bf16" : " f32") +
           (embedding.variant == embedding::Variant::plain ? " plain" : "") + " skew " + std::to_string(skew) +
           " seed " + std::to_string(seed);
}

EmbeddingData make_data(const EmbeddingCase& c, bool integers) {
    RandomStream random(c.seed, hash_name("embedding data", 14));
    const auto values = [&](std::int64_t count, bool low) {
        std::vector<float> result(size(count));
        for (float& x : result) {
            x = integers ? static_cast<float>(random.below(9)) - 4 : static_cast<float>(random.uniform(-1, 1));
            if (low) x = static_cast<float>(bf16(x));
        }
        return result;
    };
    const embedding::Embedding& e = c.embedding;
    EmbeddingData data{.table = values(e.rows * e.columns, false),
                       .dy = values(e.lookups * e.columns, e.dtype == DType::bf16),
                       .index = {}};
    for (std::int64_t k = 0; k < e.lookups; ++k)
        data.index.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(e.rows + 2))) - 1);
    return data;
}

ExactEmbedding exact_embedding(const EmbeddingCase& c, const EmbeddingData& data) {
    const embedding::Embedding& e = c.embedding;
    ExactEmbedding exact;
    exact.dtable.resize(data.table.size());
    exact.dtable_f32.resize(data.table.size());
    std::vector<double> terms(data.table.size());
    for (std::int64_t k = 0; k < e.lookups; ++k) {
        const std::int64_t row = data.index[size(k)];
        for (std::int64_t i = 0; i < e.columns; ++i) {
            const bool exists = row >= 0 && row < e.rows;
            const float x = exists ? data.table[size(row * e.columns + i)] : 0;
            exact.y.push_back(e.dtype == DType::bf16 ? static_cast<float>(bf16(x)) : x);
            if (!exists) continue;
            const std::size_t at = size(row * e.columns + i);
            exact.dtable[at] += data.dy[size(k * e.columns + i)];
            exact.dtable_f32[at] += data.dy[size(k * e.columns + i)];
            terms[at] += std::fabs(data.dy[size(k * e.columns + i)]);
        }
    }
    for (const double x : terms) exact.terms = std::max(exact.terms, x);
    return exact;
}

EmbeddingResult run_on_device(const EmbeddingCase& c, const EmbeddingData& data) {
    return c.embedding.dtype == DType::bf16 ? run_typed<bf16>(c, data) : run_typed<float>(c, data);
}

EmbeddingCase random_case(int number) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("embedding case", 14));
    static constexpr std::int64_t rows[] = {0, 1, 2, 5, 33}, columns[] = {0, 1, 3, 8, 32, 40, 129, 260},
                                  lookups[] = {0, 1, 31, 32, 33, 70};
    EmbeddingCase c;
    c.embedding = {.rows = one_of(random, rows),
                   .columns = one_of(random, columns),
                   .lookups = one_of(random, lookups),
                   .dtype = random.below(2) == 0 ? DType::f32 : DType::bf16};
    c.skew = random.below(4) == 0 ? 1 : 0;
    c.seed = static_cast<std::uint32_t>(number);
    return c;
}

}  // namespace cambium::test
