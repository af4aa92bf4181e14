// Augmentation of a line of pixels on f32 in 0..255. Channels lie apart, red, green and blue of n pixels each, so that
// the loops have no strides inside and the compiler vectorises them.
#include "engine/backends/cpu/kernels.h"

namespace cambium::cpu::CAMBIUM_ISA {
namespace {

using i64 = std::int64_t;

inline float clamped(float x) {
    const float positive = x > 0.0f ? x : 0.0f;
    return positive < 255.0f ? positive : 255.0f;
}

inline float grey_of(float r, float g, float b) { return 0.2989f * r + 0.587f * g + 0.114f * b; }

void split(const std::uint8_t* pixels, float* x, i64 n) {
    float *r = x, *g = x + n, *b = x + 2 * n;
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) {
        r[i] = static_cast<float>(pixels[3 * i]);
        g[i] = static_cast<float>(pixels[3 * i + 1]);
        b[i] = static_cast<float>(pixels[3 * i + 2]);
    }
}

void split_mirrored(const std::uint8_t* pixels, float* x, i64 n) {
    float *r = x, *g = x + n, *b = x + 2 * n;
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) {
        const std::uint8_t* pixel = pixels + 3 * (n - 1 - i);
        r[i] = static_cast<float>(pixel[0]);
        g[i] = static_cast<float>(pixel[1]);
        b[i] = static_cast<float>(pixel[2]);
    }
}

void join(const float* x, float* y, i64 n, const float* factor, const float* shift, const int* channels) {
    const float *a = x + channels[0] * n, *b = x + channels[1] * n, *c = x + channels[2] * n;
    const float fa = factor[0], fb = factor[1], fc = factor[2], sa = shift[0], sb = shift[1], sc = shift[2];
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) {
        y[3 * i] = fa * a[i] + sa;
        y[3 * i + 1] = fb * b[i] + sb;
        y[3 * i + 2] = fc * c[i] + sc;
    }
}

void blend(float* x, float other, float factor, i64 n) {
    const float rest = (1.0f - factor) * other;
#pragma GCC ivdep
    for (i64 i = 0; i < 3 * n; ++i) x[i] = clamped(factor * x[i] + rest);
}

void saturate(float* x, float factor, i64 n) {
    float *r = x, *g = x + n, *b = x + 2 * n;
    const float rest = 1.0f - factor;
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) {
        const float other = rest * grey_of(r[i], g[i], b[i]);
        r[i] = clamped(factor * r[i] + other);
        g[i] = clamped(factor * g[i] + other);
        b[i] = clamped(factor * b[i] + other);
    }
}

inline float wrapped(float sixths) { return sixths >= 6.0f ? sixths - 6.0f : sixths; }

// How far a channel lies below the highest, as a share of the span, where the hue in sixths of a turn is `hue`: 0 for a
// third of the circle, 1 for the opposite third, straight lines between. `offset` tells the channels apart.
inline float fall(float hue, float offset) {
    const float k = wrapped(hue + offset), back = 4.0f - k, nearer = k < back ? k : back,
                within = nearer < 1.0f ? nearer : 1.0f;
    return within > 0.0f ? within : 0.0f;
}

// By way of hue, saturation and value; channel c of the result is high - span * fall(c), which needs no cases.
void turn_hue(float* x, float shift, i64 n) {
    float *r = x, *g = x + n, *b = x + 2 * n;
    const float part = 6.0f * (shift - static_cast<float>(static_cast<int>(shift))),
                sixths = part < 0 ? part + 6 : part;
#pragma GCC ivdep
    for (i64 i = 0; i < n; ++i) {
        const float red = r[i], green = g[i], blue = b[i];
        const float high_rg = red > green ? red : green, low_rg = red < green ? red : green;
        const float high = high_rg > blue ? high_rg : blue, low = low_rg < blue ? low_rg : blue;
        const float span = high - low, inverse = span > 0.0f ? 1.0f / span : 0.0f;
        const float from_red = (green - blue) * inverse;
        const float from_green = 2.0f + (blue - red) * inverse, from_blue = 4.0f + (red - green) * inverse;
        const float other = high == green ? from_green : from_blue;
        const float turned = (high == red ? from_red : other) + sixths;  // in [-1, 11)
        const float hue = wrapped(turned < 0.0f ? turned + 6.0f : turned);
        r[i] = high - span * fall(hue, 5.0f);
        g[i] = high - span * fall(hue, 3.0f);
        b[i] = high - span * fall(hue, 1.0f);
    }
}

double grey_sum(const float* x, i64 n) {
    constexpr i64 parts = 16;
    const float *r = x, *g = x + n, *b = x + 2 * n;
    double sums[parts]{};
    i64 i = 0;
    for (; i + parts <= n; i += parts) {
        for (i64 j = 0; j < parts; ++j) sums[j] += static_cast<double>(grey_of(r[i + j], g[i + j], b[i + j]));
    }
    double total = 0;
    for (; i < n; ++i) total += static_cast<double>(grey_of(r[i], g[i], b[i]));
    for (const double sum : sums) total += sum;
    return total;
}

void mix(float* own, const float* partner, float share, i64 n) {
    const float rest = 1.0f - share;
#pragma GCC ivdep
    for (i64 i = 0; i < 3 * n; ++i) own[i] = partner[i] * rest + own[i] * share;
}

}  // namespace

const AugmentKernels augment_table{.split = split,
                                   .split_mirrored = split_mirrored,
                                   .join = join,
                                   .blend = blend,
                                   .saturate = saturate,
                                   .turn_hue = turn_hue,
                                   .grey_sum = grey_sum,
                                   .mix = mix};

}  // namespace cambium::cpu::CAMBIUM_ISA
