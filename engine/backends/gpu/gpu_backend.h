// The GPU backend as the rest of the engine sees it. Backend and kernels are one source, built as modules: for CUDA,
// for simt (the CUDA kernels on this CPU) and for simt under the checker. A module is opened when first asked for, so
// that a program which knows it runs on machines that lack what the module needs.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/backends/backend.h"

namespace cambium::gpu {

enum class Device : std::uint8_t {
    cuda,
    simt,
    simt_check,         // every value in red-zoned memory of its own; a finding throws Error
    simt_check_zeroed,  // the same with fresh registers full of zeros: other bits betray one that nobody wrote
};

enum class Math : std::uint8_t {
    f32,   // products of f32 operands are exact f32
    tf32,  // products of f32 operands on tensor cores, operands rounded to 10 bits of mantissa
};

enum class Variant : std::uint8_t {
    plain,  // each kernel family's first version: for comparison, and for `cambium check`
    tuned,
};

// Who computes convolutions, products and attention; all else is always our own.
enum class Provider : std::uint8_t {
    own,
    vendor,  // cuDNN and cuBLASLt, to compare with; only on cuda (vendor.h)
};

// How convolutions and products are cut, instead of as each family's choose_plan() says: for a sweep over all ways.
struct ForcedPlan {
    int tile = 0;  // 0: 64 x 64; 1: 128 x 128; 2, convolutions only: 64 x 128
    int splits = 1;
};

struct Options {
    Math math = Math::f32;  // of products whose operands are f32; bf16 operands always go through tensor cores
    Variant variant = Variant::tuned;
    std::optional<ForcedPlan> plan{};
    Provider provider = Provider::own;
};

// Throws Error that says what is missing: the module (not built), the driver, a device, the provider.
std::unique_ptr<Backend> make_backend(Device device, const Options& options = {});

// Times and observes what a backend of this file enqueues (stopwatch.h); it must not outlive the backend. Throws Error.
class Stopwatch;
std::unique_ptr<Stopwatch> make_stopwatch(Device device, Backend& backend);

// Nothing if the device can be used, else why not, in words.
std::optional<std::string> unavailable(Device device);

// "NVIDIA H100 80GB HBM3, 85.0 GB, compute capability 9.0", or why it cannot be used.
std::string describe(Device device);

// "cuDNN 9.19.0; cuBLASLt 13.1.0", or what is missing of them; nothing in a build without CUDA. Needs no GPU.
std::optional<std::string> describe_vendor();

}  // namespace cambium::gpu
