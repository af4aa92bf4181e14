// The rows of the table: every way of using an operator, on every kind of kernels that it has.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "engine/backends/gpu/gpu_backend.h"
#include "engine/cases/case.h"

namespace cambium {

// The kinds of kernels: dtype of the activations, what products of f32 are computed in, plain or tuned; and tiles that
// convolutions and products would choose for larger shapes only.
struct KernelKind {
    std::string_view name;
    DType dtype;
    gpu::Options options;
};
extern const std::array<KernelKind, 12> kernel_kinds;

struct Job {
    cases::OpCase op_case;
    std::size_t kind;  // of kernel_kinds
};

struct Filter {
    std::string kernel;     // in the name of an operator or of a CUDA kernel
    std::string precision;  // f32, tf32, bf16
    std::string variant;    // tuned, plain
};

struct Jobs {
    std::vector<Job> jobs;
    // No operator is called like Filter::kernel: it can only be a CUDA kernel, and which rows reach it shows when they
    // have run.
    bool by_cuda_kernel = false;
};

// Throws UsageError where there is no such precision or variant, or where a kernel's name is all but an operator's.
Jobs jobs_for(const Filter& filter);

}  // namespace cambium
