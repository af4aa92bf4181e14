// Launches of the augmentation kernels: checks, and how many blocks share an image.
#include "kernels/augment/augment.h"

#include <algorithm>
#include <string>

#include "kernels/augment/kernels.cuh"
#include "kernels/check.h"

namespace cambium::augment {
namespace {

std::string text_of(const Batch& b) {
    return "an augmentation of [" + std::to_string(b.images) + ", " + std::to_string(b.height) + ", " +
           std::to_string(b.width) + ", 3]";
}

// Four times as many blocks as an H100's or H200's 132 multiprocessors hold at once, so that the last ones to end are a
// small part; an image's blocks share its tiles.
std::uint32_t blocks_per_image(const Batch& b) {
    constexpr std::int64_t kWanted = 4 * 132 * 8;
    const std::int64_t tiles = ceil_div(b.height * b.width, kThreads);
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(ceil_div(kWanted, b.images), 1, tiles));
}

Problem problem_of(const Batch& b, const void* y) {
    Problem p{};
    p.images = static_cast<std::uint32_t>(b.images);
    p.height = static_cast<std::uint32_t>(b.height), p.width = static_cast<std::uint32_t>(b.width);
    p.pixels = p.height * p.width;
    p.blocks_per_image = blocks_per_image(b);
    p.row = Divisor(p.width);
    for (std::size_t c = 0; c < 3; ++c) {
        p.scale[c] = b.scale[c], p.shift[c] = b.shift[c], p.fill[c] = b.fill[c];
    }
    p.bgr = b.order == ChannelOrder::bgr;
    p.contrast = b.contrast == Contrast::possible;
    p.vectors = p.pixels % 4 == 0 && is_aligned(y, 4 * size_of(b.dtype));
    return p;
}

template <class T, Variant variant>
void launch_variant(const Batch& b, const Problem& p, const std::uint8_t* images, const Parameters* table, void* y,
                    const float* means, dev::Stream& stream) {
    dev::launch(augment_kernel<T, variant>, dim3(p.images * p.blocks_per_image), dim3(kThreads), sizeof(TileShared),
                stream, p, dev::writes(static_cast<T*>(y), "y", {b.images, b.height, b.width, 3}),
                dev::reads(images, "images", {b.images, b.height, b.width, 3}), dev::reads(table, "table", {b.images}),
                means);
}

template <class T>
void launch(const Batch& b, const Problem& p, const std::uint8_t* images, const Parameters* table, void* y,
            const float* means, dev::Stream& stream) {
    if (b.variant == Variant::plain) return launch_variant<T, Variant::plain>(b, p, images, table, y, means, stream);
    launch_variant<T, Variant::tuned>(b, p, images, table, y, means, stream);
}

}  // namespace

std::size_t workspace_bytes(const Batch& b) {
    return b.contrast == Contrast::possible && b.images > 0 ? static_cast<std::size_t>(b.images) * sizeof(float) : 0;
}

void run(const Batch& b, const std::uint8_t* images, const Parameters* table, void* y, std::span<std::byte> workspace,
         dev::Stream& stream) {
    const std::string what = text_of(b);
    require(b.images >= 0 && b.height >= 0 && b.width >= 0, what, "sizes must not be negative");
    require_activation_type(b.dtype, what);
    if (b.images == 0 || b.height == 0 || b.width == 0) return;
    require(b.height <= 0x7fff && b.width <= 0x7fff && b.images <= 1 << 18, what,
            "sides have at most 32767 pixels, and a batch 262144 images");
    require(images != nullptr && table != nullptr && y != nullptr, what, "an operand is null");
    require(is_aligned(table, alignof(Parameters)) && is_aligned(y, size_of(b.dtype)), what,
            "the table or y is not aligned to its elements");
    require(workspace.size() >= workspace_bytes(b) && is_aligned(workspace.data(), sizeof(float)), what,
            "the workspace has " + std::to_string(workspace.size()) + " bytes and must have " +
                std::to_string(workspace_bytes(b)) + ", aligned to 4");
    const Problem p = problem_of(b, y);
    auto* means = reinterpret_cast<float*>(workspace.data());
    if (p.contrast) {
        dev::launch(mean_kernel, dim3(p.images), dim3(kThreads), sizeof(MeanShared), stream, p,
                    dev::writes(means, "means", {b.images}),
                    dev::reads(images, "images", {b.images, b.height, b.width, 3}),
                    dev::reads(table, "table", {b.images}));
    }
    if (b.dtype == DType::f32) return launch<float>(b, p, images, table, y, means, stream);
    launch<bf16>(b, p, images, table, y, means, stream);
}

}  // namespace cambium::augment
