// Windows along one axis: what each covers, and which ones cover a position.
#pragma once

#include "kernels/gpu.h"

namespace cambium::pool {

enum class Kind : std::uint8_t {
    padded,
    inside,
    adaptive
};  // how a mean's divisor counts, or cells instead of windows

// Positions or windows begin, ..., end - 1.
struct Range {
    int begin, end;
};

struct Axis {
    int extent, windows;  // positions of the input; of the output
    int kernel, stride, padding;
    Kind kind;

    // Where window p begins, padding included: positions in it are counted from there.
    CAMBIUM_DEVICE int origin(int p) const { return p * stride - padding; }

    CAMBIUM_DEVICE Range positions(int p) const {
        if (kind == Kind::adaptive) return {p * extent / windows, ((p + 1) * extent + windows - 1) / windows};
        const int first = origin(p);
        return {first < 0 ? 0 : first, first + kernel < extent ? first + kernel : extent};
    }

    CAMBIUM_DEVICE int divisor(int p) const {
        if (kind == Kind::padded) {
            const int first = origin(p), end = extent + padding;
            return (first + kernel < end ? first + kernel : end) - first;
        }
        const Range range = positions(p);
        return range.end - range.begin;
    }

    // The windows that cover position i. Adaptive: p extent < (i + 1) windows and (p + 1) extent > i windows.
    CAMBIUM_DEVICE Range covering(int i) const {
        if (kind == Kind::adaptive) return {i * windows / extent, ((i + 1) * windows - 1) / extent + 1};
        const int before = i + padding - kernel, end = (i + padding) / stride + 1;
        return {before < 0 ? 0 : before / stride + 1, end < windows ? end : windows};
    }
};

// A launch's images: lines of pixels of C channels each.
struct Frame {
    Axis rows, columns;
    std::int64_t channels;

    CAMBIUM_DEVICE std::int64_t input_pixel(std::int64_t n, int h, int w) const {
        return ((n * rows.extent + h) * columns.extent + w) * channels;
    }
    CAMBIUM_DEVICE std::int64_t output_pixel(std::int64_t n, int p, int q) const {
        return ((n * rows.windows + p) * columns.windows + q) * channels;
    }
};

CAMBIUM_DEVICE float mean_factor(const Frame& f, int p, int q) {
    return 1.0f / static_cast<float>(f.rows.divisor(p) * f.columns.divisor(q));
}

// Whether x is the new largest: NaN is larger than all, and the first of equals stays.
CAMBIUM_DEVICE bool is_larger(float x, float largest) { return !(x <= largest) && largest == largest; }

}  // namespace cambium::pool
