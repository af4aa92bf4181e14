#include "kernels/conv/stem.h"

#include <algorithm>

#include "kernels/check.h"
#include "kernels/conv/problem.cuh"
#include "kernels/conv/stem.cuh"

namespace cambium::conv {
namespace {

std::int64_t operand_bytes(const Conv& conv) { return conv.math == Math::bf16 ? 2 : 4; }

template <class T>
constexpr int kChunkPixels = 16 / (kPixelChannels * static_cast<int>(sizeof(T)));

// To whole chunks of 16 bytes.
std::int64_t rounded_pixels(const Conv& conv, std::int64_t pixels) {
    const int chunk = conv.math == Math::bf16 ? kChunkPixels<bf16> : kChunkPixels<float>;
    return ceil_div(pixels, chunk) * chunk;
}

template <class T>
void pad(const void* x, std::string_view name, void* y, std::int64_t lines, const Lines& l, dev::Stream& stream) {
    const dim3 grid(static_cast<unsigned>(lines), static_cast<unsigned>(ceil_div(l.padded_width, kMostPixels)));
    const bool is_whole = l.padded_width % kChunkPixels<T> == 0;
    dev::launch(is_whole ? pad_pixels<T, kChunkPixels<T>> : pad_pixels<T, 1>, grid, dim3(kStemThreads),
                sizeof(LineMemory<T>), stream,
                dev::reads(static_cast<const T*>(x), name, {lines, l.width, kStemChannels}),
                dev::writes(static_cast<T*>(y), "padded", {lines, l.padded_width, kPixelChannels}), l);
}

Lines image_lines(const Conv& conv, const Conv& padded) {
    return {static_cast<int>(conv.sizes.w), static_cast<int>(padded.sizes.w), static_cast<int>(conv.sizes.padding[1])};
}
Lines filter_lines(const Conv& conv, const Conv& padded) {
    return {static_cast<int>(conv.sizes.s), static_cast<int>(padded.sizes.s), 0};
}

}  // namespace

// Three channels become four: a third more to read, once more, but copied in an eighth of the instructions, none of
// which waits. One or two channels would become many more, and windows that are aligned as they are need no copy.
std::optional<Conv> padded_stem(const Conv& conv) {
    const Sizes& z = conv.sizes;
    constexpr std::int64_t kMost = std::int64_t{1} << 28;  // pixels, and an image's elements: conv.h's 2^30 must do
    const std::int64_t wide = z.w + 2 * z.padding[1] + z.s;
    if (conv.direction == Direction::dgrad || z.groups != 1 || z.c != kStemChannels || z.dilation[1] != 1 ||
        std::max(z.n, z.c) * z.h * wide >= kMost || window_copy_bytes(conv) >= 8 ||
        (conv.plan && conv.plan->variant == Variant::plain)) {
        return std::nullopt;
    }
    Conv padded = conv;
    Sizes& to = padded.sizes;
    to.c = kPixelChannels;
    const std::int64_t last = (z.q() - 1) * z.stride[1];  // where the last window of a line begins
    to.w = rounded_pixels(conv, last + z.s);
    to.s = to.w - last;  // so that q() remains
    to.padding[1] = 0;
    return padded;
}

StemWorkspace stem_workspace(const Conv& padded) {
    const Sizes& z = padded.sizes;
    const std::int64_t bytes = operand_bytes(padded);
    const auto whole = [](std::int64_t count) { return round_to_256(static_cast<std::size_t>(count)); };
    const std::size_t filter = round_to_256(workspace_bytes(padded)),
                      x = filter + whole(z.k * z.r * z.s * z.c * (padded.direction == Direction::wgrad ? 4 : bytes));
    return {filter, x, x + whole(z.n * z.h * z.w * z.c * bytes)};
}

void pad_stem(const Conv& conv, const Conv& padded, const void* x, const void* filter, std::byte* workspace,
              dev::Stream& stream) {
    const Sizes& z = conv.sizes;
    const auto both = [&]<class T>() {
        pad<T>(x, "x", workspace + stem_workspace(padded).x, z.n * z.h, image_lines(conv, padded), stream);
        if (conv.direction == Direction::wgrad) return;
        pad<T>(filter, "w", workspace + stem_workspace(padded).filter, z.k * z.r, filter_lines(conv, padded), stream);
    };
    if (conv.math == Math::bf16) return both.template operator()<bf16>();
    both.template operator()<float>();
}

void crop_stem(const Conv& conv, const Conv& padded, void* dw, const std::byte* workspace, dev::Stream& stream) {
    const Sizes &z = conv.sizes, &from = padded.sizes;
    const std::int64_t count = z.k * z.r * z.s * z.c;
    const auto* x = reinterpret_cast<const float*>(workspace + stem_workspace(padded).filter);
    dev::launch(crop_pixels, dim3(static_cast<unsigned>(ceil_div(count, kStemThreads))), dim3(kStemThreads), 0, stream,
                dev::reads(x, "padded", {from.k, from.r, from.s, from.c}),
                dev::writes(static_cast<float*>(dw), "dw", {z.k, z.r, z.s, z.c}), filter_lines(conv, padded), count);
}

}  // namespace cambium::conv
