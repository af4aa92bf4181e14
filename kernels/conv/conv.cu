// The convolution's host side: what a descriptor must satisfy, the heuristic, and one launch or more.
#include "kernels/conv/conv.h"

#include <algorithm>
#include <string>

#include "engine/base/error.h"
#include "kernels/conv/launch.cuh"
#include "kernels/conv/stem.h"

namespace cambium::conv {
namespace {

constexpr std::int64_t kMostPositions = std::int64_t{1} << 30;  // so that 32 bits hold every sum of two of them
constexpr std::int64_t kMostBlocks = 65535;                     // of a launch along y and z

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

std::int64_t operand_bytes(const Conv& conv) { return conv.math == Math::bf16 ? 2 : 4; }

std::string sizes_of(const Conv& conv) {
    const Sizes& z = conv.sizes;
    const auto number = [](std::int64_t value) { return std::to_string(value); };
    const auto pair = [&](const std::int64_t(&values)[2]) { return number(values[0]) + "," + number(values[1]); };
    const char* directions[] = {"fprop", "dgrad", "wgrad"};
    return std::string(directions[static_cast<int>(conv.direction)]) + " of x [" + number(z.n) + "," + number(z.h) +
           "," + number(z.w) + "," + number(z.c) + "] and a filter [" + number(z.k) + "," + number(z.r) + "," +
           number(z.s) + "," + (z.groups > 0 ? number(z.c / z.groups) : "?") + "], stride " + pair(z.stride) +
           ", padding " + pair(z.padding) + ", dilation " + pair(z.dilation) + ", groups " + number(z.groups);
}
void require(bool holds, const Conv& conv, const std::string& otherwise) {
    if (!holds) throw UsageError("cannot run " + sizes_of(conv) + ": " + otherwise);
}

std::int64_t result_elements(const Conv& conv) {
    const Sizes& z = conv.sizes;
    if (conv.direction == Direction::fprop) return z.n * z.p() * z.q() * z.k;
    if (conv.direction == Direction::dgrad) return z.n * z.h * z.w * z.c;
    return z.k * z.r * z.s * z.group_c();
}

void check_sizes(const Conv& conv) {
    const Sizes& z = conv.sizes;
    require(std::min({z.n, z.h, z.w, z.c, z.k}) >= 0, conv, "sizes must not be negative");
    require(std::min({z.r, z.s, z.groups}) >= 1, conv, "a filter needs taps, and there is at least one group");
    for (const int axis : {0, 1}) {
        require(z.stride[axis] >= 1 && z.dilation[axis] >= 1 && z.padding[axis] >= 0, conv,
                "strides and dilations are at least 1, paddings at least 0");
    }
    require(z.c % z.groups == 0 && z.k % z.groups == 0, conv, "the groups do not divide the channels");
    require(z.p() >= 1 && z.q() >= 1, conv, "the filter reaches beyond the padded image");
    const std::int64_t reach_h = z.h + 2 * z.padding[0] + z.dilation[0] * z.r + z.stride[0],
                       reach_w = z.w + 2 * z.padding[1] + z.dilation[1] * z.s + z.stride[1];
    const std::int64_t chunk = 16;
    require(std::max({z.n * z.h * z.w, z.n * z.p() * z.q(), z.h * z.w * z.c, z.p() * z.q() * z.k, reach_h,
                      reach_w * std::max(z.c, z.k), z.r * z.s * (std::max(z.c, z.k) + chunk), z.k * z.r * z.s}) <
                kMostPositions,
            conv, "more than 2^30 positions or elements of an image, which 32-bit indices do not reach; split it");
    require(conv.output == Output::f32 || (conv.math == Math::bf16 && conv.direction != Direction::wgrad), conv,
            "only y and dx of bf16 operands can be bf16; ask for f32");
    const Epilogue& e = conv.epilogue;
    require(conv.direction != Direction::wgrad || (e.scale == nullptr && e.bias == nullptr && e.residual == nullptr),
            conv, "a filter gradient takes no epilogue");
}

// Kernels of one tap that neither skip nor pad are plain products.
bool is_product(const Conv& conv) {
    const Sizes& z = conv.sizes;
    return z.r == 1 && z.s == 1 && z.groups == 1 && z.stride[0] == 1 && z.stride[1] == 1 && z.padding[0] == 0 &&
           z.padding[1] == 0;
}
gemm::Gemm product_of(const Conv& conv) {
    using gemm::Transpose;
    const Sizes& z = conv.sizes;
    const std::int64_t pixels = z.n * z.h * z.w;
    gemm::Gemm g{.math = conv.math, .output = conv.output, .epilogue = conv.epilogue};
    if (conv.direction == Direction::fprop) g.m = pixels, g.n = z.k, g.k = z.c, g.transpose_b = Transpose::yes;
    if (conv.direction == Direction::dgrad) g.m = pixels, g.n = z.c, g.k = z.k;
    if (conv.direction == Direction::wgrad) g.m = z.k, g.n = z.c, g.k = pixels, g.transpose_a = Transpose::yes;
    if (conv.plan) {
        g.variant = conv.plan->variant;
        g.plan = {.tile = conv.plan->tile == Tile::large ? gemm::Tile::m128n128 : gemm::Tile::m64n64,
                  .splits = conv.plan->splits};
    }
    return g;
}
void run_product(const Conv& conv, const void* first, const void* second, void* result, std::span<std::byte> workspace,
                 dev::Stream& stream) {
    if (conv.direction == Direction::wgrad) std::swap(first, second);
    gemm::run(product_of(conv), first, second, result, workspace, stream);
}

Plan plan_of(const Conv& conv) { return conv.plan.has_value() ? *conv.plan : choose_plan(conv); }

bool is_aligned(const void* pointer, std::int64_t bytes) {
    return reinterpret_cast<std::uintptr_t>(pointer) % static_cast<std::uintptr_t>(bytes) == 0;
}

int narrow(std::int64_t value) { return static_cast<int>(value); }  // check_sizes() has seen it

PlainSizes plain_sizes(const Sizes& z) {
    PlainSizes plain{.n = narrow(z.n),
                     .h = narrow(z.h),
                     .w = narrow(z.w),
                     .c = narrow(z.c),
                     .k = narrow(z.k),
                     .r = narrow(z.r),
                     .s = narrow(z.s),
                     .p = narrow(z.p()),
                     .q = narrow(z.q()),
                     .group_c = narrow(z.group_c()),
                     .group_k = narrow(z.group_k())};
    for (const int axis : {0, 1}) {
        plain.stride[axis] = narrow(z.stride[axis]);
        plain.padding[axis] = narrow(z.padding[axis]);
        plain.dilation[axis] = narrow(z.dilation[axis]);
    }
    return plain;
}

void launch(const Launch& l) {
    if (l.conv.direction == Direction::fprop) launch_fprop(l);
    if (l.conv.direction == Direction::dgrad) launch_dgrad(l);
    if (l.conv.direction == Direction::wgrad) launch_wgrad(l);
}

// Up to kMostProducts products: they share a launch, whose grid is as large as the largest of them needs.
struct Extent {
    std::int64_t tiles = 0, splits = 1, products = 0;
    std::int64_t groups, tile_elements;

