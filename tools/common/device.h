// --device, --precision and --provider: which backend computes, in what, and with whose kernels.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/backends/backend.h"
#include "engine/graph/program.h"

namespace cambium {

struct Device {
    std::unique_ptr<Backend> backend;
    Precision precision = Precision::f32;

    // f64 on the reference backend, else f32.
    DType real() const { return precision == Precision::f64 ? DType::f64 : DType::f32; }
};

// `device` is auto (cuda if there is one, else cpu), cpu, reference, cuda, simt (the CUDA kernels on this CPU) or
// simt-check (those under the checker); `precision` is empty (bf16 on cuda, f64 on reference, else f32), f32, bf16,
// tf32 (cuda and simt) or f64 (reference). Throws UsageError for any other, with the nearest right one, or for a
// precision that the device lacks; Error for a device that is not there. `provider` is own, or vendor, on cuda only:
// convolutions, products and attention by cuDNN and cuBLASLt.
Device open_device(std::string_view device, std::string_view precision, std::string_view provider = "own");

// Says once, on standard error, if bf16 is emulated.
void say_how(const Program& program, const Device& device);

inline constexpr const char* device_help =
    "Where to compute: auto, cpu, cuda, simt (the CUDA kernels on the CPU), simt-check, reference (f64)";
inline constexpr const char* provider_help = "own kernels, or vendor: cuDNN and cuBLASLt (--device cuda)";
inline constexpr const char* precision_help = "f32, bf16, tf32 (GPU kernels), f64 (--device reference)";

}  // namespace cambium
