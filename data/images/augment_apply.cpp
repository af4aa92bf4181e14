// Applying given parameters on the host, in f32 and in torchvision's order of operations.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "data/images/augment.h"
#include "engine/base/fail.h"
#include "engine/base/parallel.h"

namespace cambium {

namespace {

constexpr std::size_t channels = Image::channels;

float clamp01(float value) { return std::clamp(value, 0.0f, 1.0f); }
float blend(float pixel, float other, float factor) { return clamp01(factor * pixel + (1.0f - factor) * other); }
float grey(const float* rgb) { return 0.2989f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2]; }

struct Hsv {
    float hue, saturation, value;  // each in 0..1
};

Hsv to_hsv(const float* rgb) {
    const float r = rgb[0], g = rgb[1], b = rgb[2];
    const float high = std::max({r, g, b}), low = std::min({r, g, b}), span = high - low;
    if (high == low) return {0.0f, 0.0f, high};
    const float rc = (high - r) / span, gc = (high - g) / span, bc = (high - b) / span;
    const float hue = high == r ? bc - gc : high == g ? 2.0f + rc - bc : 4.0f + gc - rc;
    return {std::fmod(hue / 6.0f + 1.0f, 1.0f), span / high, high};
}

void from_hsv(Hsv hsv, float* rgb) {
    const float sector = std::floor(hsv.hue * 6.0f), f = hsv.hue * 6.0f - sector, v = hsv.value;
    const float p = clamp01(v * (1.0f - hsv.saturation));
    const float q = clamp01(v * (1.0f - hsv.saturation * f));
    const float t = clamp01(v * (1.0f - hsv.saturation * (1.0f - f)));
    const float colors[6][channels] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}};
    std::copy_n(colors[static_cast<int>(sector) % 6], channels, rgb);
}

std::size_t area(Size size) { return static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.height); }

// Calls row(first float, count) for each row of a rectangle given in f32.
template <class Row>
void for_rows(float top, float left, float height, float width, Size size, Row&& row) {
    const int begin = std::clamp(static_cast<int>(top), 0, size.height);
    const int end = std::clamp(static_cast<int>(top + height), begin, size.height);
    const int first = std::clamp(static_cast<int>(left), 0, size.width);
    const int last = std::clamp(static_cast<int>(left + width), first, size.width);
    for (int y = begin; y < end; ++y) {
        const std::size_t offset =
            static_cast<std::size_t>(y) * static_cast<std::size_t>(size.width) + static_cast<std::size_t>(first);
        row(offset * channels, static_cast<std::size_t>(last - first) * channels);
    }
}

// One sample up to and with erasing.
void apply_alone(std::span<const std::uint8_t> bytes, Size size, const AugmentParameters& parameters,
                 std::array<float, 3> fill, std::span<float> out) {
    std::ranges::transform(bytes, out.begin(), [](std::uint8_t byte) { return static_cast<float>(byte) / 255.0f; });
    if (parameters.flip != 0) flip_left_right(out, size);
    jitter_colors(out, parameters);
    erase(out, size, parameters, fill);
}

// One sample mixed with its partner, both after apply_alone().
void mix(std::span<const float> own, std::span<const float> partner, Size size, const AugmentParameters& parameters,
         std::span<float> out) {
    std::ranges::copy(own, out.begin());
    if (parameters.mix != 1)
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] = partner[i] * (1.0f - parameters.mix) + own[i] * parameters.mix;
    for_rows(parameters.cut_top, parameters.cut_left, parameters.cut_height, parameters.cut_width, size,
             [&](std::size_t first, std::size_t count) {
                 std::ranges::copy(partner.subspan(first, count), out.begin() + static_cast<std::ptrdiff_t>(first));
             });
}

// The row that `parameters` mix with, `own` where they do not.
std::size_t partner_of(const AugmentParameters& parameters, std::size_t own, std::size_t rows) {
    if (parameters.partner < 0) return own;
    const auto partner = static_cast<std::size_t>(parameters.partner);
    if (partner >= rows) fail("cannot mix row {} of a batch of {} with row {}", own, rows, partner);
    return partner;
}

void require_rows(const Shape& shape, std::size_t parameters) {
    if (shape.rank() < 1 || static_cast<std::size_t>(shape[0]) != parameters)
        fail("cannot augment a batch {}: {} rows of parameters", to_string(shape), parameters);
}

}  // namespace

void adjust_brightness(std::span<float> pixels, float factor) {
    for (float& value : pixels) value = blend(value, 0.0f, factor);
}

void adjust_contrast(std::span<float> pixels, float factor) {
    double sum = 0;
    for (std::size_t i = 0; i < pixels.size(); i += channels) sum += static_cast<double>(grey(&pixels[i]));
    const auto mean = static_cast<float>(sum / static_cast<double>(std::max<std::size_t>(pixels.size() / channels, 1)));
    for (float& value : pixels) value = blend(value, mean, factor);
}

