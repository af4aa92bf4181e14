// Two kernels. The first takes the grey mean of each image that will adjust its contrast, over its pixels as they are
// when that step comes. The second goes over the output: a block takes tiles of 256 pixels of one sample,
//   1. its row of the table, the partner's and both means come to shared memory once
//   2. a thread reads its pixel and, where the row mixes, the partner's, jitters and erases each, and mixes them
//   3. it leaves three normalised channels in shared memory, at a stride of three words, which meets no bank twice
//   4. after a barrier the tile is stored in order, four elements a thread
// Bytes are read one at a time, three to a thread: a warp's 96 bytes come from the L1 cache, a quarter or half of what
// is written.
#pragma once

#include "kernels/augment/color.cuh"
#include "kernels/divisor.h"

namespace cambium::augment {

inline constexpr int kThreads = 256;

struct Problem {
    std::uint32_t images, height, width, pixels;  // pixels: of an image
    std::uint32_t blocks_per_image;
    Divisor row;  // width
    float scale[3], shift[3], fill[3];
    bool bgr, contrast;
    bool vectors;  // four elements of y are one aligned access
};

inline constexpr unsigned kFields = sizeof(Parameters) / sizeof(float);

// A row of the table, whose fields are indexed as the order of application says: in shared memory that costs nothing.
CAMBIUM_DEVICE void load_row(float* shared_row, const Parameters* row, unsigned thread) {
    if (thread < kFields) shared_row[thread] = dev::load_nc(reinterpret_cast<const float*>(row) + thread);
}

struct MeanShared {
    dev::Shared<float, kFields> row;
    dev::Shared<float, kThreads> sum;
};

// One block an image; sums in f32, every thread's own pixels first and then the threads' in a tree.
__global__ void __launch_bounds__(kThreads)
    mean_kernel(Problem problem, float* means, const std::uint8_t* images, const Parameters* table) {
    auto& shared = dev::shared<MeanShared>();
    load_row(shared.row.begin(), table + blockIdx.x, threadIdx.x);
    __syncthreads();
    const auto& q = *reinterpret_cast<const Parameters*>(shared.row.begin());
    int end = 0;
    while (end < 4 && step_at(q, end) != Parameters::contrast) ++end;
    const std::uint8_t* image = images + std::int64_t{blockIdx.x} * problem.pixels * 3;
    float sum = 0.0f;
    if (end < 4) {
        for (std::uint32_t i = threadIdx.x; i < problem.pixels; i += kThreads) {
            sum += grey(jittered(pixel_at(image + std::int64_t{i} * 3), q, 0.0f, end));
        }
    }
    shared.sum[threadIdx.x] = sum;
    __syncthreads();
    for (unsigned half = kThreads / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared.sum[threadIdx.x] += shared.sum[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) means[blockIdx.x] = shared.sum[0] / static_cast<float>(problem.pixels);
}

struct TileShared {
    dev::Shared<float, 2, kFields> row;  // own, partner's
    dev::Shared<float, 2> mean;
    dev::Shared<float, 3 * kThreads> value;
};

CAMBIUM_DEVICE bool is_inside(std::uint32_t at, float begin, float length, std::uint32_t extent) {
    const int size = static_cast<int>(extent), i = static_cast<int>(at);
    const int first = min(max(static_cast<int>(begin), 0), size);
    const int last = min(max(static_cast<int>(begin + length), first), size);
    return i >= first && i < last;
}

// A sample's pixel up to and with erasing.
CAMBIUM_DEVICE Rgb augmented_pixel(const Problem& problem, const std::uint8_t* image, const Parameters& q, float mean,
                                   std::uint32_t y, std::uint32_t x) {
    if (is_inside(y, q.erase_top, q.erase_height, problem.height) &&
        is_inside(x, q.erase_left, q.erase_width, problem.width)) {
        return {problem.fill[0], problem.fill[1], problem.fill[2]};
    }
    const std::uint32_t source = q.flip != 0.0f ? problem.width - 1 - x : x;
    return jittered(pixel_at(image + (std::int64_t{y} * problem.width + source) * 3), q, mean, 4);
}

// Row of the batch to mix with, `own` where there is none.
CAMBIUM_DEVICE std::uint32_t partner_of(const Parameters& q, std::uint32_t own, std::uint32_t images) {
    return q.partner >= 0.0f && q.partner < static_cast<float>(images) ? static_cast<std::uint32_t>(q.partner) : own;
}

CAMBIUM_DEVICE float mixed(float own, float other, float share) { return other * (1.0f - share) + own * share; }

// The normalised channels of a pixel of sample `own`.
CAMBIUM_DEVICE Rgb output_pixel(const Problem& problem, const std::uint8_t* images, const Parameters* rows,
                                const float* means, std::uint32_t own, std::uint32_t pixel) {
    std::uint32_t y = pixel;
    const std::uint32_t x = problem.row.split(y);
    const std::int64_t bytes = std::int64_t{problem.pixels} * 3;
    const Parameters& q = rows[0];
    const bool cut =
        is_inside(y, q.cut_top, q.cut_height, problem.height) && is_inside(x, q.cut_left, q.cut_width, problem.width);
    Rgb p = augmented_pixel(problem, images + own * bytes, q, means[0], y, x);
    if (cut || q.mix != 1.0f) {
        const std::uint32_t partner = partner_of(q, own, problem.images);
        const Rgb other = augmented_pixel(problem, images + partner * bytes, rows[1], means[1], y, x);
        p = cut ? other : Rgb{mixed(p.r, other.r, q.mix), mixed(p.g, other.g, q.mix), mixed(p.b, other.b, q.mix)};
    }
    if (problem.bgr) p = {p.b, p.g, p.r};
    return {problem.scale[0] * p.r + problem.shift[0], problem.scale[1] * p.g + problem.shift[1],
            problem.scale[2] * p.b + problem.shift[2]};
}

// Both rows of the table and both means, to shared memory.
CAMBIUM_DEVICE void load_rows(const Problem& problem, TileShared& shared, const Parameters* table, const float* means,
                              std::uint32_t own) {
    const std::uint32_t partner = partner_of(table[own], own, problem.images);
    load_row(&shared.row[0][0], table + own, threadIdx.x);
    load_row(&shared.row[1][0], table + partner, threadIdx.x - 32);  // by the second warp; the first one's wrap around
    if (threadIdx.x < 2) {
        const std::uint32_t row = threadIdx.x == 0 ? own : partner;
        shared.mean[threadIdx.x] = problem.contrast ? dev::load_nc(means + row) : 0.0f;
    }
    __syncthreads();
}

template <class T>
CAMBIUM_DEVICE void store_tile(const Problem& problem, const TileShared& shared, T* y, std::uint32_t elements) {
    if (problem.vectors) {
        for (std::uint32_t i = threadIdx.x * 4; i + 4 <= elements; i += kThreads * 4) {
            const float4 values = dev::load_vector<float4>(shared.value.begin() + i);
            dev::Vector<T, 4> out;
            out[0] = T(values.x), out[1] = T(values.y), out[2] = T(values.z), out[3] = T(values.w);
            dev::store_vector(y + i, out);
        }
    }
    const std::uint32_t done = problem.vectors ? elements / 4 * 4 : 0;
    for (std::uint32_t i = done + threadIdx.x; i < elements; i += kThreads) y[i] = T(shared.value[i]);
}

template <class T, Variant variant>
__global__ void __launch_bounds__(kThreads)
    augment_kernel(Problem problem, T* y, const std::uint8_t* images, const Parameters* table, const float* means) {
    auto& shared = dev::shared<TileShared>();
    const std::uint32_t own = blockIdx.x / problem.blocks_per_image;
    load_rows(problem, shared, table, means, own);
    const auto* rows = reinterpret_cast<const Parameters*>(shared.row.begin());
    T* image = y + std::int64_t{own} * problem.pixels * 3;
    for (std::uint32_t first = blockIdx.x % problem.blocks_per_image * kThreads; first < problem.pixels;
         first += problem.blocks_per_image * kThreads) {
        const std::uint32_t pixel = first + threadIdx.x, tile = min(problem.pixels - first, std::uint32_t{kThreads});
        if (pixel < problem.pixels) {
            const Rgb p = output_pixel(problem, images, rows, shared.mean.begin(), own, pixel);
            if constexpr (variant == Variant::plain) {
                T* target = image + std::int64_t{pixel} * 3;
                target[0] = T(p.r), target[1] = T(p.g), target[2] = T(p.b);
            } else {
                float* value = shared.value.begin() + threadIdx.x * 3;
                value[0] = p.r, value[1] = p.g, value[2] = p.b;
            }
        }
        if constexpr (variant == Variant::tuned) {
            __syncthreads();
            store_tile(problem, shared, image + std::int64_t{first} * 3, tile * 3);
            __syncthreads();
        }
    }
}

}  // namespace cambium::augment
