// One case of the embedding: sizes, data, exact results, and a run on the device. All tests of the family are built
// from it.
#pragma once

#include <string>
#include <vector>

#include "kernels/embedding/embedding.h"

namespace cambium::test {

struct EmbeddingCase {
    embedding::Embedding embedding;
    int skew = 0;  // elements by which operands begin beyond a 256-byte boundary
    std::uint32_t seed = 0;

    std::string text() const;
};

// Indices from -1 to V, so that some name no row.
struct EmbeddingData {
    std::vector<float> table, dy;
    std::vector<std::int32_t> index;
};
EmbeddingData make_data(const EmbeddingCase& c, bool integers);

struct EmbeddingResult {
    std::vector<float> y, dtable;
};
// y rounded as stored; dtable as double sums, and the largest sum of terms' magnitudes.
struct ExactEmbedding {
    std::vector<float> y;
    std::vector<double> dtable;
    std::vector<float> dtable_f32;  // one f32 sum in the order of the index
    double terms = 0;
};
ExactEmbedding exact_embedding(const EmbeddingCase& c, const EmbeddingData& data);
EmbeddingResult run_on_device(const EmbeddingCase& c, const EmbeddingData& data);

EmbeddingCase random_case(int number);

}  // namespace cambium::test
