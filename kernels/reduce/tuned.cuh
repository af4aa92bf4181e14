// Sums bound by memory. Where the summed axis is not the last, columns.cuh; where it is, rows.cuh, a long row in parts
// whose sums are the rows of a second launch. The norm of many tensors: one launch for all of them, its blocks dealt
// out by a table.
#pragma once

#include "kernels/reduce/columns.cuh"
#include "kernels/reduce/rows.cuh"

namespace cambium::reduce {

// What sums of one term per channel share.
template <int Width>
struct OneTerm {
    static constexpr int kWidth = Width, kTerms = 1;
    struct State {
        float sum[Width];
    };
    float* y;

    CAMBIUM_DEVICE State begin(std::int64_t, std::int64_t) const { return {}; }
    CAMBIUM_DEVICE void close(const State& state, std::int64_t, float (&cells)[Width][kTerms]) const {
#pragma unroll
        for (int i = 0; i < Width; ++i) cells[i][0] = state.sum[i];
    }
    static CAMBIUM_DEVICE void merge(float (&a)[kTerms], const float (&b)[kTerms]) { a[0] += b[0]; }
    CAMBIUM_DEVICE void finish(std::int64_t channel, const float (&cells)[Width][kTerms]) const {
        float sums[Width];
#pragma unroll
        for (int i = 0; i < Width; ++i) sums[i] = cells[i][0];
        dev::store_floats(y + channel, sums);
    }
};

template <class T, int Width>
struct ColumnSum : OneTerm<Width> {
    using State = typename OneTerm<Width>::State;
    const T* x;
    std::int64_t channels;

    CAMBIUM_DEVICE ColumnSum(const T* x_, float* y_, std::int64_t channels_)
        : OneTerm<Width>{y_}, x(x_), channels(channels_) {}
    CAMBIUM_DEVICE dev::Packed<T, Width> load(std::int64_t row, std::int64_t channel) const {
        return dev::load_packed<Width>(x + row * channels + channel);
    }
    CAMBIUM_DEVICE void add(State& state, const dev::Packed<T, Width>& loaded) const {
#pragma unroll
        for (int i = 0; i < Width; ++i) state.sum[i] += loaded[i];
    }
};

template <class T, int Width>
struct ColumnDot : OneTerm<Width> {
    using State = typename OneTerm<Width>::State;
    struct Pair {
        dev::Packed<T, Width> a, b;
    };
    const T *a, *b;
    std::int64_t channels;

