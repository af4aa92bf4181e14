#include "tests/kernels/augment/cases.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "engine/backends/reference/reference.h"
#include "engine/base/philox.h"
#include "tests/kernels/rule.h"

namespace cambium::test {
namespace {

template <class T>
std::vector<float> run_typed(const AugmentCase& c, const std::vector<std::uint8_t>& pixels) {
    constexpr std::size_t kMargin = 16;
    const auto skew = static_cast<std::size_t>(c.skew);
    dev::Stream stream;
    const dev::Buffer<std::uint8_t> images(pixels, stream, "images");
    const dev::Buffer<augment::Parameters> table(c.table, stream, "table");
    std::vector<T> host(skew + pixels.size() + kMargin, T(-77.0f));
    dev::Buffer<T> y(host, stream, "y");
    dev::Buffer<std::byte> workspace(augment::workspace_bytes(c.batch), "workspace");
    augment::run(c.batch, images.data(), table.data(), y.data() + skew, {workspace.data(), workspace.size()}, stream);
    y.download(host, stream);
    std::vector<float> found = widened(host);
    const auto untouched = [](float x) { return x == -77.0f; };
    const auto begin = found.begin() + c.skew, end = found.end() - kMargin;
    if (!std::all_of(found.begin(), begin, untouched) || !std::all_of(end, found.end(), untouched)) {
        throw std::runtime_error("written beside y: " + c.text());
    }
    return {begin, end};
}

// What the number-th case draws from: every augmentation alone, then everything.
Augmentation augmentation_of(int number, int side) {
    Augmentation a{.size = side, .flip = 0};
    const int kind = number % 9;
    if (kind == 0) a.flip = 1;
    if (kind == 1) a.brightness = 0.8;
    if (kind == 2) a.contrast = 0.8;
    if (kind == 3) a.saturation = 0.8;
    if (kind == 4) a.hue = 0.5;
    if (kind == 5) a.erase = 1;
    if (kind == 6) a.mixup = 0.4;
    if (kind == 7) a.cutmix = 1;
    if (kind == 8) {
        a = {.size = side, .flip = 0.5, .brightness = 0.4, .contrast = 0.4, .saturation = 0.4, .hue = 0.1};
        a.erase = 0.5, a.mixup = 0.4, a.cutmix = 1;
    }
    return a;
}

}  // namespace

std::string AugmentCase::text() const {
    return "[" + std::to_string(batch.images) + ", " + std::to_string(batch.height) + ", " +
           std::to_string(batch.width) + ", 3] " + std::string(name_of(batch.dtype)) +
           (batch.order == augment::ChannelOrder::bgr ? " bgr" : "") +
           (batch.variant == augment::Variant::plain ? " plain" : "") + " skew " + std::to_string(skew) + " seed " +
           std::to_string(seed);
}

std::vector<std::uint8_t> pixels_of(const AugmentCase& c) {
    RandomStream random(c.seed, hash_name("augment pixels", 14));
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(c.batch.images * c.batch.height * c.batch.width * 3));
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        pixels[i] = static_cast<std::uint8_t>(random.below(256));
        if (i % 21 < 3) pixels[i] = pixels[i / 3 * 3];  // some greys, which have no hue
    }
    return pixels;
}

std::vector<double> on_reference(const AugmentCase& c, const std::vector<std::uint8_t>& pixels) {
    const bool rgb = c.batch.order == augment::ChannelOrder::rgb;
    const ops::Augment op{.normalization = {.scale = c.batch.scale,
                                            .shift = c.batch.shift,
                                            .order = rgb ? ops::ChannelOrder::rgb : ops::ChannelOrder::bgr},
                          .fill = c.batch.fill};
    const Shape shape{c.batch.images, c.batch.height, c.batch.width, 3};
    const Tensor images(shape, std::span<const std::uint8_t>(pixels));
    const Tensor table = to_table(c.table).converted(DType::f64);
    Tensor y(shape, DType::f64);
    const auto address = [](const Tensor& tensor) { return const_cast<std::byte*>(tensor.bytes().data()); };
    reference::run(op, {{images.spec(), table.spec()}, {y.spec()}, {address(images), address(table)}, {address(y)}});
    const auto values = std::as_const(y).values<double>();
    return {values.begin(), values.end()};
}

std::vector<float> on_device(const AugmentCase& c, const std::vector<std::uint8_t>& pixels) {
    return c.batch.dtype == DType::f32 ? run_typed<float>(c, pixels) : run_typed<bf16>(c, pixels);
}

AugmentCase random_case(int number, int largest_side) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("augment case", 12));
    const auto side = [&] { return 1 + static_cast<int>(random.below(static_cast<std::uint32_t>(largest_side))); };
    AugmentCase c;
    c.batch.images = 1 + random.below(4);
    c.batch.height = side(), c.batch.width = random.below(2) == 0 ? (side() + 3) / 4 * 4 : side();
    c.batch.dtype = random.below(2) == 0 ? DType::f32 : DType::bf16;
    c.batch.order = random.below(2) == 0 ? augment::ChannelOrder::rgb : augment::ChannelOrder::bgr;
    for (std::size_t i = 0; i < 3; ++i) {
        c.batch.scale[i] = static_cast<float>(random.uniform(0.01, 0.02));
        c.batch.shift[i] = static_cast<float>(random.uniform(-2, 2));
        c.batch.fill[i] = static_cast<float>(random.uniform(0, 255));
    }
    const int square = static_cast<int>(std::min(c.batch.height, c.batch.width));
    const Augmentation augmentation = augmentation_of(number, square);
    for (std::int64_t i = 0; i < c.batch.images; ++i) c.table.push_back(draw_parameters(augmentation, random));
    draw_mixing(augmentation, random, c.table);
    c.skew = random.below(3) == 0 ? static_cast<int>(1 + random.below(3)) : 0;
    c.seed = static_cast<std::uint32_t>(number);
    return c;
}

}  // namespace cambium::test
