// The vectorised kernels: plain functions on f32 in cache, compiled once per instruction set and reached through tables
// that are chosen when the program starts. They never allocate and never start threads; callers cut the work into
// tiles.
#pragma once

#include <cstdint>

#include "engine/base/numeric.h"

namespace cambium::cpu {

struct SgdStep {
    float rate, scale, momentum, weight_decay;
    bool nesterov;
};

struct AdamStep {
    float rate, scale, epsilon, weight_decay;
    float beta1, beta2, rest1, rest2;  // rest = 1 - beta
    float correction1, correction2;    // 1 / (1 - beta1^step) and 1 / (1 - beta2^step)
    bool decoupled;
};

struct DropoutDraw {
    std::uint32_t seed, stream;
    std::uint64_t step;
    float rate, factor;
};

// n elements each. y may be the same memory as an input.
struct ElementwiseKernels {
    void (*widen)(const bf16* x, float* y, std::int64_t n);
    void (*narrow)(const float* x, bf16* y, std::int64_t n);
    void (*add)(const float* a, const float* b, float* y, std::int64_t n);
    void (*multiply)(const float* a, const float* b, float* y, std::int64_t n);
    void (*scale)(const float* x, float factor, float* y, std::int64_t n);
    void (*lerp)(const float* a, const float* b, float t, float* y, std::int64_t n);
    void (*relu)(const float* x, float* y, std::int64_t n);
    void (*relu_gradient)(const float* dy, const float* y, float* dx, std::int64_t n);
    void (*gelu)(const float* x, float* y, std::int64_t n);
    void (*gelu_gradient)(const float* dy, const float* x, float* dx, std::int64_t n);
    // x is elements first .. first + n - 1 of the whole tensor.
    void (*dropout)(const float* x, float* y, std::int64_t first, std::int64_t n, const DropoutDraw& draw);
    // `channels` names the source of each of the three output channels.
    void (*normalize)(const std::uint8_t* x, float* y, std::int64_t pixels, const float* scale, const float* shift,
                      const int* channels);
    // b is null without momentum.
    void (*sgd)(const float* w, const float* g, const float* b, float* w_out, float* b_out, std::int64_t n,
                const SgdStep& step);
    void (*adam)(const float* w, const float* g, const float* m, const float* v, float* w_out, float* m_out,
                 float* v_out, std::int64_t n, const AdamStep& step);
    double (*sum)(const float* x, std::int64_t n);
    double (*sum_of_squares)(const float* x, std::int64_t n);
};

// Tensors are [rows, c], vectors [c]. Sums are added to what the f64 accumulators hold: f32 squares are exact in f64,
// so a single pass gives moments without cancellation.
struct ChannelKernels {
    void (*add_bias)(const float* x, const float* bias, float* y, std::int64_t rows, std::int64_t c);
    // shift may be null.
    void (*scale_shift)(const float* x, const float* scale, const float* shift, float* y, std::int64_t rows,
                        std::int64_t c);
    void (*sum)(const float* x, double* sum, std::int64_t rows, std::int64_t c);
    void (*dot)(const float* a, const float* b, double* sum, std::int64_t rows, std::int64_t c);
    void (*moments)(const float* x, double* sum, double* square, std::int64_t rows, std::int64_t c);
    // sum += dy, product += dy (x - mean)
    void (*gradient_sums)(const float* dy, const float* x, const float* mean, double* sum, double* product,
                          std::int64_t rows, std::int64_t c);
    // y = (x - mean) scale + shift
    void (*normalize)(const float* x, const float* mean, const float* scale, const float* shift, float* y,
                      std::int64_t rows, std::int64_t c);
    // dx = scale dy - (x - mean) slope - offset
    void (*normalize_gradient)(const float* dy, const float* x, const float* mean, const float* scale,
                               const float* slope, const float* offset, float* dx, std::int64_t rows, std::int64_t c);
};

struct LayerNormSums {
    double gradient, product;  // Sum g and Sum g x', where g = gamma dy and x' = (x - mean) rstd
};

// One row of n > 0 elements: of scores that a softmax is taken of, or of values that layer norm normalises.
struct RowKernels {
    float (*maximum)(const float* x, std::int64_t n);
    // y = exp(scale x - shift); y may be x
    void (*exponentials)(const float* x, float scale, float shift, float* y, std::int64_t n);
    // ds = scale p (dp - mean); ds may be dp
    void (*softmax_gradient)(const float* p, const float* dp, float mean, float scale, float* ds, std::int64_t n);
    double (*dot)(const float* a, const float* b, std::int64_t n);
    // y = gamma (x - mean) rstd + beta; y may be x
    void (*layer_norm)(const float* x, const float* gamma, const float* beta, float mean, float rstd, float* y,
                       std::int64_t n);
    // dgamma += dy x', dbeta += dy
    LayerNormSums (*layer_norm_sums)(const float* dy, const float* x, const float* gamma, float mean, float rstd,
                                     double* dgamma, double* dbeta, std::int64_t n);
    // dx = rstd (g - offset - x' slope); dx may be dy or x
    void (*layer_norm_gradient)(const float* dy, const float* x, const float* gamma, float mean, float rstd,
                                float offset, float slope, float* dx, std::int64_t n);
};

// One row of output pixels of one image; each output or input pixel is a run of c channels.
template <class T>
struct PoolKernels {
    // best and index over the run of `count` pixels at x, `stride` elements apart; position numbers the first of them.
    // `fresh` starts a new maximum.
    void (*maximum)(const T* x, std::int64_t stride, std::int64_t count, std::int64_t c, int position, bool fresh,
                    float* best, std::int32_t* index);
    // dx += dy where index == position
    void (*route)(const T* dy, const std::uint8_t* index, int position, float* dx, std::int64_t c);
    // sum += factor * x
    void (*accumulate)(const T* x, float factor, float* sum, std::int64_t c);
};

struct Pooling {
    PoolKernels<float> f32;
    PoolKernels<bf16> low;
    void (*store_index)(const std::int32_t* index, std::uint8_t* out, std::int64_t c);
};

// The inner loops of a blocked matrix product (Goto & van de Geijn 2008). Panels of A are [k, mr], of B [k, nr],
// zero-filled at the edges.
struct GemmKernels {
    std::int64_t mr, nr;
    // rows x k of a, whose element (i, l) lies at i * row_stride + l * column_stride, into panels of mr rows.
    void (*pack)(const float* x, std::int64_t row_stride, std::int64_t column_stride, std::int64_t rows, std::int64_t k,
                 std::int64_t panel, float* packed);
    // c [m, n] (m <= mr, n <= nr, rows ldc apart) = or += a b
    void (*tile)(std::int64_t k, const float* a, const float* b, float* c, std::int64_t ldc, std::int64_t m,
                 std::int64_t n, bool accumulate);
};

// A line of n pixels, f32 in 0..255, its channels apart: x [3, n].
struct AugmentKernels {
    void (*split)(const std::uint8_t* pixels, float* x, std::int64_t n);           // from [n, 3]
    void (*split_mirrored)(const std::uint8_t* pixels, float* x, std::int64_t n);  // the last pixel first
    // y [n, 3] = scale x + shift; `channels` names the source of each of the three output channels.
    void (*join)(const float* x, float* y, std::int64_t n, const float* scale, const float* shift, const int* channels);
    // Steps of the colour jitter, in place.
    void (*blend)(float* x, float other, float factor, std::int64_t n);  // factor x + (1 - factor) other
    void (*saturate)(float* x, float factor, std::int64_t n);
    void (*turn_hue)(float* x, float turns, std::int64_t n);
    double (*grey_sum)(const float* x, std::int64_t n);
    // own = share own + (1 - share) partner
    void (*mix)(float* own, const float* partner, float share, std::int64_t n);
};

struct Kernels {
    const ElementwiseKernels& elementwise;
    const ChannelKernels& channel;
    const RowKernels& row;
    const Pooling& pooling;
    const GemmKernels& gemm;
    const AugmentKernels& augment;
};

// The tables for this machine.
const Kernels& kernels();

#define CAMBIUM_CPU_TABLES                             \
    extern const ElementwiseKernels elementwise_table; \
    extern const ChannelKernels channel_table;         \
    extern const RowKernels row_table;                 \
    extern const Pooling pooling_table;                \
    extern const GemmKernels gemm_table;               \
    extern const AugmentKernels augment_table;

namespace v1 {
CAMBIUM_CPU_TABLES
}
namespace v3 {
CAMBIUM_CPU_TABLES
}
namespace v4 {
CAMBIUM_CPU_TABLES
}
#undef CAMBIUM_CPU_TABLES

}  // namespace cambium::cpu
