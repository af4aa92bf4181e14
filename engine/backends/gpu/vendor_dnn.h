// Convolutions and attention by cuDNN's graph API (the backend descriptors of cuDNN 9), behind an interface without its
// types.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/backends/gpu/vendor_plan.h"
#include "engine/base/dtype.h"
#include "engine/ops/conv.h"

namespace cambium::gpu {
namespace dnn {
struct Session;  // vendor_graph.h
}

// Images NHWC, filters KRSC, without gaps; sums are f32.
struct DnnConvolution {
    enum class Direction : std::uint8_t { fprop, dgrad, wgrad } direction = Direction::fprop;
    ops::Conv2d conv;
    Shape x, w, y;  // of the image, the filter and the output, whichever of them is the result
    DType operands = DType::f32, result = DType::f32;
    bool tf32 = false;  // f32 operands may be rounded to tf32
};

// Scaled dot-product attention without a mask: qkv [N, L, 3, H, D] and y [N, L, H, D] bf16, lse [N, H, L] f32, the
// weights' logarithmic sums (ops::Attention).
struct DnnAttention {
    std::int64_t batch = 0, tokens = 0, heads = 0, size = 0;  // N, L, H, D; D a multiple of 8
    std::size_t rows() const { return static_cast<std::size_t>(batch * tokens * heads); }
    std::size_t values() const { return rows() * static_cast<std::size_t>(size); }  // of y
};

class Dnn {
  public:
    // Opens the library. Throws Error where there is none or it is older than version 9.
    Dnn();
    ~Dnn();
    Dnn(const Dnn&) = delete;
    Dnn& operator=(const Dnn&) = delete;

    std::string version() const;  // "9.19.0"

    // The fastest engine; null where the library has none that computes with the operands as they are and sums in f32.
    // Operands: fprop x, w, y; dgrad dy, w, dx; wgrad x, dy, dw; all aligned to 16 bytes. stream: a cudaStream_t, which
    // every call of the plan uses. Throws Error where there is no GPU.
    std::unique_ptr<VendorPlan> fastest(const DnnConvolution& convolution, Trial& trial, void* stream);

    // The same for attention, which cuDNN 9.13 and later have. Operands: the places of q, k and v in qkv, y, lse.
    std::unique_ptr<VendorPlan> fastest(const DnnAttention& attention, Trial& trial, void* stream);
    // Its gradient, from cuDNN 9.16 on. Operands: the places of q, k and v in qkv, y, lse, dy; f32 [N, H, L] and f32
    // [N, H, L, D] to work in, the latter zero; the places of their gradients in dqkv.
    std::unique_ptr<VendorPlan> fastest_gradient(const DnnAttention& attention, Trial& trial, void* stream);

    // The names of the engines between which fastest() would choose on the device that cuDNN's own JSON describes.
    // Needs no GPU, and cuDNN 9.8 or later. Throws Error.
    std::vector<std::string> engines(const DnnConvolution& convolution, const std::string& device_json) const;

  private:
    std::shared_ptr<dnn::Session> session_;
};

}  // namespace cambium::gpu
