// bf16 and f16: every one of the 2^16 values, and every rounding between neighbours.
#include "engine/base/numeric.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "engine/base/dtype.h"

using namespace cambium;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

// The value that the bits of a small float stand for, from the definition: sign, `exponent_bits`, `mantissa_bits`.
double value_of(unsigned raw, int exponent_bits, int mantissa_bits) {
    const unsigned mantissa = raw & ((1u << mantissa_bits) - 1);
    const int exponent = static_cast<int>(raw >> mantissa_bits) & ((1 << exponent_bits) - 1);
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const double sign = (raw >> 15) != 0 ? -1.0 : 1.0;
    if (exponent == (1 << exponent_bits) - 1) {
        return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN()
                             : sign * std::numeric_limits<double>::infinity();
    }
    if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
    return sign * std::ldexp(mantissa + (1u << mantissa_bits), exponent - bias - mantissa_bits);
}

template <class T>
void check_every_value(int exponent_bits, int mantissa_bits) {
    int wrong = 0;
    for (unsigned raw = 0; raw < 0x10000; ++raw) {
        T value;
        value.raw = static_cast<std::uint16_t>(raw);
        const double expected = value_of(raw, exponent_bits, mantissa_bits);
        const float found = static_cast<float>(value);
        const T back(found);
        if (std::isnan(expected)) {
            const bool sign_kept = std::signbit(found) == std::signbit(static_cast<float>(back));
            if (!std::isnan(found) || !std::isnan(static_cast<float>(back)) || !sign_kept) ++wrong;
        } else if (static_cast<double>(found) != expected || back.raw != raw) {
            ++wrong;
        }
    }
    CHECK(wrong == 0);
}

// For each pair of neighbours: just below their middle rounds down, just above rounds up, the middle to the even one.
template <class T>
void check_every_rounding(unsigned infinity_raw) {
    int wrong = 0;
    for (unsigned raw = 0; raw + 1 < infinity_raw; ++raw) {
        T low, high;
        low.raw = static_cast<std::uint16_t>(raw);
        high.raw = static_cast<std::uint16_t>(raw + 1);
        const double exact =
            0.5 * (static_cast<double>(static_cast<float>(low)) + static_cast<double>(static_cast<float>(high)));
        const float middle = static_cast<float>(exact);
        if (static_cast<double>(middle) != exact) continue;  // below f32's own subnormals (the first pair of bf16 only)
        const unsigned even = raw + (raw & 1u);
        for (const float sign : {1.0f, -1.0f}) {
            const unsigned bit = sign < 0 ? 0x8000u : 0;
            if (T(sign * middle).raw != (even | bit)) ++wrong;
            if (T(sign * std::nextafter(middle, 0.0f)).raw != (raw | bit)) ++wrong;
            if (T(sign * std::nextafter(middle, infinity)).raw != ((raw + 1) | bit)) ++wrong;
        }
    }
    CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("every bf16 converts to f32 exactly and back") { check_every_value<bf16>(8, 7); }
TEST_CASE("every f16 converts to f32 exactly and back") { check_every_value<f16>(5, 10); }
TEST_CASE("f32 rounds to the nearest bf16, ties to even") { check_every_rounding<bf16>(0x7f80); }
TEST_CASE("f32 rounds to the nearest f16, ties to even") { check_every_rounding<f16>(0x7c00); }

TEST_CASE("what is too large becomes infinity, and only that") {
    CHECK(f16(65519.996f).raw == 0x7bff);  // just below the middle between 65504 and 65536
    CHECK(f16(65520.0f).raw == 0x7c00);
    CHECK(f16(-infinity).raw == 0xfc00);
    CHECK(bf16(std::numeric_limits<float>::max()).raw == 0x7f80);
    CHECK(bf16(bits::to_float(0x7f7f7fffu)).raw == 0x7f7f);
    CHECK(bf16(-infinity).raw == 0xff80);
}

TEST_CASE("a NaN whose payload lies only in the bits that are cut off stays a NaN") {
    CHECK(std::isnan(static_cast<float>(bf16(bits::to_float(0x7f800001u)))));
    CHECK(std::isnan(static_cast<float>(f16(bits::to_float(0xff800001u)))));
}

TEST_CASE("dtypes know their size, name and C++ type") {
    CHECK(size_of(DType::f64) == 8);
    CHECK(size_of(DType::bf16) == 2);
    CHECK(size_of(DType::boolean) == 1);
    CHECK(name_of(DType::boolean) == "bool");
    CHECK(dtype_of<std::int64_t> == DType::i64);
    CHECK(is_real(DType::f16));
    CHECK_FALSE(is_real(DType::i32));
}
