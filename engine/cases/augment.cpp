// Augmentation: tables in which every row does something else, with rectangles that reach over the border and partners
// that are not in the batch.
#include <cstring>

#include "engine/cases/case.h"

namespace cambium::cases {
namespace {

using namespace ops;
using Rows = std::vector<AugmentParameters>;

float whole(RandomStream& random, std::int64_t low, std::int64_t high) {
    return static_cast<float>(between(random, low, high));
}

// Flip, rectangles, partner; the rest of the row changes nothing.
AugmentParameters geometry(RandomStream& random, const Shape& images) {
    const std::int64_t N = images[0], H = images[1], W = images[2];
    AugmentParameters row{.flip = flip(random) ? 1.0f : 0.0f};
    if (flip(random)) {
        row.erase_top = whole(random, -1, H), row.erase_height = whole(random, 0, H + 1);
        row.erase_left = whole(random, -1, W), row.erase_width = whole(random, 0, W + 1);
    }
    row.partner = whole(random, -1, N);
    if (flip(random)) {
        row.cut_top = whole(random, 0, H - 1), row.cut_height = whole(random, 0, H);
        row.cut_left = whole(random, 0, W - 1), row.cut_width = whole(random, 0, W);
    }
    return row;
}

void draw_jitter(RandomStream& random, Augment::Contrast contrast, AugmentParameters& row) {
    const std::int64_t first = between(random, 0, 3);
    int place = 0;
    for (std::int64_t i = 0; i < 4; ++i) {  // some steps, in an order that begins anywhere and goes up or down
        const std::int64_t step = flip(random) ? (first + i) % 4 : -1;
        const bool left_out = step == AugmentParameters::contrast && contrast == Augment::Contrast::none;
        if (step >= 0 && !left_out) row.order[place++] = static_cast<float>(step);
    }
    if (flip(random)) std::swap(row.order[0], row.order[place > 0 ? place - 1 : 0]);
    for (float& factor : row.jitter) factor = static_cast<float>(random.uniform(0, 2));
    row.jitter[AugmentParameters::hue] = static_cast<float>(random.uniform(-1, 1));
}

Instance instance(const Augment& op, const Shape& images, const Rows& rows) {
    const Shape shape{images[0], AugmentParameters::columns};
    std::vector<float> table(static_cast<std::size_t>(shape.count()));
    std::memcpy(table.data(), rows.data(), table.size() * sizeof(float));
    return {
        op,
        {{.shape = images, .fill = Fill::bytes}, {.shape = shape, .storage = Storage::full, .given = std::move(table)}},
        {}};
}

Shape any_images(RandomStream& random) {
    return {between(random, 1, 4), between(random, 1, 9), between(random, 1, 21), 3};
}

Instance augment(RandomStream& random) {
    Augment op{.contrast = flip(random) ? Augment::Contrast::possible : Augment::Contrast::none};
    for (float& scale : op.normalization.scale) scale = static_cast<float>(random.uniform(0.01, 0.02));
    for (float& shift : op.normalization.shift) shift = static_cast<float>(random.uniform(-2, 2));
    for (float& fill : op.fill) fill = static_cast<float>(random.uniform(0, 255));
    op.normalization.order = flip(random) ? ChannelOrder::rgb : ChannelOrder::bgr;
    const Shape images = any_images(random);
    Rows rows;
    for (std::int64_t n = 0; n < images[0]; ++n) {
        rows.push_back(geometry(random, images));
        draw_jitter(random, op.contrast, rows.back());
        if (flip(random)) rows.back().mix = static_cast<float>(random.uniform(0, 1));
    }
    return instance(op, images, rows);
}

// Without colours, and mixed by halves and quarters: nothing rounds.
Instance augment_whole(RandomStream& random) {
    Augment op{.contrast = Augment::Contrast::none};
    for (float& scale : op.normalization.scale) scale = whole(random, 1, 3);
    for (float& shift : op.normalization.shift) shift = whole(random, -100, 100);
    for (float& fill : op.fill) fill = whole(random, 0, 255);
    op.normalization.order = flip(random) ? ChannelOrder::rgb : ChannelOrder::bgr;
    const Shape images = any_images(random);
    Rows rows;
    for (std::int64_t n = 0; n < images[0]; ++n) {
        rows.push_back(geometry(random, images));
        rows.back().mix = one_of(random, {1.0f, 0.5f, 0.25f});
    }
    return instance(op, images, rows);
}

}  // namespace

std::vector<OpCase> augment_cases() {
    using enum OpCase::Integers;
    return {{"augment", augment}, {"augment without colours", augment_whole, exact}};
}

}  // namespace cambium::cases
