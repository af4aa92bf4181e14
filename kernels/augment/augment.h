// Augmentation and normalisation of a batch of photos in one pass: the host's side. Everything random has been drawn on
// the host into a table of parameters, a row a sample; here they are applied, in the order and with the formulas of
// torchvision's functions on float tensors (`_functional_tensor.py`): flip -> colour jitter -> random erasing -> mixup
// or cutmix with another sample of the batch that went through the same -> normalisation. Pixels stay in 0..255, so
// that a row which only flips gives the very bits of elementwise's `normalize`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/augment_parameters.h"
#include "engine/base/dtype.h"
#include "kernels/gpu/launch.h"

namespace cambium::augment {

enum class Variant : std::uint8_t {
    plain,  // a thread stores its pixel's three channels
    tuned,  // pixels are gathered in shared memory and stored four elements at once
};
enum class ChannelOrder : std::uint8_t { rgb, bgr };

using Parameters = AugmentParameters;  // a row of the table

enum class Contrast : std::uint8_t { none, possible };

struct Batch {
    std::int64_t images = 0, height = 0, width = 0;
    DType dtype = DType::f32;  // of y: f32 or bf16
    // y[c] = scale[c] * p + shift[c], p being channel c of `order` of the augmented pixel, in 0..255.
    std::array<float, 3> scale{1, 1, 1}, shift{0, 0, 0};
    ChannelOrder order = ChannelOrder::rgb;
    std::array<float, 3> fill{0, 0, 0};  // what erasing writes, RGB in 0..255
    // Whether any row adjusts contrast, which needs an image's mean and so another pass over its bytes. With `none`, a
    // row that does is treated as if its mean were 0.
    Contrast contrast = Contrast::possible;
    Variant variant = Variant::tuned;
};

// Device memory that run() needs besides the operands, in bytes.
std::size_t workspace_bytes(const Batch& batch);

// images: u8 [N, H, W, 3], RGB; table: [N]; y: [N, H, W, 3] of batch.dtype; all on the device. Nothing is launched
// where there are no pixels. Throws UsageError, before anything is launched, where a size or a pointer makes no sense.
void run(const Batch& batch, const std::uint8_t* images, const Parameters* table, void* y,
         std::span<std::byte> workspace, dev::Stream& stream);

}  // namespace cambium::augment
