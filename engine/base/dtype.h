// The element types a tensor may have. The engine computes in f64 (reference only), f32 and bf16, with i32 labels and
// u8 images; f16, i64 and boolean occur in weight files and are kept as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/base/numeric.h"

namespace cambium {

enum class DType : std::uint8_t { f64, f32, f16, bf16, i64, i32, u8, boolean };

constexpr std::size_t size_of(DType dtype) {
    switch (dtype) {
        case DType::f64:
        case DType::i64:
            return 8;
        case DType::f32:
        case DType::i32:
            return 4;
        case DType::f16:
        case DType::bf16:
            return 2;
        case DType::u8:
        case DType::boolean:
            return 1;
    }
    return 0;
}

constexpr std::string_view name_of(DType dtype) {
    constexpr std::string_view names[] = {"f64", "f32", "f16", "bf16", "i64", "i32", "u8", "bool"};
    return names[static_cast<std::size_t>(dtype)];
}

constexpr bool is_real(DType dtype) {
    return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

// The DType that stores a C++ type: dtype_of<float> == DType::f32.
template <class T>
inline constexpr DType dtype_of = [] {
    static_assert(sizeof(T) == 0, "no DType stores this type");
    return DType{};
}();
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<f16> = DType::f16;
template <>
inline constexpr DType dtype_of<bf16> = DType::bf16;
template <>
inline constexpr DType dtype_of<std::int64_t> = DType::i64;
template <>
inline constexpr DType dtype_of<std::int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<std::uint8_t> = DType::u8;
template <>
inline constexpr DType dtype_of<bool> = DType::boolean;

}  // namespace cambium
