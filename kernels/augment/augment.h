// Augmentation and normalisation of a batch of photos in one pass: the host's side. Everything random has been drawn on
// the host into a table of parameters, a row a sample; here they are applied, in the order and with the formulas of
// torchvision's functions on float tensors (`_functional_tensor.py`): flip -> colour jitter -> random erasing -> mixup
// or cutmix with another sample of the batch that went through the same -> normalisation. data/images/augment.h has the
// same table and the same functions on the host; both agree within the rounding of f32.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/dtype.h"
#include "kernels/gpu/launch.h"

namespace cambium::augment {

enum class Variant : std::uint8_t {
    plain,  // a thread stores its pixel's three channels
    tuned,  // pixels are gathered in shared memory and stored four elements at once
};
enum class ChannelOrder : std::uint8_t { rgb, bgr };

// A row of the table, f32 throughout; the defaults change nothing. Pixel coordinates are of the image after the flip.
struct Parameters {
    float flip = 0;                  // 1: mirrored left-right
    float jitter[4]{1, 1, 1, 0};     // brightness, contrast, saturation factors; hue shift in turns
    float order[4]{-1, -1, -1, -1};  // indices into `jitter` in the order of application, each once; -1: nothing
    float erase_top = 0, erase_left = 0, erase_height = 0, erase_width = 0;
    float partner = -1;  // row of the batch to mix with; outside the batch: none
    float mix = 1;       // mixup: mix * own + (1 - mix) * partner
    float cut_top = 0, cut_left = 0, cut_height = 0, cut_width = 0;  // cutmix: this rectangle is the partner's
    float label = 1;                                                 // the own label's share, which the loss reads
};

enum class Contrast : std::uint8_t { none, possible };

struct Batch {
    std::int64_t images = 0, height = 0, width = 0;
    DType dtype = DType::f32;  // of y: f32 or bf16
    // y[c] = scale[c] * p + shift[c], p being channel c of `order` of the augmented pixel, in 0..255.
    std::array<float, 3> scale{1, 1, 1}, shift{0, 0, 0};
    ChannelOrder order = ChannelOrder::rgb;
    std::array<float, 3> fill{0, 0, 0};  // what erasing writes, RGB in 0..1
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
