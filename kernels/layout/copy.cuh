// Copies element by element or vector by vector: a thread divides the number of what it moves into coordinates and
// multiplies those by strides. T is what one access moves, up to 16 bytes; the host counts everything in such units.
#pragma once

#include "kernels/divisor.h"
#include "kernels/gpu.h"
#include "kernels/layout/layout.h"

namespace cambium::layout {

inline constexpr int kThreads = 256;

// Axes from the innermost on, joined where both sides run on across them.
struct View {
    int rank;
    std::uint32_t count;
    Divisor extent[kMaxRank];
    std::int64_t x_stride[kMaxRank], y_stride[kMaxRank];
};

// Where piece `index` begins on both sides.
struct Position {
    std::int64_t x, y;
};
CAMBIUM_DEVICE Position position_of(const View& view, std::uint32_t index) {
    Position at{0, 0};
#pragma unroll
    for (int axis = 0; axis < kMaxRank; ++axis) {
        if (axis >= view.rank) break;
        const std::int64_t i = axis + 1 < view.rank ? view.extent[axis].split(index) : index;
        at.x += i * view.x_stride[axis];
        at.y += i * view.y_stride[axis];
    }
    return at;
}

template <class T>
__global__ void __launch_bounds__(kThreads) strided_copy(View view, T* y, const T* x) {
    const std::uint32_t step = gridDim.x * blockDim.x;
    for (std::uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < view.count; i += step) {
        const Position at = position_of(view, i);
        y[at.y] = dev::load_nc(x + at.x);
    }
}

// The innermost axis of a padded view first, joined where that is possible. y is dense.
struct PaddedView {
    int rank;
    std::uint32_t count;             // of y
    Divisor extent[kMaxRank];        // of y
    Divisor step[kMaxRank];          // from one element of x to the next, in y
    std::uint32_t before[kMaxRank];  // in y
    std::uint32_t length[kMaxRank];  // from the first element of x to behind the last one, in y; 0 where x has none
    std::int64_t x_stride[kMaxRank];
};

template <class T>
CAMBIUM_DEVICE T padded_element(const PaddedView& view, std::uint32_t index, const T* x) {
    std::int64_t source = 0;
    bool inside = true;
#pragma unroll
    for (int axis = 0; axis < kMaxRank; ++axis) {
        if (axis >= view.rank) break;
        std::uint32_t i = (axis + 1 < view.rank ? view.extent[axis].split(index) : index) - view.before[axis];
        inside = inside && i < view.length[axis];  // what lies before wraps around and is too large as well
        inside = inside && view.step[axis].split(i) == 0;
        source += i * view.x_stride[axis];
    }
    return inside ? dev::load_nc(x + source) : T{};
}

template <class T>
__global__ void __launch_bounds__(kThreads) pad_kernel(PaddedView view, T* y, const T* x) {
    const std::uint32_t step = gridDim.x * blockDim.x;
    for (std::uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < view.count; i += step) {
        y[i] = padded_element(view, i, x);
    }
}

}  // namespace cambium::layout
