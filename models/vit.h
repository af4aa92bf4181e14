// The Vision Transformer ViT-B/16 of "An Image is Worth 16x16 Words" (Dosovitskiy et al. 2021, table 1), as torchvision
// builds it.
#pragma once

#include "models/network.h"

namespace cambium {

// x [N, H, W, 3], H and W multiples of 16, which decide the length of the position embedding: 224 px, as published
// weights have it, make L = 1 + 14 * 14 tokens. Taps: stem and block3, block6, block9, block12 [N, L, 768], whose token
// 0 is the class token and whose others are patches in the order of rows; features [N, 768], which heads.head reads.
// Throws UsageError for other sizes.
void vit_b_16(Builder& b, Value x);
Value vit_head(Builder& b, Value features);

}  // namespace cambium
