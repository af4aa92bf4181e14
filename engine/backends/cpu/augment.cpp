// Augmentation line by line: a thread takes a line of a photo, and of the partner where the row mixes, through every
// step in the nearest cache. The grey means that contrast needs come first, from sums over lines.
#include <algorithm>
#include <array>

#include "engine/backends/cpu/kernels.h"
#include "engine/backends/cpu/prepare.h"
#include "engine/base/parallel.h"

namespace cambium::cpu {
namespace {

const AugmentKernels& table() { return kernels().augment; }

// [begin, end) of a rectangle's side, cut off at the photo's border.
struct Side {
    std::int64_t begin, end;
    Side(float first, float length, std::int64_t extent)
        : begin(std::clamp(static_cast<std::int64_t>(first), std::int64_t{0}, extent)),
          end(std::clamp(static_cast<std::int64_t>(first + length), begin, extent)) {}
    bool holds(std::int64_t at) const { return at >= begin && at < end; }
};

int step_at(const AugmentParameters& row, int place) {
    return row.order[place] < 0 ? -1 : std::min(static_cast<int>(row.order[place]), int{AugmentParameters::hue});
}

// Where in its order a row adjusts contrast; 4: nowhere.
int place_of_contrast(const AugmentParameters& row) {
    int place = 0;
    while (place < 4 && step_at(row, place) != AugmentParameters::contrast) ++place;
    return place;
}

class Augmenter {
  public:
    Augmenter(const ops::Augment& op, const NodeSpec& node)
        : op_(op),
          photos_(node.inputs[0].tensor.shape[0]),
          height_(node.inputs[0].tensor.shape[1]),
          width_(node.inputs[0].tensor.shape[2]),
          dtype_(node.outputs[0].tensor.dtype) {
        if (op.normalization.order == ops::ChannelOrder::bgr) channels_ = {2, 1, 0};
    }

    bool has_means() const { return op_.contrast == ops::Augment::Contrast::possible; }
    std::size_t workspace_bytes() const {  // a mean of every photo, a sum of every line
        return has_means() ? static_cast<std::size_t>(photos_ * (1 + height_)) * sizeof(double) : 0;
    }

    void run(const Operands& operands) const {
        if (has_means()) find_means(operands);
        for_lines([&](std::int64_t photo, std::int64_t y, float* x, float* buffer) {
            const AugmentParameters& row = operands.in<AugmentParameters>(1)[photo];
            line_alone(operands, photo, y, x);
            mix(operands, row, photo, y, x, buffer);
            const std::int64_t first = (photo * height_ + y) * width_ * 3;
            const bool low = dtype_ == DType::bf16;
            float* out = low ? buffer : operands.out<float>(0) + first;
            const ops::Normalize& to = op_.normalization;
            table().join(x, out, width_, to.scale.data(), to.shift.data(), channels_.data());
            if (low) kernels().elementwise.narrow(out, operands.out<bf16>(0) + first, width_ * 3);
        });
    }

  private:
    // Calls line(photo, y, x, buffer) for every line of the batch; x and buffer have room for one.
    template <class Line>
    void for_lines(Line line) const {
        const std::int64_t floats = width_ * 3;
        parallel_for(photos_ * height_, std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, floats)),
                     [&](std::int64_t begin, std::int64_t end) {
                         std::vector<float> memory(static_cast<std::size_t>(2 * floats));
                         for (std::int64_t i = begin; i < end; ++i) {
                             line(i / height_, i % height_, memory.data(), memory.data() + floats);
                         }
                     });
    }

    // A photo's line after the flip and the places of its row's order below `end`.
    void jittered(const Operands& operands, std::int64_t photo, std::int64_t y, int end, float* x) const {
        const AugmentParameters& row = operands.in<AugmentParameters>(1)[photo];
        const std::uint8_t* pixels = operands.in<std::uint8_t>(0) + (photo * height_ + y) * width_ * 3;
        (row.flip != 0 ? table().split_mirrored : table().split)(pixels, x, width_);
        for (int place = 0; place < end; ++place) {
            const int step = step_at(row, place);
            if (step < 0) continue;
            const float factor = row.jitter[step];
            if (step == AugmentParameters::brightness) table().blend(x, 0, factor, width_);
            if (step == AugmentParameters::contrast) table().blend(x, mean(operands, photo), factor, width_);
            if (step == AugmentParameters::saturation) table().saturate(x, factor, width_);
            if (step == AugmentParameters::hue) table().turn_hue(x, factor, width_);
        }
    }

    float mean(const Operands& operands, std::int64_t photo) const {
        return has_means() ? static_cast<float>(operands.scratch<double>()[photo]) : 0.0f;
    }

    // The line up to and with erasing.
    void line_alone(const Operands& operands, std::int64_t photo, std::int64_t y, float* x) const {
        const AugmentParameters& row = operands.in<AugmentParameters>(1)[photo];
        jittered(operands, photo, y, 4, x);
        if (!Side(row.erase_top, row.erase_height, height_).holds(y)) return;
        const Side side(row.erase_left, row.erase_width, width_);
        for (std::size_t c = 0; c < 3; ++c, x += width_) std::fill(x + side.begin, x + side.end, op_.fill[c]);
    }

    void mix(const Operands& operands, const AugmentParameters& row, std::int64_t photo, std::int64_t y, float* x,
             float* other) const {
        const bool cuts = Side(row.cut_top, row.cut_height, height_).holds(y);
        if (row.mix == 1 && !cuts) return;
        const bool pairs = row.partner >= 0 && row.partner < static_cast<float>(photos_);
        line_alone(operands, pairs ? static_cast<std::int64_t>(row.partner) : photo, y, other);
        if (row.mix != 1) table().mix(x, other, row.mix, width_);
        if (!cuts) return;
        const Side side(row.cut_left, row.cut_width, width_);
        for (int c = 0; c < 3; ++c, x += width_, other += width_)
            std::copy(other + side.begin, other + side.end, x + side.begin);
    }

    void find_means(const Operands& operands) const {
        double *means = operands.scratch<double>(), *sums = means + photos_;
        const auto* rows = operands.in<AugmentParameters>(1);
        for_lines([&](std::int64_t photo, std::int64_t y, float* x, float*) {
            const int place = place_of_contrast(rows[photo]);
            if (place == 4) return;
            jittered(operands, photo, y, place, x);
            sums[photo * height_ + y] = table().grey_sum(x, width_);
        });
        for (std::int64_t photo = 0; photo < photos_; ++photo) {
            if (place_of_contrast(rows[photo]) == 4) continue;
            double sum = 0;
            for (std::int64_t y = 0; y < height_; ++y) sum += sums[photo * height_ + y];
            means[photo] = sum / static_cast<double>(height_ * width_);
        }
    }

    ops::Augment op_;
    std::int64_t photos_, height_, width_;
    DType dtype_;
    std::array<int, 3> channels_{0, 1, 2};
};

}  // namespace

Prepared prepare(const ops::Augment& op, const NodeSpec& node) {
    const Augmenter augmenter(op, node);
    auto step = make_step(node, [augmenter](const Operands& operands) { augmenter.run(operands); });
    step->workspace_bytes = augmenter.workspace_bytes();
    return step;
}

}  // namespace cambium::cpu
