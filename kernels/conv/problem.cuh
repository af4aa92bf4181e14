// A convolution as matrix products, in the form in which the tuned kernel is given it. The im2col matrix is never
// stored: what is here is the arithmetic that finds its elements in a tensor, in integers of 32 bits with divisions as
// products.
#pragma once

#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/gemm/epilogue.cuh"

namespace cambium::conv {

// x / divisor for 0 <= x < 2^31 as one product and a shift (Granlund & Montgomery 1994, "Division by Invariant Integers
// using Multiplication", section 4).
struct FastDivide {
    int divisor = 1;
    unsigned factor = 0x80000000u, shift = 31;

    CAMBIUM_HOST_DEVICE int quotient(int x) const {
        return static_cast<int>(static_cast<std::uint64_t>(static_cast<unsigned>(x)) * factor >> shift);
    }
};
FastDivide fast_divide(std::int64_t divisor);  // from 1 to 2^31 - 1

// The im2col matrix of a tensor [n, height, width, channels]. A row is a window, numbered (n, i, j), which begins at
// pixel (i stride_h + first_h, j stride_w + first_w). A column is (r, s, c): channel c of the window's tap (r, s),
// which lies (r step_h, s step_w) pixels further. A tap's channels, `run` of them, are padded to whole chunks of 16
// bytes, so that a chunk belongs to one tap. Along w all counts are of elements, not of pixels, so that the
// neighbouring taps of a line may also be one tap of more channels: so a 3-channel stem is gathered with little
// padding.
struct Im2col {
    int rows;
    FastDivide image_windows, line_windows;  // I * J and J
    int stride_h, stride_w, first_h, first_w;
    int taps_h;
    FastDivide taps_w;
    int step_h, step_w;
    int run;
    FastDivide padded_run;
    int height, line, image;  // of the tensor; the latter two in elements

    int columns() const { return taps_h * taps_w.divisor * padded_run.divisor; }
};

// One product [m, k] x [k, n]. dgrad has stride_h * stride_w of them, one per parity of dx's pixels, for pixels of
// equal parity see the same taps of the filter. Of the sizes of a product those that an im2col matrix gives are padded.
struct Product {
    Im2col im2col;
    int m, n, k;
    int tiles, splits;
    // dgrad: pixels (first_h + i stride_h, ...) of dx, and taps (first_r + r step_r, ...) of the filter.
    int first_h, first_w;
    int first_r, first_s, step_r, step_s;
};

inline constexpr int kMostProducts = 4;  // of one launch: all of stride 2

// A launch. Blocks: x is the tile, y the part of a split sum, z the group and the product.
struct Problem {
    gemm::Problem result;  // how D is stored; copy widths; `splits`: the most of any product
    int c, k;              // channels of x and y
    int group_c, group_k;  // of one group
    int h, w, s;           // pixels of x, taps of the filter along w
    int stride_h, stride_w;
    int filter;  // elements of the filter of one output channel
    int products;
    Product product[kMostProducts];
};

struct TileSides {
    std::int64_t m, n;
};
TileSides sides_of(Direction direction, Tile tile);

// How the result is stored, and how wide the operands' copies are, as they are aligned.
gemm::Problem result_of(const Conv& conv, const void* first, const void* second, const void* result);

// How wide windows of x can be copied, as far as that does not depend on where x lies.
int window_copy_bytes(const Conv& conv);

// All products, tiles and splits filled in.
std::vector<Product> products_of(const Conv& conv, const Plan& plan);

}  // namespace cambium::conv
