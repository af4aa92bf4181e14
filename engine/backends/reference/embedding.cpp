// Rows of a table, looked up by index.
#include <algorithm>

#include "engine/backends/reference/reference.h"

namespace cambium::reference {

void run(const ops::Embedding&, const Operands& operands) {
    const std::int64_t V = operands.shape(0)[0], E = operands.shape(0)[1];
    const double* table = operands.in(0);
    const std::int32_t* index = operands.in<std::int32_t>(1);
    for (std::int64_t i = 0; i < operands.count(1); ++i) {
        double* y = operands.out() + i * E;
        if (index[i] >= 0 && index[i] < V) {
            std::copy_n(table + index[i] * E, E, y);
        } else {
            std::fill_n(y, E, 0.0);
        }
    }
}

void run(const ops::EmbeddingGradient& op, const Operands& operands) {
    const std::int64_t E = operands.outputs[0].shape[1];
    const double* dy = operands.in(0);
    const std::int32_t* index = operands.in<std::int32_t>(1);
    double* dtable = operands.out();
    std::fill_n(dtable, op.rows * E, 0.0);
    for (std::int64_t i = 0; i < operands.count(1); ++i) {
        if (index[i] < 0 || index[i] >= op.rows) continue;
        for (std::int64_t e = 0; e < E; ++e) dtable[index[i] * E + e] += dy[i * E + e];
    }
}

}  // namespace cambium::reference
