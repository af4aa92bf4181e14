// Which of the GPU backend's modules a test runs: CAMBIUM_GPU is simt, check (the checked kernels, a hundred times
// slower) or cuda.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <map>
#include <utility>

#include "engine/backends/gpu/gpu_backend.h"
#include "engine/base/fail.h"

namespace cambium::test {

inline gpu::Device wanted_device() {
    const char* wanted = std::getenv("CAMBIUM_GPU");
    const std::string_view name = wanted == nullptr ? "simt" : wanted;
    if (name == "simt") return gpu::Device::simt;
    if (name == "check") return gpu::Device::simt_check;
    if (name == "cuda") return gpu::Device::cuda;
    fail("CAMBIUM_GPU is '{}'; it may be simt, check or cuda", name);
}

// Opened once for each kind of kernels. Without a GPU the program says so and ends as CTest's mark for a skipped test.
inline Backend& wanted_backend(const gpu::Options& options = {}) {
    if (wanted_device() == gpu::Device::cuda) {
        if (const auto why = gpu::unavailable(gpu::Device::cuda)) {
            std::printf("skipped: %s\n", why->c_str());
            std::exit(77);
        }
    }
    static std::map<std::pair<gpu::Math, gpu::Variant>, std::unique_ptr<Backend>> opened;
    std::unique_ptr<Backend>& backend = opened[{options.math, options.variant}];
    if (backend == nullptr) backend = gpu::make_backend(wanted_device(), options);
    return *backend;
}

}  // namespace cambium::test
