#include "kernels/conv/problem.cuh"

#include <algorithm>
#include <numeric>

namespace cambium::conv {
namespace {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

std::int64_t operand_bytes(const Conv& conv) { return conv.math == Math::bf16 ? 2 : 4; }

int narrow(std::int64_t value) { return static_cast<int>(value); }  // run() has checked the sizes

std::int64_t padded(std::int64_t run, std::int64_t chunk) {
    return ceil_div(std::max<std::int64_t>(run, 1), chunk) * chunk;
}

std::int64_t chunk_of(const Conv& conv) { return 16 / operand_bytes(conv); }

// The windows of x that outputs see, for fprop and wgrad.
Im2col windows_of_x(const Conv& conv) {
    const Sizes& z = conv.sizes;
    const std::int64_t p = z.p(), q = z.q(), chunk = chunk_of(conv);
    const bool one_line = z.groups == 1 && z.dilation[1] == 1 && padded(z.s * z.c, chunk) < z.s * padded(z.c, chunk);
    const std::int64_t taps_w = one_line ? 1 : z.s, run = one_line ? z.s * z.c : z.group_c();
    return {.rows = narrow(z.n * p * q),
            .image_windows = fast_divide(p * q),
            .line_windows = fast_divide(q),
            .stride_h = narrow(z.stride[0]),
            .stride_w = narrow(z.stride[1] * z.c),
            .first_h = narrow(-z.padding[0]),
            .first_w = narrow(-z.padding[1] * z.c),
            .taps_h = narrow(z.r),
            .taps_w = fast_divide(taps_w),
            .step_h = narrow(z.dilation[0]),
            .step_w = narrow(z.dilation[1] * z.c),
            .run = narrow(run),
            .padded_run = fast_divide(padded(run, chunk)),
            .height = narrow(z.h),
            .line = narrow(z.w * z.c),
            .image = narrow(z.h * z.w * z.c)};
}

// One axis of dx's pixels of one parity: those at `first` + i stride. They see the taps first_tap + t tap_step, which
// meet dy at i + origin + t step.
struct Parity {
    std::int64_t first, pixels;
    std::int64_t first_tap, tap_step, taps;
    std::int64_t origin, step;
};
// Tap r of pixel h meets dy at (h + padding - r dilation) / stride, if that is whole.
Parity parity_of(const Sizes& z, int axis, std::int64_t first, std::int64_t pixels, std::int64_t filter) {
    const std::int64_t stride = z.stride[axis], dilation = z.dilation[axis];
    Parity parity{.first = first,
                  .pixels = ceil_div(pixels - first, stride),
                  .first_tap = 0,
                  .tap_step = stride / std::gcd(stride, dilation),
                  .taps = 0,
                  .origin = 0,
                  .step = -dilation / std::gcd(stride, dilation)};
    for (std::int64_t tap = 0; tap < std::min(filter, parity.tap_step); ++tap) {
        const std::int64_t distance = first + z.padding[axis] - tap * dilation;
        if (distance % stride != 0) continue;
        parity.first_tap = tap;
        parity.taps = ceil_div(filter - tap, parity.tap_step);
        parity.origin = distance / stride;
    }
    return parity;
}

// The windows of dy that dx's pixels of one parity see.
Im2col windows_of_dy(const Conv& conv, const Parity& h, const Parity& w) {
    const Sizes& z = conv.sizes;
    return {.rows = narrow(z.n * h.pixels * w.pixels),
            .image_windows = fast_divide(h.pixels * w.pixels),
            .line_windows = fast_divide(w.pixels),
            .stride_h = 1,
            .stride_w = narrow(z.k),
            .first_h = narrow(h.origin),
            .first_w = narrow(w.origin * z.k),
            .taps_h = narrow(w.taps == 0 ? 0 : h.taps),
            .taps_w = fast_divide(std::max<std::int64_t>(w.taps, 1)),
            .step_h = narrow(h.step),
            .step_w = narrow(w.step * z.k),
            .run = narrow(z.group_k()),
            .padded_run = fast_divide(padded(z.group_k(), chunk_of(conv))),
            .height = narrow(z.p()),
            .line = narrow(z.q() * z.k),
            .image = narrow(z.p() * z.q() * z.k)};
}

std::vector<Product> products_of_dgrad(const Conv& conv) {
    const Sizes& z = conv.sizes;
    std::vector<Product> products;
    for (std::int64_t first_h = 0; first_h < std::min(z.stride[0], z.h); ++first_h) {
        for (std::int64_t first_w = 0; first_w < std::min(z.stride[1], z.w); ++first_w) {
            const Parity h = parity_of(z, 0, first_h, z.h, z.r), w = parity_of(z, 1, first_w, z.w, z.s);
            const Im2col im2col = windows_of_dy(conv, h, w);
            products.push_back({.im2col = im2col,
                                .m = im2col.rows,
                                .n = narrow(z.group_c()),
                                .k = im2col.columns(),
                                .first_h = narrow(first_h),
                                .first_w = narrow(first_w),
                                .first_r = narrow(h.first_tap),
                                .first_s = narrow(w.first_tap),
                                .step_r = narrow(h.tap_step),
                                .step_s = narrow(w.tap_step)});
        }
    }
    return products;
}

std::vector<Product> all_products(const Conv& conv) {
    if (conv.direction == Direction::dgrad) return products_of_dgrad(conv);
    const Im2col im2col = windows_of_x(conv);
    const int group_k = narrow(conv.sizes.group_k());
    if (conv.direction == Direction::fprop)
        return {{.im2col = im2col, .m = im2col.rows, .n = group_k, .k = im2col.columns()}};
    return {{.im2col = im2col, .m = group_k, .n = im2col.columns(), .k = im2col.rows}};
}

bool is_aligned(const void* pointer, std::int64_t bytes) {
    return reinterpret_cast<std::uintptr_t>(pointer) % static_cast<std::uintptr_t>(bytes) == 0;
}

// The widest copy, in bytes, that never straddles what is aligned: `data` and all these numbers of elements.
int copy_bytes(const Conv& conv, const void* data, std::initializer_list<std::int64_t> elements) {
    const std::int64_t element = operand_bytes(conv);
    const auto fits = [&](std::int64_t bytes) {
        return is_aligned(data, bytes) &&
               std::ranges::all_of(elements, [&](std::int64_t n) { return n * element % bytes == 0; });
    };
    std::int64_t bytes = 16;
    while (bytes > element && !fits(bytes)) bytes /= 2;
    return static_cast<int>(bytes);
}
// Of windows: where they and their taps begin, and how much of a tap (and of a group, which it is) and of a line
// exists.
int copy_bytes(const Conv& conv, const void* data, const Im2col& m) {
    const int step_w = m.taps_w.divisor == 1 ? 0 : m.step_w;
    return copy_bytes(conv, data, {m.stride_w, m.first_w, step_w, m.run, m.line});
}

// How the result is stored: as a matrix of `columns`, of which the kernel's runs begin at multiples of `aligned`.
gemm::Problem stored_result(const Conv& conv, std::int64_t rows, std::int64_t columns, std::int64_t aligned,
                            const void* result) {
    const std::int64_t bytes = conv.output == Output::bf16 ? 2 : 4;
    gemm::Problem p{};
    p.m = rows, p.n = columns;
    p.ldd = columns;
    p.splits = 1;
    p.output = conv.output;
    p.epilogue = conv.epilogue;
    p.epilogue.residual_stride = columns;
    p.store_elements = 4;
    while (p.store_elements > 1 && !(is_aligned(result, p.store_elements * bytes) &&
                                     is_aligned(conv.epilogue.residual, p.store_elements * bytes) &&
                                     columns % p.store_elements == 0 && aligned % p.store_elements == 0))
        p.store_elements /= 2;
    return p;
}

}  // namespace

gemm::Problem result_of(const Conv& conv, const void* first, const void* second, const void* result) {
    const Sizes& z = conv.sizes;
    gemm::Problem p{};
    if (conv.direction == Direction::fprop) {
        const Im2col windows = windows_of_x(conv);
        p = stored_result(conv, z.n * z.p() * z.q(), z.k, z.group_k(), result);
        p.copy_bytes_a = copy_bytes(conv, first, windows);
        p.copy_bytes_b = copy_bytes(conv, second, {windows.run, z.r * z.s * z.group_c()});
    } else if (conv.direction == Direction::dgrad) {
        p = stored_result(conv, z.n * z.h * z.w, z.c, z.group_c(), result);
        p.copy_bytes_a = copy_bytes(conv, first, {z.k, z.group_k()});
        p.copy_bytes_b = copy_bytes(conv, second, {z.group_c()});
    } else {
        p = stored_result(conv, z.k, z.r * z.s * z.group_c(), z.group_c(), result);
        p.copy_bytes_a = copy_bytes(conv, second, {z.k, z.group_k()});
        p.copy_bytes_b = copy_bytes(conv, first, windows_of_x(conv));
    }
    return p;
}

FastDivide fast_divide(std::int64_t divisor) {
    FastDivide result{.divisor = narrow(divisor), .factor = 0, .shift = 31};
    while ((std::int64_t{1} << (result.shift - 31)) < divisor) ++result.shift;
    const std::uint64_t d = static_cast<std::uint64_t>(divisor);
    result.factor = static_cast<unsigned>(((std::uint64_t{1} << result.shift) + d - 1) / d);
    return result;
}

int window_copy_bytes(const Conv& conv) { return copy_bytes(conv, nullptr, windows_of_x(conv)); }

TileSides sides_of(Direction direction, Tile tile) {
    if (tile == Tile::small) return {64, 64};
    if (tile == Tile::large) return {128, 128};
    return direction == Direction::wgrad ? TileSides{64, 128} : TileSides{128, 64};
}

std::vector<Product> products_of(const Conv& conv, const Plan& plan) {
    const TileSides sides = sides_of(conv.direction, plan.tile);
    const std::int64_t depth = conv.math == Math::bf16 ? 64 : 32;
    std::vector<Product> products = all_products(conv);
    for (Product& product : products) {
        product.tiles = narrow(ceil_div(product.m, sides.m) * ceil_div(product.n, sides.n));
        product.splits = std::clamp(narrow(ceil_div(product.k, depth)), 1, std::max(plan.splits, 1));
    }
    return products;
}

}  // namespace cambium::conv
