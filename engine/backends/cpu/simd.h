// Vectors as wide as the instruction set this copy is compiled for, through GCC's vector extensions: no intrinsics, so
// one source serves all. For files given to cambium_isa_sources() only.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace cambium::cpu::CAMBIUM_ISA {

#if CAMBIUM_ISA_LEVEL == 4
constexpr int vector_bytes = 64;
#elif CAMBIUM_ISA_LEVEL == 3
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif
constexpr int lanes = vector_bytes / 4;       // floats a vector
constexpr int wide_lanes = vector_bytes / 8;  // doubles a vector

typedef float Floats __attribute__((vector_size(vector_bytes)));
typedef double Doubles __attribute__((vector_size(vector_bytes)));
typedef float HalfFloats __attribute__((vector_size(vector_bytes / 2)));  // as many as Doubles

inline Floats load(const float* p) {
    Floats v;
    memcpy(&v, p, sizeof v);
    return v;
}
inline void store(float* p, Floats v) { memcpy(p, &v, sizeof v); }
inline Doubles load_wide(const float* p) {
    HalfFloats v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, Doubles);
}
inline void add_to(double* p, Doubles v) {
    Doubles old;
    memcpy(&old, p, sizeof old);
    old += v;
    memcpy(p, &old, sizeof old);
}

// Calls body with c as a constant where it is that of a blocked layout.
template <class Body>
void with_constant(std::int64_t c, Body body) {
    if (c == 16) {
        body(std::integral_constant<std::int64_t, 16>{});
    } else if (c == 8) {
        body(std::integral_constant<std::int64_t, 8>{});
    } else {
        body(c);
    }
}

}  // namespace cambium::cpu::CAMBIUM_ISA
