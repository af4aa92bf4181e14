// Launches of the layout kernels: copies are simplified (axes joined, elements joined to vectors), and what remains
// decides the route.
#include "kernels/layout/layout.h"

#include <algorithm>
#include <string>
#include <utility>

#include "kernels/check.h"
#include "kernels/grid.h"
#include "kernels/layout/transpose.cuh"

namespace cambium::layout {
namespace {

using i64 = std::int64_t;
constexpr i64 kMostPieces = 0x7fffffff;  // what one launch counts

std::size_t index(int axis) { return static_cast<std::size_t>(axis); }

std::string text_of(const char* name, int rank, const Axes& extent) {
    std::string text = std::string(name) + " of [";
    for (int a = 0; a < std::min(rank, kMaxRank); ++a) text += (a > 0 ? ", " : "") + std::to_string(extent[index(a)]);
    return text + "]";
}

void require_shape(const std::string& what, int rank, const Axes& extent, int element_bytes) {
    require(rank >= 0 && rank <= kMaxRank, what, "it has " + std::to_string(rank) + " axes, not 0 to 5");
    require(std::all_of(extent.begin(), extent.begin() + rank, [](i64 e) { return e >= 0; }), what,
            "extents must not be negative");
    require(element_bytes == 1 || element_bytes == 2 || element_bytes == 4 || element_bytes == 8, what,
            "elements have " + std::to_string(element_bytes) + " bytes, not 1, 2, 4 or 8");
}

i64 product(int rank, const Axes& extent) {
    i64 count = 1;
    for (int a = 0; a < rank; ++a) count *= extent[index(a)];
    return count;
}

// Takes `axis` out of a copy.
void drop(Copy& c, int axis) {
    for (Axes* axes : {&c.extent, &c.x_stride, &c.y_stride}) {
        std::move(axes->begin() + axis + 1, axes->begin() + c.rank, axes->begin() + axis);
    }
    --c.rank;
}

// Without axes of one element, and with neighbours joined where both sides run on across them.
Copy simplified(Copy c) {
    for (int a = c.rank - 1; a >= 0; --a) {
        if (c.extent[index(a)] == 1) drop(c, a);
    }
    for (int a = c.rank - 2; a >= 0; --a) {
        const i64 inner = c.extent[index(a + 1)];
        const bool runs_on = c.x_stride[index(a)] == inner * c.x_stride[index(a + 1)] &&
                             c.y_stride[index(a)] == inner * c.y_stride[index(a + 1)];
        if (!runs_on) continue;
        c.extent[index(a + 1)] *= c.extent[index(a)];
        drop(c, a);
    }
    if (c.rank == 0) c.rank = 1, c.extent[0] = 1, c.x_stride[0] = c.y_stride[0] = 1;
    return c;
}

// Bytes to which `count` elements, and so a position in a tensor, are a multiple: 16 at most.
int alignment_of(i64 count, int element_bytes) {
    int bytes = 16;
    while (count * element_bytes % bytes != 0) bytes /= 2;
    return bytes;
}
int alignment_of(const void* pointer) {
    int bytes = 16;
    while (!is_aligned(pointer, static_cast<std::size_t>(bytes))) bytes /= 2;
    return bytes;
}

// The alignment that all positions have where `unit` axis (dense on that side) is counted in whole accesses.
int common_alignment(const Copy& c, const Axes& stride, i64 offset, int unit, const void* pointer) {
    int bytes = std::min(alignment_of(pointer), alignment_of(offset, c.element_bytes));
    for (int a = 0; a < c.rank; ++a) {
        bytes = std::min(bytes, alignment_of(a == unit ? c.extent[index(a)] : stride[index(a)], c.element_bytes));
    }
    return bytes;
}

// The axis along which x is dense, or -1.
int dense_axis_of_x(const Copy& c) {
    for (int a = c.rank - 1; a >= 0; --a) {
        if (c.x_stride[index(a)] == 1) return a;
    }
    return -1;
}

Plan plan_of(const Copy& c, const void* x, const void* y) {
    constexpr i64 kLeastSide = 16;  // of a tile; below that, more than half of it would stay empty
    const int last = c.rank - 1, dense = dense_axis_of_x(c);
    const Plan one{Route::elements, c.element_bytes};
    if (c.variant == Variant::plain || dense < 0 || c.y_stride[index(last)] != 1) return one;
    if (dense == last) {
        const int bytes = std::min(common_alignment(c, c.x_stride, c.x_offset, last, x),
                                   common_alignment(c, c.y_stride, c.y_offset, last, y));
        return bytes > c.element_bytes ? Plan{Route::vectors, bytes} : one;
    }
    const bool repeats = c.x_stride[index(last)] == 0;  // a value for a whole run: nothing to turn around
    if (repeats || c.element_bytes == 8 || std::min(c.extent[index(dense)], c.extent[index(last)]) < kLeastSide)
        return one;
    const bool pairs = c.element_bytes == 2 && common_alignment(c, c.x_stride, c.x_offset, dense, x) >= 4 &&
                       common_alignment(c, c.y_stride, c.y_offset, last, y) >= 4;
    return {Route::tiles, pairs ? 4 : c.element_bytes};
}

// The copy in units of `bytes`, which the innermost axis is dense and whole in.
Copy in_units(Copy c, int bytes) {
    const i64 ratio = bytes / c.element_bytes;
    const auto last = index(c.rank - 1);
    for (std::size_t a = 0; a < last; ++a) c.x_stride[a] /= ratio, c.y_stride[a] /= ratio;
    c.extent[last] /= ratio;
    c.x_offset /= ratio, c.y_offset /= ratio;
    c.element_bytes = bytes;
    return c;
}

View view_of(const Copy& c) {
    View view{};
    view.rank = c.rank;
    view.count = static_cast<std::uint32_t>(product(c.rank, c.extent));
    for (int a = 0; a < c.rank; ++a) {
        const int from = c.rank - 1 - a;
        view.extent[a] = Divisor(static_cast<std::uint32_t>(c.extent[index(from)]));
        view.x_stride[a] = c.x_stride[index(from)];
        view.y_stride[a] = c.y_stride[index(from)];
    }
    return view;
}

// Calls body with the type that `bytes` move as.
template <class Body>
void with_unit(int bytes, Body&& body) {
    switch (bytes) {
        case 1:
            return body(std::uint8_t{});
        case 2:
            return body(std::uint16_t{});
        case 4:
            return body(std::uint32_t{});
        case 8:
            return body(uint2{});
        default:
            return body(uint4{});
    }
}

// Bytes between the first and behind the last element touched, for reports.
i64 reach(const Copy& c, const Axes& stride) {
    i64 last = 0;
    for (int a = 0; a < c.rank; ++a) last += (c.extent[index(a)] - 1) * stride[index(a)];
    return last + 1;
}

template <class T>
auto source(const Copy& c, const void* x) {
    return dev::reads(static_cast<const T*>(x) + c.x_offset, "x", {reach(c, c.x_stride)});
}
template <class T>
auto target(const Copy& c, void* y) {
    return dev::writes(static_cast<T*>(y) + c.y_offset, "y", {reach(c, c.y_stride)});
}

void launch_copy(const Copy& c, const void* x, void* y, dev::Stream& stream) {
    const View view = view_of(c);
    const Grid grid = grid_for(view.count);
    with_unit(c.element_bytes, [&](auto unit) {
        using T = decltype(unit);
        dev::launch(strided_copy<T>, dim3(grid.blocks), dim3(grid.threads), 0, stream, view, target<T>(c, y),
                    source<T>(c, x));
    });
}

template <class T, class W, int E>
void launch_tiles(const Copy& c, const void* x, void* y, dev::Stream& stream) {
    constexpr i64 kMostBlocks = 132 * 8;
    const auto columns = index(dense_axis_of_x(c)), rows = index(c.rank - 1);
    TiledView view{};
    view.columns = static_cast<std::uint32_t>(c.extent[columns] / E);
    view.rows = static_cast<std::uint32_t>(c.extent[rows]);
    view.column_tiles = Divisor(static_cast<std::uint32_t>(ceil_div(view.columns, kTileWords)));
    view.row_tiles = Divisor(static_cast<std::uint32_t>(ceil_div(view.rows, kTileWords * E)));
    view.x_row = c.x_stride[rows];
    view.y_column = c.y_stride[columns];
    Copy others = c;
    drop(others, static_cast<int>(rows));
    drop(others, static_cast<int>(columns));
    if (others.rank == 0) others.rank = 1, others.extent[0] = 1;
    view.others = view_of(others);
    view.tiles = view.column_tiles.value() * view.row_tiles.value() * view.others.count;
    const auto blocks = static_cast<unsigned>(std::min<i64>(view.tiles, kMostBlocks));
    dev::launch(transpose_tiles<T, W, E>, dim3(blocks), dim3(kThreads), sizeof(Tile<W, E>), stream, view,
                target<T>(c, y), source<T>(c, x));
}

void launch_route(const Copy& c, const void* x, void* y, dev::Stream& stream) {
    const Plan plan = plan_of(c, x, y);
    if (plan.route == Route::elements) return launch_copy(c, x, y, stream);
    if (plan.route == Route::vectors) return launch_copy(in_units(c, plan.access_bytes), x, y, stream);
    if (c.element_bytes == 1) return launch_tiles<std::uint8_t, std::uint8_t, 1>(c, x, y, stream);
    if (c.element_bytes == 4) return launch_tiles<std::uint32_t, std::uint32_t, 1>(c, x, y, stream);
    if (plan.access_bytes == 4) return launch_tiles<std::uint16_t, std::uint32_t, 2>(c, x, y, stream);
    launch_tiles<std::uint16_t, std::uint16_t, 1>(c, x, y, stream);
}

// Neighbours joined where the inner one is whole: padding is then multiples of it.
Pad simplified(Pad p) {
    for (int a = p.rank - 2; a >= 0; --a) {
        const i64 inner = p.extent[index(a + 1)];
        const bool whole = p.before[index(a + 1)] == 0 && p.after[index(a + 1)] == 0 && p.step[index(a + 1)] == 1;
        if (!whole || (p.step[index(a)] != 1 && inner != 1)) continue;
        p.step[index(a + 1)] = p.step[index(a)];
        for (Axes* axes : {&p.extent, &p.before, &p.after}) {
            (*axes)[index(a + 1)] = (*axes)[index(a)] * inner;
            std::move(axes->begin() + a + 1, axes->begin() + p.rank, axes->begin() + a);
        }
        std::move(p.step.begin() + a + 1, p.step.begin() + p.rank, p.step.begin() + a);
        --p.rank;
    }
    if (p.rank == 0) p.rank = 1, p.extent[0] = 1, p.before[0] = p.after[0] = 0, p.step[0] = 1;
    return p;
}

int access_bytes(const Pad& p, const void* x, const void* y) {
    const auto last = index(p.rank - 1);
    if (p.variant == Variant::plain || p.step[last] != 1) return p.element_bytes;
    int bytes = std::min(alignment_of(x), alignment_of(y));
    for (const i64 count : {p.extent[last], p.before[last], p.after[last]}) {
        bytes = std::min(bytes, alignment_of(count, p.element_bytes));
    }
    return bytes;
}

void launch_pad(const Pad& p, const void* x, void* y, dev::Stream& stream) {
    const Axes extent = padded(p), stride = dense_strides(p.rank, p.extent);
    PaddedView view{};
    view.rank = p.rank;
    view.count = static_cast<std::uint32_t>(product(p.rank, extent));
    for (int a = 0; a < p.rank; ++a) {
        const auto from = index(p.rank - 1 - a);
        view.extent[a] = Divisor(static_cast<std::uint32_t>(extent[from]));
        view.step[a] = Divisor(static_cast<std::uint32_t>(p.step[from]));
        view.before[a] = static_cast<std::uint32_t>(p.before[from]);
        view.length[a] = static_cast<std::uint32_t>(extent[from] - p.before[from] - p.after[from]);
        view.x_stride[a] = stride[from];
    }
    const Grid grid = grid_for(view.count);
    with_unit(p.element_bytes, [&](auto unit) {
        using T = decltype(unit);
        dev::launch(pad_kernel<T>, dim3(grid.blocks), dim3(grid.threads), 0, stream, view,
                    dev::writes(static_cast<T*>(y), "y", {view.count}),
                    dev::reads(static_cast<const T*>(x), "x", {product(p.rank, p.extent)}));
    });
}

}  // namespace

Axes dense_strides(int rank, const Axes& extent) {
    Axes strides{};
    i64 stride = 1;
    for (int a = rank - 1; a >= 0; --a) {
        strides[index(a)] = stride;
        stride *= extent[index(a)];
    }
    return strides;
}

Plan choose_plan(const Copy& copy, const void* x, const void* y) { return plan_of(simplified(copy), x, y); }

void run(const Copy& copy, const void* x, void* y, dev::Stream& stream) {
    const std::string what = text_of("copy", copy.rank, copy.extent);
    require_shape(what, copy.rank, copy.extent, copy.element_bytes);
    if (product(copy.rank, copy.extent) == 0) return;
    require(x != nullptr && y != nullptr, what, "x or y is null");
    const auto bytes = static_cast<std::size_t>(copy.element_bytes);
    require(is_aligned(x, bytes) && is_aligned(y, bytes), what, "x or y is not aligned to its elements");
    Copy rest = simplified(copy);
    // What one launch cannot count goes in parts of the outermost axis.
    const i64 slab = product(rest.rank, rest.extent) / rest.extent[0], all = rest.extent[0];
    require(slab <= kMostPieces, what, "more than 2^31 elements within the outermost axis");
    for (i64 done = 0; done < all; done += rest.extent[0]) {
        rest.extent[0] = std::min(all - done, kMostPieces / slab);
        Copy part = rest;
        part.x_offset += done * rest.x_stride[0], part.y_offset += done * rest.y_stride[0];
        launch_route(part, x, y, stream);
    }
}

Axes padded(const Pad& p) {
    Axes extent{};
    for (std::size_t a = 0; a < index(p.rank); ++a) {
        extent[a] = p.before[a] + p.after[a] + (p.extent[a] == 0 ? 0 : (p.extent[a] - 1) * p.step[a] + 1);
    }
    return extent;
}

void run(const Pad& pad, const void* x, void* y, dev::Stream& stream) {
    const std::string what = text_of("pad", pad.rank, pad.extent);
    require_shape(what, pad.rank, pad.extent, pad.element_bytes);
    for (std::size_t a = 0; a < index(pad.rank); ++a) {
        require(pad.before[a] >= 0 && pad.after[a] >= 0 && pad.step[a] >= 1, what,
                "padding must not be negative, and steps at least 1");
    }
    const i64 count = product(pad.rank, padded(pad));
    if (count == 0) return;
    const auto bytes = static_cast<std::size_t>(pad.element_bytes);
    require(y != nullptr && (x != nullptr || product(pad.rank, pad.extent) == 0), what, "x or y is null");
    require(is_aligned(x, bytes) && is_aligned(y, bytes), what, "x or y is not aligned to its elements");
    Pad p = simplified(pad);
    const int unit = access_bytes(p, x, y);
    const i64 ratio = unit / p.element_bytes;
    for (Axes* axes : {&p.extent, &p.before, &p.after}) (*axes)[index(p.rank - 1)] /= ratio;
    p.element_bytes = unit;
    require(count / ratio <= kMostPieces, what,
            "the result has more than 2^31 pieces of " + std::to_string(unit) + " bytes");
    launch_pad(p, x, y, stream);
}

}  // namespace cambium::layout
