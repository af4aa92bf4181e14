// What the hosts' sides of all kernel families share: rounding up, alignment, and the sentence of a refusal.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/dtype.h"
#include "engine/base/error.h"

namespace cambium {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Workspaces are cut at multiples of 256 bytes, as allocations are aligned.
constexpr std::size_t round_to_256(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

inline bool is_aligned(const void* pointer, std::size_t bytes) {
    return reinterpret_cast<std::uintptr_t>(pointer) % bytes == 0;
}

// "cannot run a batch norm of [32, 64]: " + otherwise, as UsageError.
inline void require(bool holds, const std::string& what, const std::string& otherwise) {
    if (!holds) throw UsageError("cannot run " + what + ": " + otherwise);
}

inline void require_activation_type(DType dtype, const std::string& what) {
    require(dtype == DType::f32 || dtype == DType::bf16, what,
            "activations are f32 or bf16, not " + std::string(name_of(dtype)));
}

}  // namespace cambium
