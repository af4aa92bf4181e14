// AlexNet in the one-column form of "One weird trick for parallelizing convolutional neural networks" (Krizhevsky
// 2014), as torchvision builds it.
#pragma once

#include "models/network.h"

namespace cambium {

// x [N, H, W, 3]. Taps: stem, conv5, pool5 [N, 6, 6, 256], features [N, 4096], which classifier.6 reads.
void alexnet(Builder& b, Value x);
Value alexnet_head(Builder& b, Value features);

}  // namespace cambium
