// What both kernels do with a finished sum: scale, bias, activation, residual, last activation, rounding to the
// output's type, store.
#pragma once

#include "kernels/gemm/gemm.h"
#include "kernels/gpu.h"

namespace cambium::gemm {

// A launch's sizes and strides, in elements.
struct Problem {
    std::int64_t m, n, k;
    std::int64_t lda, ldb, ldd;
    Batch batch;                     // a launch of several products has them along z; convolutions have none
    int copy_bytes_a, copy_bytes_b;  // 16, 8, 4 or 2: the widest copy to which all rows are aligned
    int splits;
    int store_elements;  // 4, 2 or 1: the widest run of elements to which rows of D and of the residual are aligned
    Output output;
    Epilogue epilogue;
};

CAMBIUM_DEVICE float activate(float x, Activation activation) {
    if (activation == Activation::relu) return x < 0.0f ? 0.0f : x;
    if (activation == Activation::gelu) return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
    return x;
}

// All of the epilogue that comes before the residual.
CAMBIUM_DEVICE float before_residual(const Problem& p, float sum, std::int64_t column) {
    float x = sum;
    if (p.epilogue.scale != nullptr) x *= p.epilogue.scale[column];
    if (p.epilogue.bias != nullptr) x += p.epilogue.bias[column];
    return activate(x, p.epilogue.activation);
}

// Successive elements of a row of D, of which those from column `end` on do not exist.
struct Run {
    std::int64_t row, column, end;
    std::int64_t matrix = 0;  // of the batch

    CAMBIUM_DEVICE std::int64_t in_d(const Problem& p) const { return matrix * p.batch.d + row * p.ldd + column; }
    CAMBIUM_DEVICE std::int64_t in_residual(const Problem& p) const {
        return matrix * p.batch.residual + row * p.epilogue.residual_stride + column;
    }
};

// The run's first element. Returns it as stored.
template <class Out>
CAMBIUM_DEVICE float store_element(const Problem& p, void* d, const Run& run, float sum) {
    float x = before_residual(p, sum, run.column);
    if (p.epilogue.residual != nullptr) {
        x += static_cast<float>(static_cast<const Out*>(p.epilogue.residual)[run.in_residual(p)]);
    }
    const Out stored = Out(activate(x, p.epilogue.last_activation));
    static_cast<Out*>(d)[run.in_d(p)] = stored;
    return static_cast<float>(stored);
}

// A run's elements, one access where all exist and rows are aligned to it (its column is a multiple of Count). Sums
// become what is stored.
template <class Out, int Count>
CAMBIUM_DEVICE void store_run(const Problem& p, void* d, const Run& run, float (&sums)[Count]) {
    using Elements = dev::Vector<Out, Count>;
    if (run.column >= run.end) return;
    if (p.store_elements < Count || run.column + Count > run.end) {
        for (int i = 0; i < Count; ++i) {
            const Run single{run.row, run.column + i, run.end, run.matrix};
            if (single.column < run.end) sums[i] = store_element<Out>(p, d, single, sums[i]);
        }
        return;
    }
    float x[Count];
    for (int i = 0; i < Count; ++i) x[i] = before_residual(p, sums[i], run.column + i);
    if (p.epilogue.residual != nullptr) {
        const auto* residual = static_cast<const Out*>(p.epilogue.residual);
        const auto r = dev::load_vector<Elements>(residual + run.in_residual(p));
        for (int i = 0; i < Count; ++i) x[i] += static_cast<float>(r[i]);
    }
    Elements elements;
    for (int i = 0; i < Count; ++i) {
        elements[i] = Out(activate(x[i], p.epilogue.last_activation));
        sums[i] = static_cast<float>(elements[i]);
    }
    dev::store_vector(static_cast<Out*>(d) + run.in_d(p), elements);
}

}  // namespace cambium::gemm
