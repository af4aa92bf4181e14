// Coefficients as in Pillow's src/libImaging/Resample.c (precompute_coeffs, normalize_coeffs_8bpc), then a horizontal
// and a vertical pass over only what the window needs. The build compiles with -ffp-contract=off: a fused multiply-add
// would change the last bit of a coefficient.
#include "data/images/resize.h"

#include <algorithm>
#include <cmath>

#include "data/images/resize_kernels.h"
#include "engine/base/fail.h"

namespace cambium {

namespace {

using resize_kernels::Axis;

double bilinear(double x) {
    x = std::abs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

double bicubic(double x) {  // Keys 1981 with a = -1/2
    constexpr double a = -0.5;
    x = std::abs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

std::int32_t to_fixed_point(double weight) {  // rounds half away from zero
    constexpr double one = 1 << resize_kernels::precision_bits;
    return static_cast<std::int32_t>(weight < 0 ? -0.5 + weight * one : 0.5 + weight * one);
}

// The weights for outputs [begin, end) of an axis of `in` samples resampled to `out`.
Axis coefficients(int in, int out, int begin, int end, Interpolation interpolation) {
    const auto filter = interpolation == Interpolation::bilinear ? bilinear : bicubic;
    const double radius = interpolation == Interpolation::bilinear ? 1.0 : 2.0;
    const double scale = static_cast<double>(in) / out;
    const double filter_scale = std::max(scale, 1.0);  // the filter widens when shrinking: antialiasing
    const double support = radius * filter_scale;
    const double inverse = 1.0 / filter_scale;

    Axis axis;
    axis.capacity = (static_cast<std::size_t>(std::ceil(support)) * 2 + 1 + 3) / 4 * 4;
    const auto outputs = static_cast<std::size_t>(end - begin);
    axis.first.resize(outputs);
    axis.count.resize(outputs);
    axis.weights.resize(outputs * axis.capacity);
    std::vector<double> weights(axis.capacity);
    for (int i = begin; i < end; ++i) {
        const auto index = static_cast<std::size_t>(i - begin);
        const double center = (i + 0.5) * scale;
        const int first = std::max(static_cast<int>(center - support + 0.5), 0);
        const int count = std::min(static_cast<int>(center + support + 0.5), in) - first;
        double total = 0.0;
        for (int k = 0; k < count; ++k) {
            const double weight = filter((k + first - center + 0.5) * inverse);
            weights[static_cast<std::size_t>(k)] = weight;
            total += weight;
        }
        for (int k = 0; k < count; ++k) {
            double weight = weights[static_cast<std::size_t>(k)];
            if (total != 0.0) weight /= total;
            axis.weights[index * axis.capacity + static_cast<std::size_t>(k)] = to_fixed_point(weight);
        }
        axis.first[index] = first;
        axis.count[index] = count;
    }
    return axis;
}

void require_inside(const char* what, const Box& box, const Size& size) {
    const bool inside = box.left >= 0 && box.top >= 0 && box.width >= 1 && box.height >= 1 &&
                        box.width <= size.width - box.left && box.height <= size.height - box.top;
    if (!inside)
        fail("cannot resize an image: the {} ({} x {} pixels at {}, {}) is not within {} x {} pixels", what, box.width,
             box.height, box.left, box.top, size.width, size.height);
}

// Memory for the rows between the passes, kept per thread: it is needed for every photo again.
std::vector<std::uint8_t>& intermediate() {
    thread_local std::vector<std::uint8_t> rows;
    return rows;
}

void copy_rows(const std::uint8_t* from, std::size_t from_stride, std::size_t bytes, int rows, std::uint8_t* to,
               std::size_t to_stride) {
    for (int y = 0; y < rows; ++y, from += from_stride, to += to_stride) std::copy_n(from, bytes, to);
}

}  // namespace

void resize(const Image& image, const Resampling& how, std::uint8_t* out, std::size_t stride) {
    require_inside("source", how.source, image.size());
    require_inside("window", how.window, how.size);
    const auto& kernels = resize_kernels::kernels();
    const Box& window = how.window;
    const std::size_t line = static_cast<std::size_t>(window.width) * Image::channels;
    const bool columns = how.source.width != how.size.width, rows = how.source.height != how.size.height;

    // The input rows that the window needs.
    Axis vertical;
    int top = window.top, bottom = window.top + window.height;
    if (rows) {
        vertical = coefficients(how.source.height, how.size.height, top, bottom, how.interpolation);
        top = vertical.first.front();
        bottom = vertical.first.back() + vertical.count.back();
    }
    const int count = bottom - top;

    const std::uint8_t* between = image.at(how.source.left, how.source.top + top);
    std::size_t between_stride = image.stride();
    if (columns) {
        const Axis horizontal =
            coefficients(how.source.width, how.size.width, window.left, window.left + window.width, how.interpolation);
        std::vector<std::uint8_t>& memory = intermediate();
        memory.resize(std::max(memory.size(), line * static_cast<std::size_t>(count) + Image::slack));
        for (int y = 0; y < count; ++y)
            kernels.horizontal(between + static_cast<std::size_t>(y) * between_stride, horizontal, window.width,
                               memory.data() + static_cast<std::size_t>(y) * line);
        between = memory.data();
        between_stride = line;
    } else {
        between += static_cast<std::size_t>(window.left) * Image::channels;
    }
    if (!rows) return copy_rows(between, between_stride, line, window.height, out, stride);
    for (std::size_t y = 0; y < vertical.first.size(); ++y, out += stride)
        kernels.vertical(between + static_cast<std::size_t>(vertical.first[y] - top) * between_stride, between_stride,
                         vertical.weights.data() + y * vertical.capacity, vertical.count[y], line, out);
}

Image resize(const Image& image, Size size, Interpolation interpolation) {
    if (size.width < 1 || size.height < 1) fail("cannot resize an image to {} x {} pixels", size.width, size.height);
    Image result(size);
    resize(image,
           {.source = {0, 0, image.width(), image.height()},
            .size = size,
            .window = {0, 0, size.width, size.height},
            .interpolation = interpolation},
           result.pixels().data(), result.stride());
    return result;
}

Size resized_size(Size image, int short_side) {
    const bool wide = image.width > image.height;
    const double shorter = wide ? image.height : image.width, longer = wide ? image.width : image.height;
    const double scaled_side = short_side * longer / shorter;
    if (!(shorter >= 1 && scaled_side < 0x1p31))
        fail("cannot resize {} x {} pixels to a short side of {}", image.width, image.height, short_side);
    const int scaled = static_cast<int>(scaled_side);
    return wide ? Size{scaled, short_side} : Size{short_side, scaled};
}

Box center_crop(Size image, int side) {
    const auto offset = [side](int extent) {
        if (extent < side) return -((side - extent) / 2);
        const int half = (extent - side) / 2;
        return (extent - side) % 2 == 0 ? half : half + half % 2;  // x.5 rounds to the even neighbour
    };
    return {offset(image.width), offset(image.height), side, side};
}

}  // namespace cambium
