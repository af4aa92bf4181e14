#include "data/images/transforms.h"

#include <algorithm>

#include "data/images/resize.h"
#include "engine/base/fail.h"
#include "engine/base/parallel.h"

namespace cambium {

namespace {

std::size_t square_bytes(int side) {
    if (side < 1) fail("cannot prepare an image: a side of {} pixels", side);
    return static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * Image::channels;
}

void require_bytes(std::span<const std::uint8_t> out, int side) {
    if (out.size() != square_bytes(side))
        fail("cannot prepare an image: a square of {} pixels takes {} bytes, and {} were given", side,
             square_bytes(side), out.size());
}

}  // namespace

void prepare_for_evaluation(const Image& image, const Preprocessing& preprocessing, std::span<std::uint8_t> out) {
    const int side = preprocessing.crop;
    require_bytes(out, side);
    const Size size = preprocessing.resize > 0 ? resized_size(image.size(), preprocessing.resize) : image.size();
    const Box crop = center_crop(size, side);
    const int left = std::max(crop.left, 0), top = std::max(crop.top, 0);
    const Box window{left, top, std::min(crop.left + side, size.width) - left,
                     std::min(crop.top + side, size.height) - top};
    if (window.width < side || window.height < side) std::ranges::fill(out, std::uint8_t{0});
    const std::size_t stride = static_cast<std::size_t>(side) * Image::channels;
    const std::size_t origin = static_cast<std::size_t>(top - crop.top) * stride +
                               static_cast<std::size_t>(left - crop.left) * Image::channels;
    resize(image,
           {.source = {0, 0, image.width(), image.height()},
            .size = size,
            .window = window,
            .interpolation = preprocessing.interpolation},
           out.data() + origin, stride);
}

Tensor prepare_for_evaluation(std::span<const Image> images, const Preprocessing& preprocessing) {
    const std::int64_t side = preprocessing.crop;
    Tensor result({static_cast<std::int64_t>(images.size()), side, side, 3}, DType::u8);
    const std::span<std::uint8_t> pixels = result.values<std::uint8_t>();
    const std::size_t bytes = square_bytes(preprocessing.crop);
    parallel_for(static_cast<std::int64_t>(images.size()), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
            prepare_for_evaluation(images[i], preprocessing, pixels.subspan(i * bytes, bytes));
    });
    return result;
}

void resized_crop(const Image& image, Box box, int side, Interpolation interpolation, std::span<std::uint8_t> out) {
    require_bytes(out, side);
    resize(image, {.source = box, .size = {side, side}, .window = {0, 0, side, side}, .interpolation = interpolation},
           out.data(), static_cast<std::size_t>(side) * Image::channels);
}

Tensor to_tensor(const Image& image) { return Tensor({image.height(), image.width(), 3}, image.pixels()); }

}  // namespace cambium
