// Pooling's launches: what a descriptor must satisfy, the shape of blocks, and the choice of the instance.
#include "kernels/pool/pool.h"

#include <algorithm>

#include "kernels/check.h"
#include "kernels/pool/plain.cuh"
#include "kernels/pool/tuned.cuh"

namespace cambium::pool {
namespace {

std::string name_of(const Images& i) {
    const auto number = [](std::int64_t value) { return std::to_string(value); };
    return "a pooling of [" + number(i.images) + ", " + number(i.input[0]) + ", " + number(i.input[1]) + ", " +
           number(i.channels) + "] to " + number(i.output[0]) + " x " + number(i.output[1]);
}

std::int64_t elements(const Images& i, const Pair& extents) { return i.images * extents[0] * extents[1] * i.channels; }

// The one heuristic: channels that are a multiple of 16 bytes move so, others one by one.
template <class T>
bool is_wide(const Images& i) {
    return i.channels % dev::kWide<T> == 0;
}

// Products of two extents must fit in an int.
constexpr std::int64_t kLargestExtent = 32767;

Axis axis_of(const Images& i, const Window& window, std::size_t axis, Kind kind) {
    return {static_cast<int>(i.input[axis]),        static_cast<int>(i.output[axis]),
            static_cast<int>(window.kernel[axis]),  static_cast<int>(window.stride[axis]),
            static_cast<int>(window.padding[axis]), kind};
}

// Checks the sizes and says where windows lie.
Frame checked_frame(const Images& i, const Window& window, Kind kind) {
    const std::string name = name_of(i);
    require_activation_type(i.dtype, name);
    require(i.images >= 0 && i.channels >= 0, name, "sizes must not be negative");
    for (const std::size_t axis : {0u, 1u}) {
        const std::int64_t kernel = window.kernel[axis], stride = window.stride[axis], padding = window.padding[axis];
        require(i.input[axis] >= 1 && i.output[axis] >= 1 && i.input[axis] <= kLargestExtent &&
                    i.output[axis] <= kLargestExtent,
                name, "heights and widths are from 1 to " + std::to_string(kLargestExtent));
        if (kind == Kind::adaptive) continue;
        require(kernel >= 1 && kernel <= kLargestExtent && stride >= 1 && stride <= kLargestExtent && padding >= 0,
                name, "kernel and stride must be at least 1 and padding at least 0");
        require(padding < kernel && (i.output[axis] - 1) * stride - padding < i.input[axis], name,
                "a window lies wholly outside the image");
    }
    return {axis_of(i, window, 0, kind), axis_of(i, window, 1, kind), i.channels};
}

void check_pointers(const Images& i, std::initializer_list<const void*> needed,
                    std::initializer_list<const void*> optional) {
    const std::size_t element = size_of(i.dtype);
    const std::size_t alignment = i.channels * static_cast<std::int64_t>(element) % 16 == 0 ? 16 : 1;
    for (const void* pointer : needed) require(pointer != nullptr, name_of(i), "an operand is null");
    for (const auto& pointers : {needed, optional}) {
        for (const void* pointer : pointers) {
            require(is_aligned(pointer, alignment), name_of(i), "an operand is not aligned to 16 bytes");
        }
    }
}

// A block per line of `extents` and enough threads for it: channels first, then pixels.
struct LineLaunch {
    dim3 grid, block;
};
LineLaunch plan_lines(const Images& i, const Pair& extents, int width) {
    const std::int64_t runs = ceil_div(i.channels, width);
    unsigned lanes = 1, pixels = 1;
    while (lanes < kLineThreads && lanes < runs) lanes *= 2;
    while (lanes * pixels < kLineThreads && pixels < extents[1]) pixels *= 2;
    require(i.images * extents[0] <= 0x7fffffff, name_of(i), "it has more lines than one launch has blocks");
    return {dim3(static_cast<unsigned>(i.images * extents[0])), dim3(lanes, pixels)};
}

dim3 plain_blocks(const Images& i, const Pair& extents) {
    return dim3(static_cast<unsigned>(ceil_div(elements(i, extents), kPlainThreads)));
}

// Arguments, named and shaped for reports.
template <class T, class Pointer>
auto read(const Images& i, const Pair& extents, const Pointer* pointer, std::string_view name) {
    return dev::reads(static_cast<const T*>(pointer), name, {i.images, extents[0], extents[1], i.channels});
}
template <class T, class Pointer>
auto written(const Images& i, const Pair& extents, Pointer* pointer, std::string_view name) {
    return dev::writes(static_cast<T*>(pointer), name, {i.images, extents[0], extents[1], i.channels});
}

// Launches a kernel that writes [N, extents, C]: the plain one with its number of elements, or one of the tuned.
template <class T, class Plain, class Wide, class Narrow, class... Arguments>
void launch(const Images& i, const Pair& extents, dev::Stream& stream, Plain* plain, Wide* wide, Narrow* narrow,
            const Arguments&... arguments) {
    if (i.variant == Variant::plain) {
        return dev::launch(plain, plain_blocks(i, extents), dim3(kPlainThreads), 0, stream, arguments...,
                           elements(i, extents));
    }
    const LineLaunch lines = plan_lines(i, extents, is_wide<T>(i) ? dev::kWide<T> : 1);
    dev::launch(is_wide<T>(i) ? wide : narrow, lines.grid, lines.block, 0, stream, arguments...);
}

// Calls body(T{}) with the activations' type.
template <class Body>
void by_type(DType dtype, Body&& body) {
    if (dtype == DType::bf16) return body(bf16{});
    body(float{});
}

void average(const Images& i, const Frame& frame, const void* x, void* y, dev::Stream& stream) {
    if (elements(i, i.output) == 0) return;
    check_pointers(i, {x, y}, {});
    by_type(i.dtype, [&](auto type) {
        using T = decltype(type);
        launch<T>(i, i.output, stream, average_pool_plain<T>, average_pool_tuned<T, dev::kWide<T>>,
                  average_pool_tuned<T, 1>, read<T>(i, i.input, x, "x"), written<T>(i, i.output, y, "y"), frame);
    });
}

void average_gradient(const Images& i, const Frame& frame, const void* dy, void* dx, dev::Stream& stream) {
    if (elements(i, i.input) == 0) return;
    check_pointers(i, {dy, dx}, {});
    by_type(i.dtype, [&](auto type) {
        using T = decltype(type);
        launch<T>(i, i.input, stream, average_pool_gradient_plain<T>, average_pool_gradient_tuned<T, dev::kWide<T>>,
                  average_pool_gradient_tuned<T, 1>, read<T>(i, i.output, dy, "dy"), written<T>(i, i.input, dx, "dx"),
                  frame);
    });
}

Kind kind_of(Divisor divisor) { return divisor == Divisor::padded ? Kind::padded : Kind::inside; }

}  // namespace

void max_pool(const Images& i, const Window& window, const void* x, void* y, std::uint8_t* index, dev::Stream& stream) {
    const Frame frame = checked_frame(i, window, Kind::inside);
    require(window.kernel[0] * window.kernel[1] <= 255, name_of(i), "a window has at most 255 positions");
    if (elements(i, i.output) == 0 || (y == nullptr && index == nullptr)) return;
    check_pointers(i, {x}, {y, index});
    by_type(i.dtype, [&](auto type) {
        using T = decltype(type);
        launch<T>(i, i.output, stream, max_pool_plain<T>, max_pool_tuned<T, dev::kWide<T>>, max_pool_tuned<T, 1>,
                  read<T>(i, i.input, x, "x"), written<T>(i, i.output, y, "y"),
                  written<std::uint8_t>(i, i.output, index, "index"), frame);
    });
}

void max_pool_gradient(const Images& i, const Window& window, const void* dy, const std::uint8_t* index, void* dx,
                       dev::Stream& stream) {
    const Frame frame = checked_frame(i, window, Kind::inside);
    require(window.kernel[0] * window.kernel[1] <= 255, name_of(i), "a window has at most 255 positions");
    if (elements(i, i.input) == 0) return;
    check_pointers(i, {dy, index, dx}, {});
    by_type(i.dtype, [&](auto type) {
        using T = decltype(type);
        launch<T>(i, i.input, stream, max_pool_gradient_plain<T>, max_pool_gradient_tuned<T, dev::kWide<T>>,
                  max_pool_gradient_tuned<T, 1>, read<T>(i, i.output, dy, "dy"),
                  read<std::uint8_t>(i, i.output, index, "index"), written<T>(i, i.input, dx, "dx"), frame);
    });
}

void average_pool(const Images& i, const Window& window, Divisor divisor, const void* x, void* y, dev::Stream& stream) {
    average(i, checked_frame(i, window, kind_of(divisor)), x, y, stream);
}

void average_pool_gradient(const Images& i, const Window& window, Divisor divisor, const void* dy, void* dx,
                           dev::Stream& stream) {
    average_gradient(i, checked_frame(i, window, kind_of(divisor)), dy, dx, stream);
}

void adaptive_average_pool(const Images& i, const void* x, void* y, dev::Stream& stream) {
    average(i, checked_frame(i, {}, Kind::adaptive), x, y, stream);
}

void adaptive_average_pool_gradient(const Images& i, const void* dy, void* dx, dev::Stream& stream) {
    average_gradient(i, checked_frame(i, {}, Kind::adaptive), dy, dx, stream);
}

}  // namespace cambium::pool
