// Preprocessing: how a pretrained network wants its photos. `data/` resizes and crops to u8; the engine's graph applies
// scale, channel order, mean and std. The record travels with the weights, so that a photo is never prepared wrongly.
#pragma once

#include <array>
#include <cstdint>

namespace cambium {

enum class Interpolation : std::uint8_t { bilinear, bicubic };
enum class ChannelOrder : std::uint8_t { rgb, bgr };
// The range of a pixel before mean and std: `unit` divides the byte by 255, `byte` leaves it in 0..255.
enum class PixelScale : std::uint8_t { unit, byte };

// The network's input is (pixel - mean) / std, its channels in the order `order`; mean and std are in that order too,
// and in units of `scale`. The defaults are torchvision's for ImageNet.
struct Preprocessing {
    int resize = 256;  // short side in pixels after resizing, the aspect ratio kept; 0: the photo keeps its size
    int crop = 224;    // side of the central square in pixels
    Interpolation interpolation = Interpolation::bilinear;
    std::array<float, 3> mean{0.485f, 0.456f, 0.406f};
    std::array<float, 3> std{0.229f, 0.224f, 0.225f};
    PixelScale scale = PixelScale::unit;
    ChannelOrder order = ChannelOrder::rgb;

    friend bool operator==(const Preprocessing&, const Preprocessing&) = default;
};

}  // namespace cambium
