// Augmentation on the reference backend against torchvision's functions on float tensors, and on what only we have:
// several steps and photos at once, drawn as training draws them.
#include <doctest/doctest.h>

#include <algorithm>

#include "data/images/augment.h"
#include "engine/backends/backend.h"
#include "engine/base/error.h"
#include "tests/compare.h"
#include "tests/data/images/golden.h"
#include "tests/engine/cpu_harness.h"

using namespace cambium;
using namespace cambium::test;

namespace {

constexpr Size small{7, 5};
constexpr std::size_t count = 7 * 5 * 3;
const Tolerance rounding = absolute(1e-6, "torchvision computes in f32: a few roundings of values up to one");

// Pixels stay in 0..1, as torchvision's do; erasing writes the mean of ImageNet.
ops::Augment unit() {
    ops::Augment op{.fill = {0.485f * 255, 0.456f * 255, 0.406f * 255}};
    op.normalization.scale.fill(1.0f / 255);
    return op;
}

Tensor noise_batch(std::span<const std::uint32_t> seeds) {
    Tensor images({std::ssize(seeds), small.height, small.width, 3}, DType::u8);
    for (std::size_t row = 0; row < seeds.size(); ++row)
        std::ranges::copy(noise(seeds[row], small).pixels(),
                          images.values<std::uint8_t>().subspan(row * count).begin());
    return images;
}

Tensor augmented(const ops::Augment& op, Tensor images, std::span<const AugmentParameters> rows) {
    std::vector<Tensor> inputs;
    inputs.push_back(std::move(images));
    inputs.push_back(to_table(rows).converted(DType::f64));
    const std::unique_ptr<Backend> backend = make_reference_backend();
    return run_node(*backend, node_of(op, inputs, {}, {DType::f64}), inputs).outputs[0].clone();
}

std::vector<double> numbers(const Words& line, std::size_t from, std::size_t length) {
    std::vector<double> result;
    for (std::size_t i = from; i < from + length && i < line.size(); ++i) result.push_back(std::stod(line[i]));
    return result;
}

// The row of the table that does what a golden line says.
AugmentParameters row_of(const Words& line) {
    AugmentParameters row;
    const auto number = [&](std::size_t word) { return std::stof(line[word]); };
    const std::array<const char*, 4> steps{"adjust_brightness", "adjust_contrast", "adjust_saturation", "adjust_hue"};
    for (std::size_t step = 0; step < 4; ++step) {
        if (line[0] == steps[step]) row.order[0] = static_cast<float>(step), row.jitter[step] = number(2);
        if (line[0] == "jitter") row.order[step] = number(2 + step), row.jitter[step] = number(6 + step);
    }
    if (line[0] == "hflip") row.flip = 1;
    if (line[0] == "erase") {
        row.erase_top = number(2), row.erase_left = number(3), row.erase_height = number(4),
        row.erase_width = number(5);
    }
    if (line[0] == "mixup") row.mix = number(2);
    if (line[0] == "cutmix") {
        row.cut_left = number(2), row.cut_top = number(3), row.cut_width = number(4), row.cut_height = number(5);
    }
    return row;
}

}  // namespace

TEST_CASE("colour operations, flip and erasing equal torchvision's on float tensors") {
    int cases = 0;
    for (const Words& line : golden_lines("augment.txt")) {
        if (line[0] == "mixup" || line[0] == "cutmix" || line[0] == "crops") continue;
        CAPTURE(line[0]);
        CAPTURE(line[1]);
        const std::array seeds{static_cast<std::uint32_t>(std::stoul(line[1]))};
        const Tensor found = augmented(unit(), noise_batch(seeds), std::array{row_of(line)});
        CHECK(compare(found.values<double>(), numbers(line, line.size() - count, count), rounding));
        ++cases;
    }
    CHECK(cases == 31);
}

TEST_CASE("mixup and cutmix equal torchvision's") {
    int cases = 0;
    for (const Words& line : golden_lines("augment.txt")) {
        if (line[0] != "mixup" && line[0] != "cutmix") continue;
        CAPTURE(line[0]);
        std::array<AugmentParameters, 3> rows;
        rows.fill(row_of(line));
        for (std::size_t i = 0; i < 3; ++i) rows[i].partner = static_cast<float>((i + 2) % 3);
        const Tensor found = augmented(unit(), noise_batch(std::array{41u, 42u, 43u}), rows);
        CHECK(compare(found.values<double>().subspan(std::stoul(line[1]) * count, count),
                      numbers(line, line.size() - count - 3, count), rounding));
        ++cases;
    }
    CHECK(cases == 18);
}

TEST_CASE("rows that change nothing leave every pixel, and channels are normalised in the order asked for") {
    ops::Augment op;
    op.normalization = {.scale = {1, 2, 3}, .shift = {0, 10, 20}, .order = ops::ChannelOrder::bgr};
    const Tensor images = noise_batch(std::array{1u, 2u});
    const std::vector<AugmentParameters> rows(2);
    const Tensor found = augmented(op, images.clone(), rows);
    std::vector<Tensor> inputs;
    inputs.push_back(images.clone());
    const std::unique_ptr<Backend> backend = make_reference_backend();
    const NodeRun expected = run_node(*backend, node_of(op.normalization, inputs, {}, {DType::f64}), inputs);
    CHECK(compare(found, expected.outputs[0], exact("the same products and sums")));
}

TEST_CASE("a photo is mixed with what its partner became, not with what it was") {
    std::array<AugmentParameters, 2> rows;
    rows[0].partner = 1, rows[0].mix = 0;
    rows[1].flip = 1, rows[1].order[0] = AugmentParameters::brightness, rows[1].jitter[0] = 0.5f;
    rows[1].erase_height = 2, rows[1].erase_width = 3;
    const Tensor found = augmented(unit(), noise_batch(std::array{3u, 4u}), rows);
    const auto values = found.values<double>();
    CHECK(compare(values.first(count), values.last(count), exact("all of the partner")));
}

TEST_CASE("a table of another size or type is refused, with a sentence") {
    const std::vector<TensorSpec> images{{{2, 4, 5, 3}, DType::u8}};
    const auto error = [&](const TensorSpec& table) {
        return error_of([&] { infer(Op{ops::Augment{}}, std::array{images[0], table}); });
    };
    CHECK(error({{2, AugmentParameters::columns}, DType::f32}).empty());
    CHECK(contains(error({{3, AugmentParameters::columns}, DType::f32}), "the table must have the shape [2, 20]"));
    CHECK(contains(error({{2, 19}, DType::f32}), "the table must have the shape [2, 20]"));
    CHECK(contains(error({{2, AugmentParameters::columns}, DType::bf16}), "the table must be f32, not bf16"));
}
