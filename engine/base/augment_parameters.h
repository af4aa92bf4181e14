// What is drawn for one photo of a batch: a row of the table that data/ draws and the operator `augment` applies. The
// one definition of its columns, for host and device alike; include it from device code freely.
#pragma once

namespace cambium {

// f32 throughout, so that a table is a tensor f32 [N, columns], its columns in the order below; the defaults change
// nothing. Pixel coordinates are of the photo after the flip.
struct AugmentParameters {
    float flip = 0;                  // 1: mirrored left-right
    float jitter[4]{1, 1, 1, 0};     // brightness, contrast, saturation factors; hue shift in turns
    float order[4]{-1, -1, -1, -1};  // indices into `jitter` in the order of application, each once; -1: nothing
    float erase_top = 0, erase_left = 0, erase_height = 0, erase_width = 0;
    float partner = -1;  // row of the batch to mix with; outside the batch: none
    float mix = 1;       // mixup: mix * own + (1 - mix) * partner
    float cut_top = 0, cut_left = 0, cut_height = 0, cut_width = 0;  // cutmix: this rectangle is the partner's
    float label = 1;  // the own label's share, the partner's has the rest; the loss reads it

    static constexpr int columns = 20;
    enum Jitter : int { brightness, contrast, saturation, hue };
};
static_assert(sizeof(AugmentParameters) == AugmentParameters::columns * sizeof(float));

}  // namespace cambium
