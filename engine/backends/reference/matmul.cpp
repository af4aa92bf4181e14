// Matrix products: the textbook sum, in the loop order that reads the second matrix along its rows.
#include <algorithm>

#include "engine/backends/reference/reference.h"
#include "engine/base/parallel.h"

namespace cambium::reference {

void run(const ops::MatMul& op, const Operands& operands) {
    const bool transpose_a = op.transpose_a == ops::Transpose::yes, transpose_b = op.transpose_b == ops::Transpose::yes;
    const std::int64_t M = operands.outputs[0].shape[0], N = operands.outputs[0].shape[1];
    const std::int64_t K = operands.shape(0)[transpose_a ? 0 : 1];
    const double *a = operands.in(0), *b = operands.in(1);
    const auto row_of_result = [&](std::int64_t m, double* c) {
        std::fill_n(c, N, 0.0);
        if (transpose_b) {
            for (std::int64_t n = 0; n < N; ++n)
                for (std::int64_t k = 0; k < K; ++k) c[n] += a[transpose_a ? k * M + m : m * K + k] * b[n * K + k];
        } else {
            for (std::int64_t k = 0; k < K; ++k) {
                const double factor = a[transpose_a ? k * M + m : m * K + k];
                for (std::int64_t n = 0; n < N; ++n) c[n] += factor * b[k * N + n];
            }
        }
    };
    parallel_for(M, 1 + 65536 / std::max<std::int64_t>(1, N * K), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t m = begin; m < end; ++m) row_of_result(m, operands.out() + m * N);
    });
}

}  // namespace cambium::reference
