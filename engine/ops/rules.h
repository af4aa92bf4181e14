// Helpers for the rules of operators: checks with a sentence that names what did not fit. Included by engine/ops/*.cpp
// only.
#pragma once

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/fail.h"
#include "engine/graph/gradients.h"
#include "engine/ops/functions.h"
#include "engine/ops/op.h"

namespace cambium::ops {

template <class... Arguments>
void require(bool condition, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    if (!condition) fail(format, std::forward<Arguments>(arguments)...);
}

inline void require_inputs(Specs inputs, std::size_t least, std::size_t most) {
    require(inputs.size() >= least && inputs.size() <= most, "it takes {} inputs, not {}",
            least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most), inputs.size());
}

inline void require_rank(const TensorSpec& spec, int rank, std::string_view what) {
    require(spec.shape.rank() == rank, "{} must have {} axes, not {}", what, rank, to_string(spec.shape));
}

inline void require_shape(const TensorSpec& spec, const Shape& shape, std::string_view what) {
    require(spec.shape == shape, "{} must have the shape {}, not {}", what, to_string(shape), to_string(spec.shape));
}

inline void require_real(const TensorSpec& spec, std::string_view what) {
    require(is_real(spec.dtype), "{} must be real, not {}", what, name_of(spec.dtype));
}

inline void require_dtype(const TensorSpec& spec, DType dtype, std::string_view what) {
    require(spec.dtype == dtype, "{} must be {}, not {}", what, name_of(dtype), name_of(spec.dtype));
}

// The last axis as a [C] shape.
inline Shape channels(const TensorSpec& spec) {
    require(spec.shape.rank() >= 1, "it needs a last axis of channels, but has a scalar");
    return {spec.shape[-1]};
}

// Results that feed optimizers and losses: f32 whatever the operands are stored in, f64 if they are.
inline DType accumulation(DType dtype) { return dtype == DType::f64 ? DType::f64 : DType::f32; }

inline double elements(const TensorSpec& spec) { return static_cast<double>(spec.shape.count()); }

template <class T>
std::string list(const T& values) {
    return fmt::format("{}", fmt::join(values, ","));
}

inline std::string pair(const Pair& value) { return fmt::format("{}x{}", value[0], value[1]); }

}  // namespace cambium::ops