    std::int64_t all_tiles() const { return tiles * products * groups; }
    std::size_t counter_bytes() const { return static_cast<std::size_t>(ceil_div(all_tiles() * 4, 256) * 256); }
    std::size_t workspace_bytes() const {
        if (splits <= 1) return 0;
        return counter_bytes() + static_cast<std::size_t>(all_tiles() * splits * tile_elements) * sizeof(float);
    }
};
Extent extent_of(const Conv& conv, const Plan& plan, std::span<const Product> products) {
    const TileSides sides = sides_of(conv.direction, plan.tile);
    Extent e{.products = static_cast<std::int64_t>(products.size()),
             .groups = conv.sizes.groups,
             .tile_elements = sides.m * sides.n};
    for (const Product& product : products) {
        e.tiles = std::max<std::int64_t>(e.tiles, product.tiles);
        e.splits = std::max<std::int64_t>(e.splits, product.splits);
    }
    return e;
}
template <class Body>
void for_each_launch(const std::vector<Product>& products, Body&& body) {
    for (std::size_t first = 0; first < products.size(); first += kMostProducts) {
        body(std::span(products).subspan(first, std::min<std::size_t>(kMostProducts, products.size() - first)));
    }
}

void check_workspace(const Conv& conv, std::span<std::byte> workspace) {
    const std::size_t needed = workspace_bytes(conv);
    require(workspace.size() >= needed && (needed == 0 || is_aligned(workspace.data(), 16)), conv,
            "the workspace has " + std::to_string(workspace.size()) + " bytes and must have " + std::to_string(needed) +
                ", aligned to 16");
}

void run_stem(const Conv& conv, const Conv& padded, const void* first, const void* second, void* result,
              std::span<std::byte> workspace, dev::Stream& stream) {
    check_workspace(conv, workspace);
    const StemWorkspace parts = stem_workspace(padded);
    std::byte *filter = workspace.data() + parts.filter, *x = workspace.data() + parts.x;
    pad_stem(conv, padded, first, second, workspace.data(), stream);
    const std::span<std::byte> rest = workspace.first(parts.filter);
    if (conv.direction == Direction::fprop) return run(padded, x, filter, result, rest, stream);
    run(padded, x, second, filter, rest, stream);
    crop_stem(conv, padded, result, workspace.data(), stream);
}

void launch_products(Launch& l, std::span<const Product> products, std::span<std::byte> workspace) {
    const Extent extent = extent_of(l.conv, l.plan, products);
    require(extent.groups * extent.products <= kMostBlocks && extent.splits <= kMostBlocks, l.conv,
            "more groups or parts than a launch has blocks");
    const Sizes& z = l.conv.sizes;
    Problem& p = l.problem;
    p.result.splits = narrow(extent.splits);
    p.c = narrow(z.c), p.k = narrow(z.k), p.group_c = narrow(z.group_c()), p.group_k = narrow(z.group_k());
    p.h = narrow(z.h), p.w = narrow(z.w), p.s = narrow(z.s);
    p.stride_h = narrow(z.stride[0]), p.stride_w = narrow(z.stride[1]);
    p.filter = narrow(z.r * z.s * z.group_c());
    p.products = narrow(extent.products);
    std::copy(products.begin(), products.end(), p.product);
    l.grid = dim3(static_cast<unsigned>(extent.tiles), static_cast<unsigned>(extent.splits),
                  static_cast<unsigned>(extent.groups * extent.products));
    if (extent.splits > 1) {
        l.arrived = reinterpret_cast<unsigned*>(workspace.data());
        l.partials = reinterpret_cast<float*>(workspace.data() + extent.counter_bytes());
        dev::fill_bytes(l.arrived, 0, extent.counter_bytes(), l.stream);
    }
    launch(l);
}

}  // namespace

// Groups of few channels are products too narrow for tiles, except filter gradients, whose sums are so long that only
// tiles split them. Wide tiles read each operand half as often, once there is one for every multiprocessor, for which
// long sums of filter gradients may be cut into parts; below that, small tiles keep more of them busy, and where even
// those are few, so do parts of the sum of at least four tiles each.
Plan choose_plan(const Conv& conv) {
    constexpr std::int64_t kMultiprocessors = 132;  // an H100's or H200's; fixed, so that results do not depend on it
    constexpr std::int64_t kFewProducts = 16;
    if (result_elements(conv) == 0) return {};
    if (const auto padded = padded_stem(conv)) return choose_plan(*padded);
    if (is_product(conv)) {
        const gemm::Plan plan = gemm::choose_plan(product_of(conv));
        return {.tile = plan.tile == gemm::Tile::m128n128 ? Tile::large : Tile::small, .splits = plan.splits};
    }
    const Sizes& z = conv.sizes;
    const bool wgrad = conv.direction == Direction::wgrad;
    if (!wgrad && z.groups > 1 && z.group_c() * z.group_k() <= kFewProducts) return {.variant = Variant::plain};
    const auto blocks_of = [&](Tile tile) {
        std::int64_t blocks = 0;
        for (const Product& product : products_of(conv, {.tile = tile})) blocks += product.tiles * z.groups;
        return blocks;
    };
    std::int64_t longest = 0;
    for (const Product& product : products_of(conv, {})) longest = std::max<std::int64_t>(longest, product.k);
    const std::int64_t tiles_k = ceil_div(longest, 128 / operand_bytes(conv));
    const auto with_parts = [&](Tile tile, std::int64_t most) {
        const std::int64_t parts = std::min(2 * kMultiprocessors / blocks_of(tile), most);
        return Plan{.tile = tile, .splits = static_cast<int>(std::max<std::int64_t>(parts, 1))};
    };
    const bool few_channels = (conv.direction == Direction::dgrad ? z.group_c() : z.group_k()) <= 64;
    const Tile wide = few_channels ? Tile::oblong : Tile::large;
    const std::int64_t most_wide = wgrad ? std::clamp<std::int64_t>(tiles_k / 8, 1, 64) : 1;
    if (blocks_of(wide) * most_wide >= kMultiprocessors) return with_parts(wide, most_wide);
    return with_parts(Tile::small, std::min<std::int64_t>(tiles_k / 4, wgrad ? 64 : 16));
}

std::size_t workspace_bytes(const Conv& conv) {
    check_sizes(conv);
    if (result_elements(conv) == 0) return 0;
    if (is_product(conv)) return gemm::workspace_bytes(product_of(conv));
    if (const auto padded = padded_stem(conv)) return stem_workspace(*padded).end;
    const Plan plan = plan_of(conv);
    if (plan.variant == Variant::plain) return 0;
    std::size_t bytes = 0;
    for_each_launch(products_of(conv, plan), [&](std::span<const Product> products) {
        bytes = std::max(bytes, extent_of(conv, plan, products).workspace_bytes());
    });
    return bytes;
}

std::int64_t moment_rows(const Conv& conv) {
    check_sizes(conv);
    if (conv.direction != Direction::fprop || result_elements(conv) == 0 || conv.sizes.c == 0) return 0;
    const Plan plan = plan_of(conv);
    if (plan.variant == Variant::plain) return 0;
    if (is_product(conv)) return gemm::moment_rows(product_of(conv));
    return plan.tile == Tile::small ? 32 : 64;
}

void run(const Conv& conv, const void* first, const void* second, void* result, std::span<std::byte> workspace,
         dev::Stream& stream) {
    check_sizes(conv);
    if (result_elements(conv) == 0) return;
    require(conv.epilogue.moments == nullptr || moment_rows(conv) > 0, conv, "its kernel takes no moments");
    require(is_aligned(conv.epilogue.moments, 16), conv, "moments are not aligned to 16 bytes");
    if (is_product(conv)) return run_product(conv, first, second, result, workspace, stream);
    const bool has_terms = std::min({conv.sizes.n, conv.sizes.c, conv.sizes.k}) > 0;
    const Plan plan = has_terms ? plan_of(conv) : Plan{.variant = Variant::plain};
    require(result != nullptr && (!has_terms || (first != nullptr && second != nullptr)), conv, "an operand is null");
    const std::int64_t in = operand_bytes(conv), out = conv.output == Output::bf16 ? 2 : 4;
    require(is_aligned(first, in) && is_aligned(second, in) && is_aligned(result, out) &&
                is_aligned(conv.epilogue.residual, out) && is_aligned(conv.epilogue.scale, 4) &&
                is_aligned(conv.epilogue.bias, 4),
            conv, "an operand is not aligned to its element type");
    require(plan.splits >= 1, conv, "a sum cannot be cut into " + std::to_string(plan.splits) + " parts");
    if (const auto padded = has_terms ? padded_stem(conv) : std::nullopt)
        return run_stem(conv, *padded, first, second, result, workspace, stream);
    Launch l{.conv = conv, .plan = plan, .first = first, .second = second, .result = result, .stream = stream};
    l.problem.result = result_of(conv, first, second, result);
    if (plan.variant == Variant::plain) {
        l.sizes = plain_sizes(conv.sizes);
        return launch(l);
    }
    check_workspace(conv, workspace);
    for_each_launch(products_of(conv, plan),
                    [&](std::span<const Product> products) { launch_products(l, products, workspace); });
}

}  // namespace cambium::conv
