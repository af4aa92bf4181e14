// Augmentation of photos, pixel by pixel: every photo alone first, then what two of them make together.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "engine/backends/reference/reference.h"

namespace cambium::reference {
namespace {

struct Rgb {
    double r, g, b;
};

double clamped(double x) { return std::clamp(x, 0.0, 255.0); }
double blend(double x, double other, double factor) { return clamped(factor * x + (1 - factor) * other); }
Rgb blend(Rgb p, double other, double factor) {
    return {blend(p.r, other, factor), blend(p.g, other, factor), blend(p.b, other, factor)};
}
double grey(Rgb p) { return 0.2989 * p.r + 0.587 * p.g + 0.114 * p.b; }

// By way of hue (in sixths of a turn), saturation and value (Smith 1978).
Rgb with_hue(Rgb p, double shift) {
    const double high = std::max({p.r, p.g, p.b}), span = high - std::min({p.r, p.g, p.b});
    if (span == 0) return p;
    const double sixths = high == p.r   ? (p.g - p.b) / span
                          : high == p.g ? 2 + (p.b - p.r) / span
                                        : 4 + (p.r - p.g) / span;
    const double turns = sixths / 6 + shift, hue = 6 * (turns - std::floor(turns));
    const double sector = std::floor(hue), f = hue - sector, saturation = span / high;
    const double low = high * (1 - saturation), down = high * (1 - saturation * f);
    const double up = high * (1 - saturation * (1 - f));
    switch (static_cast<int>(sector)) {
        case 1:
            return {down, high, low};
        case 2:
            return {low, high, up};
        case 3:
            return {low, down, high};
        case 4:
            return {up, low, high};
        case 5:
            return {high, low, down};
        default:  // 0, and 6, which rounding may give
            return {high, up, low};
    }
}

struct Photos {
    std::int64_t count, height, width;
    explicit Photos(const Shape& shape) : count(shape[0]), height(shape[1]), width(shape[2]) {}
    std::int64_t pixels() const { return height * width; }
};

// The table's values are f32 in every precision.
AugmentParameters row_of(const double* columns) {
    std::array<float, AugmentParameters::columns> row;
    std::transform(columns, columns + row.size(), row.begin(), [](double x) { return static_cast<float>(x); });
    return std::bit_cast<AugmentParameters>(row);
}

bool lies_in(std::int64_t at, float begin, float length, std::int64_t extent) {
    const auto first = std::clamp<std::int64_t>(static_cast<std::int64_t>(begin), 0, extent);
    return at >= first && at < std::min(static_cast<std::int64_t>(begin + length), extent);
}

double grey_mean(const std::vector<Rgb>& photo) {
    double sum = 0;
    for (const Rgb& p : photo) sum += grey(p);
    return sum / static_cast<double>(photo.size());
}

void jitter(std::vector<Rgb>& photo, const AugmentParameters& row, bool has_mean) {
    for (const float step : row.order) {
        if (step < 0) continue;
        const int index = std::min(static_cast<int>(step), int{AugmentParameters::hue});
        const double mean = index == AugmentParameters::contrast && has_mean ? grey_mean(photo) : 0;
        const double factor = double{row.jitter[index]};
        for (Rgb& p : photo) {
            if (index == AugmentParameters::brightness) p = blend(p, 0, factor);
            if (index == AugmentParameters::contrast) p = blend(p, mean, factor);
            if (index == AugmentParameters::saturation) p = blend(p, grey(p), factor);
            if (index == AugmentParameters::hue) p = with_hue(p, factor);
        }
    }
}

// A photo up to and with erasing.
std::vector<Rgb> alone(const ops::Augment& op, const std::uint8_t* x, const Photos& size,
                       const AugmentParameters& row) {
    std::vector<Rgb> photo;
    for (std::int64_t h = 0; h < size.height; ++h) {
        for (std::int64_t w = 0; w < size.width; ++w) {
            const std::uint8_t* p = x + (h * size.width + (row.flip != 0 ? size.width - 1 - w : w)) * 3;
            photo.push_back({static_cast<double>(p[0]), static_cast<double>(p[1]), static_cast<double>(p[2])});
        }
    }
    jitter(photo, row, op.contrast == ops::Augment::Contrast::possible);
    const Rgb fill{double{op.fill[0]}, double{op.fill[1]}, double{op.fill[2]}};
    for (std::int64_t i = 0; i < size.pixels(); ++i) {
        if (lies_in(i / size.width, row.erase_top, row.erase_height, size.height) &&
            lies_in(i % size.width, row.erase_left, row.erase_width, size.width))
            photo[static_cast<std::size_t>(i)] = fill;
    }
    return photo;
}

Rgb mixed(Rgb own, Rgb other, double share) {
    return {other.r * (1 - share) + own.r * share, other.g * (1 - share) + own.g * share,
            other.b * (1 - share) + own.b * share};
}

void normalize(const ops::Normalize& op, Rgb p, double* y) {
    const std::array<double, 3> rgb{p.r, p.g, p.b};
    for (std::size_t c = 0; c < 3; ++c) {
        const double value = rgb[op.order == ops::ChannelOrder::rgb ? c : 2 - c];
        y[c] = double{op.scale[c]} * value + double{op.shift[c]};
    }
}

}  // namespace

void run(const ops::Augment& op, const Operands& operands) {
    const Photos size(operands.shape(0));
    std::vector<AugmentParameters> rows;
    std::vector<std::vector<Rgb>> photos;
    for (std::int64_t n = 0; n < size.count; ++n) {
        rows.push_back(row_of(operands.in(1) + n * AugmentParameters::columns));
        photos.push_back(alone(op, operands.in<std::uint8_t>(0) + n * size.pixels() * 3, size, rows.back()));
    }
    for (std::int64_t n = 0; n < size.count; ++n) {
        const auto own = static_cast<std::size_t>(n);
        const AugmentParameters& row = rows[own];
        const bool mixes = row.partner >= 0 && row.partner < static_cast<float>(size.count);
        const std::size_t partner = mixes ? static_cast<std::size_t>(row.partner) : own;
        for (std::int64_t i = 0; i < size.pixels(); ++i) {
            const auto pixel = static_cast<std::size_t>(i);
            const bool cut = lies_in(i / size.width, row.cut_top, row.cut_height, size.height) &&
                             lies_in(i % size.width, row.cut_left, row.cut_width, size.width);
            const Rgb other = photos[partner][pixel];
            const Rgb p = cut ? other : mixed(photos[own][pixel], other, double{row.mix});
            normalize(op.normalization, p, operands.out() + (n * size.pixels() + i) * 3);
        }
    }
}

}  // namespace cambium::reference