void adjust_saturation(std::span<float> pixels, float factor) {
    for (std::size_t i = 0; i < pixels.size(); i += channels) {
        const float grey_value = grey(&pixels[i]);
        for (std::size_t c = 0; c < channels; ++c) pixels[i + c] = blend(pixels[i + c], grey_value, factor);
    }
}

void adjust_hue(std::span<float> pixels, float shift) {
    for (std::size_t i = 0; i < pixels.size(); i += channels) {
        Hsv hsv = to_hsv(&pixels[i]);
        hsv.hue = std::fmod(hsv.hue + shift, 1.0f);
        if (hsv.hue < 0) hsv.hue += 1.0f;
        from_hsv(hsv, &pixels[i]);
    }
}

void flip_left_right(std::span<float> pixels, Size size) {
    const std::size_t stride = static_cast<std::size_t>(size.width) * channels;
    for (std::size_t row = 0; row + stride <= pixels.size() && stride > 0; row += stride)
        for (std::size_t left = row, right = row + stride - channels; left < right; left += channels, right -= channels)
            std::swap_ranges(&pixels[left], &pixels[left] + channels, &pixels[right]);
}

void jitter_colors(std::span<float> pixels, const AugmentParameters& parameters) {
    constexpr std::array steps{adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue};
    for (float step : parameters.order) {
        if (step < 0) continue;
        const auto index = std::min(static_cast<std::size_t>(step), steps.size() - 1);
        steps[index](pixels, parameters.jitter[index]);
    }
}

void erase(std::span<float> pixels, Size size, const AugmentParameters& parameters, std::array<float, 3> fill) {
    for_rows(parameters.erase_top, parameters.erase_left, parameters.erase_height, parameters.erase_width, size,
             [&](std::size_t first, std::size_t count) {
                 for (std::size_t i = 0; i < count; ++i) pixels[first + i] = fill[i % channels];
             });
}

Tensor augmented(const Tensor& images, std::span<const AugmentParameters> parameters, std::array<float, 3> fill,
                 DType dtype) {
    const Shape& shape = images.shape();
    if (shape.rank() != 4 || shape[3] != 3) fail("cannot augment a batch {}: [N, H, W, 3] is needed", to_string(shape));
    if (dtype != DType::f32 && dtype != DType::u8) fail("cannot augment a batch to {}: f32 or u8", name_of(dtype));
    require_rows(shape, parameters.size());
    const Size size{static_cast<int>(shape[2]), static_cast<int>(shape[1])};
    const std::size_t bytes = area(size) * channels;
    const auto rows = static_cast<std::int64_t>(parameters.size());
    Tensor alone(shape, DType::f32), result(shape, dtype);
    const auto in = images.values<std::uint8_t>();
    const auto each = alone.values<float>();
    const auto for_each_row = [rows](auto&& body) {
        parallel_for(rows, 1, [&](std::int64_t begin, std::int64_t end) {
            for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) body(i);
        });
    };
    for_each_row([&](std::size_t i) {
        apply_alone(in.subspan(i * bytes, bytes), size, parameters[i], fill, each.subspan(i * bytes, bytes));
    });
    for_each_row([&](std::size_t i) {
        const auto own = each.subspan(i * bytes, bytes);
        const auto partner = each.subspan(partner_of(parameters[i], i, parameters.size()) * bytes, bytes);
        if (dtype == DType::f32)
            return mix(own, partner, size, parameters[i], result.values<float>().subspan(i * bytes, bytes));
        std::vector<float> mixed(bytes);
        mix(own, partner, size, parameters[i], mixed);
        std::ranges::transform(mixed, result.values<std::uint8_t>().subspan(i * bytes, bytes).begin(),
                               [](float value) { return static_cast<std::uint8_t>(clamp01(value) * 255.0f + 0.5f); });
    });
    return result;
}

Tensor to_table(std::span<const AugmentParameters> parameters) {
    Tensor table({static_cast<std::int64_t>(parameters.size()), AugmentParameters::columns}, DType::f32);
    if (!parameters.empty()) std::memcpy(table.bytes().data(), parameters.data(), parameters.size_bytes());
    return table;
}

Tensor mixed_labels(const Tensor& labels, std::span<const AugmentParameters> parameters, int classes) {
    require_rows(labels.shape(), parameters.size());
    Tensor result({labels.shape()[0], classes}, DType::f32);
    const auto own = labels.values<std::int32_t>();
    const auto out = result.values<float>();
    const auto add = [&](std::size_t row, std::int32_t label, float share) {
        if (label < 0 || label >= classes) fail("cannot mix labels: label {} of {} classes", label, classes);
        out[row * static_cast<std::size_t>(classes) + static_cast<std::size_t>(label)] += share;
    };
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        add(i, own[i], parameters[i].label);
        add(i, own[partner_of(parameters[i], i, parameters.size())], 1.0f - parameters[i].label);
    }
    return result;
}

}  // namespace cambium
