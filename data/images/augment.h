// Augmentation: what training changes in a photo at random. Everything random is drawn here, on the host, keyed by
// (seed, epoch, sample). The random resized crop is then applied by the loader's threads (PIL semantics); all else is a
// plain table, which the operator `augment` (engine/ops/augment.h) applies as part of the training step.
#pragma once

#include <span>
#include <vector>

#include "data/images/image.h"
#include "data/images/preprocessing.h"
#include "engine/base/augment_parameters.h"
#include "engine/base/philox.h"
#include "engine/tensor/tensor.h"

namespace cambium {

struct Range {
    double low, high;
};

// What to draw from; the defaults are random resized crop and flip. Names and meanings are torchvision's.
struct Augmentation {
    int size = 224;  // side of the crop after resizing, in pixels
    Interpolation interpolation = Interpolation::bilinear;
    Range crop_area{0.08, 1.0};              // share of the photo's area
    Range crop_ratio{3.0 / 4.0, 4.0 / 3.0};  // width / height, log-uniform
    double flip = 0.5;                       // probability of a left-right flip
    // ColorJitter: factors uniform in [max(0, 1 - x), 1 + x], the hue's shift in [-x, x] turns (x at most 0.5); 0:
    // none.
    double brightness = 0, contrast = 0, saturation = 0, hue = 0;
    double erase = 0;  // RandomErasing's probability (Zhong et al. 2017)
    Range erase_area{0.02, 0.33};
    Range erase_ratio{0.3, 3.3};  // height / width, log-uniform
    // Alpha of Beta(alpha, alpha), 0: none. With both, every batch gets one of the two, with equal chances.
    double mixup = 0;   // Zhang et al. 2017
    double cutmix = 0;  // Yun et al. 2019
};

// Throws UsageError if a probability, range or size makes no sense.
void require_valid(const Augmentation& augmentation);

// RandomResizedCrop.get_params: ten tries, then the largest central crop of an allowed ratio.
Box draw_crop(Size image, const Augmentation& augmentation, RandomStream& random);
// Flip, jitter and erasing for one sample of `augmentation.size`.
AugmentParameters draw_parameters(const Augmentation& augmentation, RandomStream& random);
// Mixup or cutmix for a batch: one weight for all, partners as torchvision pairs them (row i with row i - 1).
void draw_mixing(const Augmentation& augmentation, RandomStream& random, std::span<AugmentParameters> batch);

// The table as the operator reads it: f32 [N, columns], a row's fields in the order of the struct.
Tensor to_table(std::span<const AugmentParameters> parameters);
// f32 [N, classes]: one-hot labels (i32 [N]) mixed as `parameters` say. Throws Error if a label is not below `classes`.
Tensor mixed_labels(const Tensor& labels, std::span<const AugmentParameters> parameters, int classes);

}  // namespace cambium
