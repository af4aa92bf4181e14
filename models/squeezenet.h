// SqueezeNet 1.1 (Iandola et al. 2016; the 1.1 release needs 2.4 times fewer operations), as torchvision builds it.
#pragma once

#include "models/network.h"

namespace cambium {

// x [N, H, W, 3]. Taps: stem, fire4, fire8, features [N, h, w, 512].
void squeezenet1_1(Builder& b, Value x);
// A 1x1 convolution to the classes, ReLU, and the mean over all positions.
Value squeezenet_head(Builder& b, Value features);

}  // namespace cambium
