// Moving elements without computing: the host's side. Slices, concatenation, broadcasts and transpositions are one
// problem, a copy between two strided views of the same index space; padding is the other. Elements are of any type:
// only their size matters.
//
// Tensors must not overlap. Nothing is launched where there are no elements. All throw UsageError, before anything is
// launched, where a size or a pointer makes no sense.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/gpu/launch.h"

namespace cambium::layout {

enum class Variant : std::uint8_t {
    plain,  // an element an access, in the order of the index space: what the tuned ones are judged against
    tuned,  // what choose_plan() says
};

inline constexpr int kMaxRank = 5;
using Axes = std::array<std::int64_t, kMaxRank>;

// y[y_offset + sum of i_a y_stride_a] = x[x_offset + sum of i_a x_stride_a] for all i_a in [0, extent_a) of the first
// `rank` axes. Strides and offsets count elements; an x_stride of 0 repeats, y's elements must all be different.
struct Copy {
    int rank = 0;
    Axes extent{}, x_stride{}, y_stride{};
    std::int64_t x_offset = 0, y_offset = 0;
    int element_bytes = 4;  // 1, 2, 4 or 8
    Variant variant = Variant::tuned;
};

// Strides of a dense tensor, the last axis fastest.
Axes dense_strides(int rank, const Axes& extent);

// How a copy is made.
enum class Route : std::uint8_t {
    elements,  // one by one
    vectors,   // the innermost axis is dense on both sides: up to 16 bytes an access
    tiles,     // x is dense along one axis and y along another: through tiles in shared memory
};
struct Plan {
    Route route = Route::elements;
    int access_bytes = 4;  // what a thread moves at once
};
// The one heuristic. It looks at sizes, strides, and how x and y are aligned; the result does not depend on it.
Plan choose_plan(const Copy& copy, const void* x, const void* y);

void run(const Copy& copy, const void* x, void* y, dev::Stream& stream);

// y = zeros, with x at before, before + step, ... along each axis; the extent of an axis of y is before + (x - 1) step
// + 1 + after, or before + after where x has extent 0.
struct Pad {
    int rank = 0;
    Axes extent{}, before{}, after{}, step{};  // of x; steps are at least 1
    int element_bytes = 4;                     // 1, 2, 4 or 8
    Variant variant = Variant::tuned;
};
// y's extents.
Axes padded(const Pad& pad);
void run(const Pad& pad, const void* x, void* y, dev::Stream& stream);

}  // namespace cambium::layout
