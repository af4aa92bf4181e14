// Drawing: torchvision's distributions from our counter-based random numbers.
#include <algorithm>
#include <cmath>

#include "data/images/augment.h"
#include "engine/base/fail.h"

namespace cambium {

namespace {

constexpr int tries = 10;  // torchvision's, for crops and for erasing

double log_uniform(Range range, RandomStream& random) {
    return std::exp(random.uniform(std::log(range.low), std::log(range.high)));
}

// Python's round(): half to even, which is the floating-point environment's default.
int round_to_int(double value) { return static_cast<int>(std::nearbyint(value)); }

// Uniform in [0, bound), for bound >= 1.
int below(int bound, RandomStream& random) { return static_cast<int>(random.below(static_cast<std::uint32_t>(bound))); }

void draw_jitter(const Augmentation& augmentation, RandomStream& random, AugmentParameters& parameters) {
    const std::array spread{augmentation.brightness, augmentation.contrast, augmentation.saturation, augmentation.hue};
    std::array<std::size_t, 4> order{0, 1, 2, 3};
    for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
    std::size_t used = 0;
    for (std::size_t step : order)
        if (spread[step] > 0) parameters.order[used++] = static_cast<float>(step);
    for (std::size_t step = 0; step < spread.size(); ++step) {
        if (spread[step] <= 0) continue;
        const bool shifts = step == AugmentParameters::hue;
        const double low = shifts ? -spread[step] : std::max(0.0, 1.0 - spread[step]);
        const double high = shifts ? spread[step] : 1.0 + spread[step];
        parameters.jitter[step] = static_cast<float>(random.uniform(low, high));
    }
}

// RandomErasing.get_params; after ten tries that do not fit, nothing is erased.
void draw_erasing(const Augmentation& augmentation, RandomStream& random, AugmentParameters& parameters) {
    if (random.uniform() >= augmentation.erase) return;
    const int side = augmentation.size;
    for (int i = 0; i < tries; ++i) {
        const double area = random.uniform(augmentation.erase_area.low, augmentation.erase_area.high) * side * side;
        const double ratio = log_uniform(augmentation.erase_ratio, random);
        const int height = round_to_int(std::sqrt(area * ratio)), width = round_to_int(std::sqrt(area / ratio));
        if (height >= side || width >= side) continue;
        parameters.erase_height = static_cast<float>(height);
        parameters.erase_width = static_cast<float>(width);
        parameters.erase_top = static_cast<float>(below(side - height + 1, random));
        parameters.erase_left = static_cast<float>(below(side - width + 1, random));
        return;
    }
}

// Gamma(shape, 1): Marsaglia and Tsang 2000, with their boost for shapes below 1.
double gamma(double shape, RandomStream& random) {
    if (shape < 1) {
        const double larger = gamma(shape + 1, random);
        return larger * std::pow(1.0 - random.uniform(), 1.0 / shape);  // 1 - u is never zero
    }
    const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
    while (true) {
        const double x = random.normal(), v = std::pow(1.0 + c * x, 3);
        if (v > 0 && std::log(1.0 - random.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
    }
}

double beta(double alpha, RandomStream& random) {
    const double a = gamma(alpha, random), b = gamma(alpha, random);
    return a + b > 0 ? a / (a + b) : 0.5;  // a tiny alpha can underflow both
}

// CutMix.make_params: a box of area 1 - weight around a random point, cut off at the border.
void cut(double weight, int side, RandomStream& random, std::span<AugmentParameters> batch) {
    const int x = below(side, random), y = below(side, random);
    const int half = static_cast<int>(0.5 * std::sqrt(1.0 - weight) * side);
    const int left = std::max(x - half, 0), right = std::min(x + half, side);
    const int top = std::max(y - half, 0), bottom = std::min(y + half, side);
    const double share = static_cast<double>(right - left) * (bottom - top) / (static_cast<double>(side) * side);
    for (AugmentParameters& row : batch) {
        row.cut_left = static_cast<float>(left);
        row.cut_top = static_cast<float>(top);
        row.cut_width = static_cast<float>(right - left);
        row.cut_height = static_cast<float>(bottom - top);
        row.label = static_cast<float>(1.0 - share);
    }
}

}  // namespace

void require_valid(const Augmentation& a) {
    const auto probability = [](const char* name, double value) {
        if (!(value >= 0 && value <= 1))
            fail_usage("augmentation: {} is {}, and a probability is from 0 to 1", name, value);
    };
    const auto range = [](const char* name, Range value, double largest) {
        if (!(value.low > 0 && value.low <= value.high && value.high <= largest))
            fail_usage("augmentation: {} runs from {} to {}; it must rise, be above 0 and at most {}", name, value.low,
                       value.high, largest);
    };
    const auto spread = [](const char* name, double value, double largest) {
        if (!(value >= 0 && value <= largest))
            fail_usage("augmentation: {} is {}, and must be from 0 to {}", name, value, largest);
    };
    constexpr double large = 1e6;
    if (a.size < 1 || a.size > 1 << 15) fail_usage("augmentation: a side of {} pixels", a.size);
    probability("flip", a.flip);
    probability("erase", a.erase);
    range("crop_area", a.crop_area, 1.0);
    range("crop_ratio", a.crop_ratio, large);
    range("erase_area", a.erase_area, 1.0);
    range("erase_ratio", a.erase_ratio, large);
    spread("brightness", a.brightness, large);
    spread("contrast", a.contrast, large);
    spread("saturation", a.saturation, large);
    spread("hue", a.hue, 0.5);
    spread("mixup", a.mixup, large);
    spread("cutmix", a.cutmix, large);
}

Box draw_crop(Size image, const Augmentation& augmentation, RandomStream& random) {
    const double area = static_cast<double>(image.width) * image.height;
    for (int i = 0; i < tries; ++i) {
        const double target = area * random.uniform(augmentation.crop_area.low, augmentation.crop_area.high);
        const double ratio = log_uniform(augmentation.crop_ratio, random);
        const int width = round_to_int(std::sqrt(target * ratio)), height = round_to_int(std::sqrt(target / ratio));
        if (width < 1 || width > image.width || height < 1 || height > image.height) continue;
        const int top = below(image.height - height + 1, random);
        const int left = below(image.width - width + 1, random);
        return {left, top, width, height};
    }
    const double ratio = static_cast<double>(image.width) / image.height;
    int width = image.width, height = image.height;
    if (ratio < augmentation.crop_ratio.low) height = round_to_int(width / augmentation.crop_ratio.low);
    if (ratio > augmentation.crop_ratio.high) width = round_to_int(height * augmentation.crop_ratio.high);
    width = std::clamp(width, 1, image.width);
    height = std::clamp(height, 1, image.height);
    return {(image.width - width) / 2, (image.height - height) / 2, width, height};
}

AugmentParameters draw_parameters(const Augmentation& augmentation, RandomStream& random) {
    AugmentParameters parameters;
    parameters.flip = random.uniform() < augmentation.flip ? 1.0f : 0.0f;
    draw_jitter(augmentation, random, parameters);
    draw_erasing(augmentation, random, parameters);
    return parameters;
}

void draw_mixing(const Augmentation& augmentation, RandomStream& random, std::span<AugmentParameters> batch) {
    const bool mixup = augmentation.mixup > 0, cutmix = augmentation.cutmix > 0;
    if ((!mixup && !cutmix) || batch.empty()) return;
    const bool cuts = cutmix && (!mixup || random.uniform() < 0.5);
    const double weight = beta(cuts ? augmentation.cutmix : augmentation.mixup, random);
    for (std::size_t i = 0; i < batch.size(); ++i) {
        batch[i].partner = static_cast<float>((i + batch.size() - 1) % batch.size());
        if (!cuts) batch[i].mix = batch[i].label = static_cast<float>(weight);
    }
    if (cuts) cut(weight, augmentation.size, random, batch);
}

}  // namespace cambium