    CAMBIUM_DEVICE ColumnDot(const T* a_, const T* b_, float* y_, std::int64_t channels_)
        : OneTerm<Width>{y_}, a(a_), b(b_), channels(channels_) {}
    CAMBIUM_DEVICE Pair load(std::int64_t row, std::int64_t channel) const {
        const std::int64_t at = row * channels + channel;
        return {dev::load_packed<Width>(a + at), dev::load_packed<Width>(b + at)};
    }
    CAMBIUM_DEVICE void add(State& state, const Pair& loaded) const {
#pragma unroll
        for (int i = 0; i < Width; ++i) state.sum[i] += loaded.a[i] * loaded.b[i];
    }
};

// blockIdx.z is the outer index, each of which is a reduction of its own.
template <class T, int Width>
__global__ void __launch_bounds__(kStripThreads)
    sum_columns(const T* x, float* y, float* partials, unsigned* arrived, Strips strips) {
    const std::int64_t outer = blockIdx.z, parts = gridDim.x;
    const ColumnSum<T, Width> op(x + outer * strips.rows * strips.channels, y + outer * strips.channels,
                                 strips.channels);
    reduce_columns(op, strips, partials + outer * parts * strips.channels, arrived + outer * gridDim.y);
}

template <class T, int Width>
__global__ void __launch_bounds__(kStripThreads)
    dot_columns(const T* a, const T* b, float* y, float* partials, unsigned* arrived, Strips strips) {
    reduce_columns(ColumnDot<T, Width>(a, b, y, strips.channels), strips, partials, arrived);
}

// This thread's share of the sum of term(x) over elements [first, end) of a row, which begin at a multiple of Width.
template <int Width, class T, class Term>
CAMBIUM_DEVICE float share_of_row(const T* row, std::int64_t first, std::int64_t end, int thread, int threads,
                                  Term&& term) {
    float sum = 0.0f;
#pragma unroll 4
    for (std::int64_t i = first + thread * Width; i < end; i += threads * Width) {
        const auto loaded = dev::load_packed<Width>(row + i);
#pragma unroll
        for (int j = 0; j < Width; ++j) sum += term(loaded[j]);
    }
    return sum;
}

// x [rows, columns]; y [rows, parts]. Part p is elements p * part_columns, ... of a row.
struct RowParts {
    std::int64_t rows, columns, part_columns;
    int parts;
};

template <class T, int Width, int Threads>
__global__ void __launch_bounds__(kRowBlock) sum_rows(const T* x, float* y, RowParts p) {
    auto& shared = dev::shared<RowMemory<float>>();
    const std::int64_t index = Row<Threads>::index(), row = index / p.parts, part = index % p.parts;
    if (row >= p.rows) return;
    const std::int64_t first = part * p.part_columns, end = first + p.part_columns;
    const float share = share_of_row<Width>(x + row * p.columns, first, end < p.columns ? end : p.columns,
                                            Row<Threads>::thread(), Threads, [](float value) { return value; });
    const float sum = merge_row<Threads>(shared, share, Add{});
    if (Row<Threads>::thread() == 0) y[index] = sum;
}

// Tensors of a norm, and which blocks of the launch have which: block b has chunk b - first_block[t] of tensor t, the
// last one with first_block[t] <= b.
inline constexpr int kTensorsPerLaunch = 128;
inline constexpr std::int64_t kNormChunk = 8192;  // elements of a block: 8 accesses of 16 bytes a thread
struct NormTable {
    const float* data[kTensorsPerLaunch];
    std::int64_t elements[kTensorsPerLaunch];
    int first_block[kTensorsPerLaunch];
    int tensors;
};

CAMBIUM_DEVICE int tensor_of_block(const NormTable& table, int block) {
    int low = 0, high = table.tensors;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (table.first_block[middle] <= block) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

// squares[block]: of the block's chunk.
__global__ void __launch_bounds__(kRowBlock) chunk_squares(const __grid_constant__ NormTable table, float* squares) {
    auto& shared = dev::shared<RowMemory<float>>();
    const int block = static_cast<int>(blockIdx.x), tensor = tensor_of_block(table, block);
    const int thread = static_cast<int>(threadIdx.x);
    const float* x = table.data[tensor];
    const std::int64_t elements = table.elements[tensor], first = (block - table.first_block[tensor]) * kNormChunk;
    const std::int64_t end = first + kNormChunk < elements ? first + kNormChunk : elements, wide_end = end / 4 * 4;
    const auto square = [](float value) { return value * value; };
    float share = share_of_row<4>(x, first, wide_end, thread, kRowBlock, square);
    if (wide_end + thread < end) share += square(x[wide_end + thread]);
    const float sum = merge_row<kRowBlock>(shared, share, Add{});
    if (thread == 0) squares[block] = sum;
}

// y = sqrt(Sum squares), by one block.
__global__ void __launch_bounds__(kRowBlock) root_of_sum(const float* squares, std::int64_t count, float* y) {
    auto& shared = dev::shared<RowMemory<float>>();
    const int thread = static_cast<int>(threadIdx.x);
    const float share = share_of_row<1>(squares, 0, count, thread, kRowBlock, [](float value) { return value; });
    const float sum = merge_row<kRowBlock>(shared, share, Add{});
    if (thread == 0) *y = sqrtf(sum);
}

}  // namespace cambium::reduce
