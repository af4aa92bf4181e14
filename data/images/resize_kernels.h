// The two inner loops of the resize: weighted sums of u8 samples with 22-bit fixed-point weights, as Pillow's
// ImagingResampleHorizontal_8bpc and ImagingResampleVertical_8bpc compute them. Exact integers, so every version
// agrees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/isa.h"

namespace cambium::resize_kernels {

constexpr int precision_bits = 32 - 8 - 2;  // 8 bits of sample, 2 of headroom for weights that overshoot

// One axis of a resize: output i is the sum over k < count[i] of weights[i * capacity + k] * input[first[i] + k].
struct Axis {
    std::vector<int> first, count;
    std::vector<std::int32_t> weights;  // capacity per output, zeros after count[i]; capacity is a multiple of 4
    std::size_t capacity = 0;
};

struct Kernels {
    // The first `outputs` of one row of RGB pixels. May read 16 bytes past the row
    // and write 1 byte past the last output pixel.
    void (*horizontal)(const std::uint8_t* row, const Axis& axis, int outputs, std::uint8_t* out);
    // One output row of `bytes` samples from `count` input rows that lie `stride` apart. May read 16 bytes past a row.
    void (*vertical)(const std::uint8_t* rows, std::size_t stride, const std::int32_t* weights, int count,
                     std::size_t bytes, std::uint8_t* out);
};

namespace v1 {
extern const Kernels kernels;
}
namespace v3 {
extern const Kernels kernels;
}
namespace v4 {
extern const Kernels kernels;
}

inline const Kernels& kernels() { return by_isa(v1::kernels, v3::kernels, v4::kernels); }

}  // namespace cambium::resize_kernels
