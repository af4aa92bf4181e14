// The CPU backend's augmentation, once per instruction set: photos as wide as real ones within rounding of the
// reference, the bits of normalisation where a row only flips, and the same bits with any number of threads.
#include <doctest/doctest.h>

#include <algorithm>

#include "data/images/augment.h"
#include "engine/backends/backend.h"
#include "engine/base/parallel.h"
#include "tests/compare.h"
#include "tests/engine/cpu_harness.h"

using namespace cambium;
using namespace cambium::test;

namespace {

struct Batch {
    Tensor images, table;
};

// Noise, with greys, which have no hue, and a table drawn as training draws it.
Batch drawn(const Shape& shape, const Augmentation& augmentation, std::uint64_t key) {
    RandomStream random(7, 8, key);
    Batch batch{Tensor(shape, DType::u8), {}};
    const auto pixels = batch.images.values<std::uint8_t>();
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        pixels[i] = static_cast<std::uint8_t>(random.below(256));
        if (i % 21 < 3) pixels[i] = pixels[i / 3 * 3];
    }
    std::vector<AugmentParameters> rows;
    for (std::int64_t n = 0; n < shape[0]; ++n) rows.push_back(draw_parameters(augmentation, random));
    draw_mixing(augmentation, random, rows);
    batch.table = to_table(rows);
    return batch;
}

ops::Augment imagenet() {
    ops::Augment op{.fill = {123.675f, 116.28f, 103.53f}};
    op.normalization = {.scale = {0.0171f, 0.0175f, 0.0174f}, .shift = {-2.118f, -2.036f, -1.804f}};
    return op;
}

Tensor run(Backend& backend, const Op& op, const std::vector<Tensor>& inputs, DType dtype) {
    return run_node(backend, node_of(op, inputs, {}, {dtype}), inputs).outputs[0].clone();
}
Tensor run(Backend& backend, const ops::Augment& op, const Batch& batch, DType dtype) {
    std::vector<Tensor> inputs;
    inputs.push_back(batch.images.clone());
    inputs.push_back(dtype == DType::f64 ? batch.table.converted(dtype) : batch.table.clone());
    return run(backend, op, inputs, dtype);
}

Tensor mirrored(const Tensor& images, const Tensor& table) {
    Tensor result = images.clone();
    const std::int64_t lines = images.shape()[0] * images.shape()[1], width = images.shape()[2];
    for (std::int64_t line = 0; line < lines; ++line) {
        const std::int64_t row = line / images.shape()[1] * AugmentParameters::columns;
        if (table.values<float>()[static_cast<std::size_t>(row)] == 0) continue;
        const auto from = images.values<std::uint8_t>().subspan(static_cast<std::size_t>(line * width * 3));
        const auto to = result.values<std::uint8_t>().subspan(static_cast<std::size_t>(line * width * 3));
        for (std::int64_t x = 0; x < width; ++x) {
            const auto target = to.begin() + 3 * (width - 1 - x);
            std::copy_n(from.begin() + 3 * x, 3, target);
        }
    }
    return result;
}

}  // namespace

TEST_CASE("every augmentation alone, and all of them, agree with the reference on photos of 67 x 224 pixels") {
    const std::unique_ptr<Backend> cpu = make_cpu_backend(), reference = make_reference_backend();
    const Shape shape{3, 67, 224, 3};
    const std::vector<Augmentation> augmentations{
        {.size = 67, .brightness = 0.8},
        {.size = 67, .contrast = 0.8},
        {.size = 67, .saturation = 0.8},
        {.size = 67, .hue = 0.5},
        {.size = 67, .erase = 1},
        {.size = 67, .mixup = 0.4},
        {.size = 67, .cutmix = 1},
        {.size = 67, .brightness = 0.4, .contrast = 0.4, .saturation = 0.4, .hue = 0.1, .erase = 0.5, .mixup = 0.4}};
    for (std::size_t i = 0; i < augmentations.size(); ++i) {
        CAPTURE(i);
        const Batch batch = drawn(shape, augmentations[i], i);
        const Tensor expected = run(*reference, imagenet(), batch, DType::f64);
        CHECK(compare(run(*cpu, imagenet(), batch, DType::f32), expected,
                      absolute(1e-5, "f32 rounding; values are at most 3, and hue's quotients lose a little more")));
        CHECK(compare(run(*cpu, imagenet(), batch, DType::bf16), expected,
                      relative_to_largest(0x1p-8, "one rounding of the result to bf16")));
    }
}

TEST_CASE("a row that only flips gives the bits of normalize on the flipped photo") {
    const std::unique_ptr<Backend> cpu = make_cpu_backend();
    for (const std::int64_t width : {1, 5, 16, 61, 224}) {
        for (const auto order : {ops::ChannelOrder::rgb, ops::ChannelOrder::bgr}) {
            for (const DType dtype : {DType::f32, DType::bf16}) {
                ops::Augment op = imagenet();
                op.normalization.order = order;
                const Batch batch = drawn({4, 9, width, 3}, {.size = 9}, static_cast<std::uint64_t>(width));
                std::vector<Tensor> inputs;
                inputs.push_back(mirrored(batch.images, batch.table));
                CHECK(compare(run(*cpu, op, batch, dtype), run(*cpu, op.normalization, inputs, dtype),
                              exact("the same product and sum of every pixel")));
            }
        }
    }
}

TEST_CASE("one thread and several give the same bits") {
    const std::unique_ptr<Backend> cpu = make_cpu_backend();
    const Augmentation all{.size = 40, .brightness = 0.4, .contrast = 0.4, .hue = 0.1, .erase = 0.5, .cutmix = 1};
    const Batch batch = drawn({5, 40, 43, 3}, all, 1);
    const int before = thread_count();
    set_thread_count(1);
    const Tensor expected = run(*cpu, imagenet(), batch, DType::f32);
    for (const int threads : {2, 3, 7}) {
        set_thread_count(threads);
        CHECK(compare(run(*cpu, imagenet(), batch, DType::f32), expected, exact("sums run over lines, in order")));
    }
    set_thread_count(before);
}
