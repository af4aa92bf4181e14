// Residual networks (He et al. 2016): the ImageNet family as torchvision builds it, the CIFAR family of the paper's
// section 4.2, and leafnet, a small one for the built-in sample.
#pragma once

#include <array>

#include "models/network.h"

namespace cambium {

struct ResNet {
    enum class Block : std::uint8_t { basic, bottleneck } block = Block::basic;
    std::array<int, 4> blocks{2, 2, 2, 2};  // per stage
    // Where a bottleneck halves the image: in its 3x3 convolution (torchvision, "v1.5") or in its first 1x1 (the paper
    // and its Caffe weights).
    enum class Stride : std::uint8_t { in_3x3, in_first_1x1 } stride = Stride::in_3x3;
    double epsilon = 1e-5;  // of the norms
};

// x [N, H, W, 3]. Taps: stem, layer1, layer2, layer3, layer4, features [N, 512 or 2048].
void resnet(Builder& b, Value x, const ResNet& config);
Value resnet_head(Builder& b, Value features);

// Table 6 of the paper: 6n + 2 layers at widths 16, 32, 64; shortcuts without parameters ("option A").
// x [N, 32, 32, 3]. Taps: stem, layer1, layer2, layer3, features [N, 64].
void resnet_cifar(Builder& b, Value x, int n);
Value resnet_cifar_head(Builder& b, Value features);

// x [N, 64, 64, 3]. Basic blocks, two each at widths 16, 32, 64 after a stem of stride 2: 0.18 million parameters.
// Taps as resnet_cifar.
void leafnet(Builder& b, Value x);

}  // namespace cambium
