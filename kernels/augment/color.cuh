// What a pixel goes through alone: torchvision's adjust_* step by step, on RGB in 0..255 instead of 0..1.
#pragma once

#include "kernels/augment/augment.h"
#include "kernels/gpu.h"

namespace cambium::augment {

struct Rgb {
    float r, g, b;
};

CAMBIUM_DEVICE float clamped(float x) { return fminf(fmaxf(x, 0.0f), 255.0f); }
CAMBIUM_DEVICE float blend(float x, float other, float factor) { return clamped(factor * x + (1.0f - factor) * other); }
CAMBIUM_DEVICE Rgb blend(Rgb p, float other, float factor) {
    return {blend(p.r, other, factor), blend(p.g, other, factor), blend(p.b, other, factor)};
}
CAMBIUM_DEVICE float grey(Rgb p) { return 0.2989f * p.r + 0.587f * p.g + 0.114f * p.b; }

// Hue in turns and saturation in 0..1, value in 0..255.
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
    const float p = clamped(v * (1.0f - hsv.s));
    const float q = clamped(v * (1.0f - hsv.s * f));
    const float t = clamped(v * (1.0f - hsv.s * (1.0f - f)));
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

CAMBIUM_DEVICE int step_at(const Parameters& q, int place) {
    return q.order[place] < 0.0f ? -1 : min(static_cast<int>(q.order[place]), int{Parameters::hue});
}

// Places below `end` of the order of application.
CAMBIUM_DEVICE Rgb jittered(Rgb p, const Parameters& q, float mean, int end) {
    for (int place = 0; place < end; ++place) {
        switch (step_at(q, place)) {
            case Parameters::brightness:
                p = blend(p, 0.0f, q.jitter[Parameters::brightness]);
                break;
            case Parameters::contrast:
                p = blend(p, mean, q.jitter[Parameters::contrast]);
                break;
            case Parameters::saturation:
                p = blend(p, grey(p), q.jitter[Parameters::saturation]);
                break;
            case Parameters::hue:
                p = with_hue(p, q.jitter[Parameters::hue]);
                break;
            default:
                break;
        }
    }
    return p;
}

CAMBIUM_DEVICE Rgb pixel_at(const std::uint8_t* bytes) {
    return {static_cast<float>(dev::load_nc(bytes)), static_cast<float>(dev::load_nc(bytes + 1)),
            static_cast<float>(dev::load_nc(bytes + 2))};
}

}  // namespace cambium::augment
