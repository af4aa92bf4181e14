// What a pixel goes through alone: torchvision's adjust_* on RGB in 0..1, step by step as data/images/augment_apply.cpp
// has them.
#pragma once

#include "kernels/augment/augment.h"
#include "kernels/gpu.h"

namespace cambium::augment {

struct Rgb {
    float r, g, b;
};

CAMBIUM_DEVICE float clamp01(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }
CAMBIUM_DEVICE float blend(float x, float other, float factor) { return clamp01(factor * x + (1.0f - factor) * other); }
CAMBIUM_DEVICE Rgb blend(Rgb p, float other, float factor) {
    return {blend(p.r, other, factor), blend(p.g, other, factor), blend(p.b, other, factor)};
}
CAMBIUM_DEVICE float grey(Rgb p) { return 0.2989f * p.r + 0.587f * p.g + 0.114f * p.b; }

// Hue in turns, saturation, value: each in 0..1.
struct Hsv {
    float h, s, v;
};

CAMBIUM_DEVICE Hsv to_hsv(Rgb p) {
    const float high = fmaxf(p.r, fmaxf(p.g, p.b)), low = fminf(p.r, fminf(p.g, p.b)), span = high - low;
    if (high == low) return {0.0f, 0.0f, high};
    const float r = (high - p.r) / span, g = (high - p.g) / span, b = (high - p.b) / span;
    const float sixths = high == p.r ? b - g : high == p.g ? 2.0f + r - b : 4.0f + g - r;
    const float turns = sixths / 6.0f + 1.0f;
    return {turns - truncf(turns), span / high, high};
}

CAMBIUM_DEVICE Rgb to_rgb(Hsv hsv) {
    const float sector = floorf(hsv.h * 6.0f), f = hsv.h * 6.0f - sector, v = hsv.v;
    const float p = clamp01(v * (1.0f - hsv.s));
    const float q = clamp01(v * (1.0f - hsv.s * f));
    const float t = clamp01(v * (1.0f - hsv.s * (1.0f - f)));
    switch (static_cast<int>(sector)) {
        case 1:
            return {q, v, p};
        case 2:
            return {p, v, t};
        case 3:
            return {p, q, v};
        case 4:
            return {t, p, v};
        case 5:
            return {v, p, q};
        default:  // 0, and 6, which rounding may give
            return {v, t, p};
    }
}

CAMBIUM_DEVICE Rgb with_hue(Rgb p, float shift) {
    Hsv hsv = to_hsv(p);
    hsv.h += shift;
    hsv.h -= truncf(hsv.h);
    if (hsv.h < 0.0f) hsv.h += 1.0f;
    return to_rgb(hsv);
}

enum Step : int { kBrightness, kContrast, kSaturation, kHue };

CAMBIUM_DEVICE int step_at(const Parameters& q, int place) {
    return q.order[place] < 0.0f ? -1 : min(static_cast<int>(q.order[place]), int{kHue});
}

// Places below `end` of the order of application.
CAMBIUM_DEVICE Rgb jittered(Rgb p, const Parameters& q, float mean, int end) {
    for (int place = 0; place < end; ++place) {
        switch (step_at(q, place)) {
            case kBrightness:
                p = blend(p, 0.0f, q.jitter[kBrightness]);
                break;
            case kContrast:
                p = blend(p, mean, q.jitter[kContrast]);
                break;
            case kSaturation:
                p = blend(p, grey(p), q.jitter[kSaturation]);
                break;
            case kHue:
                p = with_hue(p, q.jitter[kHue]);
                break;
            default:
                break;
        }
    }
    return p;
}

CAMBIUM_DEVICE Rgb pixel_at(const std::uint8_t* bytes) {
    return {static_cast<float>(dev::load_nc(bytes)) / 255.0f, static_cast<float>(dev::load_nc(bytes + 1)) / 255.0f,
            static_cast<float>(dev::load_nc(bytes + 2)) / 255.0f};
}

}  // namespace cambium::augment
