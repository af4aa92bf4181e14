// Matrix products by cuBLASLt, behind an interface without its types.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/backends/gpu/vendor_plan.h"
#include "engine/base/dtype.h"

namespace cambium::gpu {

// D = activation(op(A) op(B) + C + bias), all row-major without gaps: op(A) [M, K], op(B) [K, N], C and D [M, N],
// bias [N]. Sums are f32.
struct BlasProduct {
    std::int64_t m = 0, n = 0, k = 0;
    bool transpose_a = false, transpose_b = false;  // A is stored [K, M], B is stored [N, K]
    DType operands = DType::f32, result = DType::f32;
    bool tf32 = false;  // f32 operands rounded to tf32, instead of products in f32
    bool bias = false;  // of the result's type
    bool add = false;   // C, of the result's type
    bool relu = false;
    friend bool operator==(const BlasProduct&, const BlasProduct&) = default;
};

class Blas {
  public:
    // Opens the library. Throws Error where there is none.
    Blas();
    ~Blas();
    Blas(const Blas&) = delete;
    Blas& operator=(const Blas&) = delete;

    std::string version() const;  // "13.1.0"

    // The fastest algorithm; null where the library has none. Operands: A, B, D, bias or null, C or null, all aligned
    // to 16 bytes. stream: a cudaStream_t, which every call of the plan uses. Throws Error where there is no GPU.
    std::unique_ptr<VendorPlan> fastest(const BlasProduct& product, Trial& trial, void* stream);

  private:
    class Plan;
    struct State;  // the library and its handle; plans keep it
    std::shared_ptr<State> state_;
};

}  // namespace cambium::gpu
