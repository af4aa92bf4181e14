// Augmentation: what training changes in a photo at random. Everything random is drawn here, on the host, keyed by
// (seed, epoch, sample), into a plain table; what is drawn is then applied by the device, or by the functions below,
// which agree with torchvision's on float tensors (`_functional_tensor.py`; its PIL path rounds to bytes between the
// steps).
//
// One sample goes through: random resized crop (loader threads, PIL semantics) -> flip -> colour jitter -> normalise ->
// random erasing -> mixup or cutmix with another sample of the batch that went through the same.
#pragma once

#include <array>
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

// f32 [N, columns], a row's fields in the order of the struct.
Tensor to_table(std::span<const AugmentParameters> parameters);
// f32 [N, classes]: one-hot labels (i32 [N]) mixed as `parameters` say. Throws Error if a label is not below `classes`.
Tensor mixed_labels(const Tensor& labels, std::span<const AugmentParameters> parameters, int classes);

// In place, on RGB pixels in 0..1, [H, W, 3]; torchvision's adjust_* on float tensors.
void adjust_brightness(std::span<float> pixels, float factor);
void adjust_contrast(std::span<float> pixels, float factor);
void adjust_saturation(std::span<float> pixels, float factor);
void adjust_hue(std::span<float> pixels, float shift);
void flip_left_right(std::span<float> pixels, Size size);
void jitter_colors(std::span<float> pixels, const AugmentParameters& parameters);
void erase(std::span<float> pixels, Size size, const AugmentParameters& parameters, std::array<float, 3> fill);

// A whole batch on the host: u8 [N, H, W, 3] to f32 in 0..1, or to u8, rounded to the nearest. `fill` is what erasing
// writes, in 0..1 RGB: the mean of the preprocessing, as zero after normalisation is what torchvision writes.
Tensor augmented(const Tensor& images, std::span<const AugmentParameters> parameters, std::array<float, 3> fill,
                 DType dtype);

}  // namespace cambium
