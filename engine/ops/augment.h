// Augmentation: what training changes at random in photos, as part of its step.
#pragma once

#include "engine/base/augment_parameters.h"
#include "engine/ops/elementwise.h"

namespace cambium::ops {

// Inputs: images u8 [N, H, W, 3] in RGB order, table [N, 20], f32 (or f64), whose rows are AugmentParameters. Output:
// f32 [N, H, W, 3]. Each photo goes through what its row says, in this order and with the formulas of torchvision's
// functions on float tensors (`_functional_tensor.py`), on values in 0..255:
//   flip; colour jitter, every step clamped to 0..255; erasing, which writes `fill`;
//   mixup, mix * own + (1 - mix) * partner, or cutmix, both with a photo of the batch that went through the same;
//   normalisation. A row that only flips gives the bits of Normalize on the flipped photo.
// Rectangles are cut off at the photo's border.
struct Augment {
    static constexpr std::string_view name = "augment";
    Normalize normalization{};
    std::array<float, 3> fill{0, 0, 0};  // RGB in 0..255
    // Whether any row adjusts contrast, which takes a pass of its own for the photo's grey mean; with `none` that is 0.
    enum class Contrast : std::uint8_t { none, possible } contrast = Contrast::possible;
};

CAMBIUM_OPERATOR(Augment)

}  // namespace cambium::ops
