// Pooling's inner loops: runs of channels, each kept in f32 while a window is walked.
#include "engine/backends/cpu/kernels.h"
#include "engine/backends/cpu/simd.h"

namespace cambium::cpu::CAMBIUM_ISA {
namespace {

using i64 = std::int64_t;

float value(float x) { return x; }
float value(bf16 x) { return bits::bf16_to_float(x.raw); }

typedef std::int32_t Ints __attribute__((vector_size(vector_bytes)));
typedef std::uint32_t Words __attribute__((vector_size(vector_bytes)));
typedef std::uint16_t HalfWords __attribute__((vector_size(vector_bytes / 2)));
typedef std::uint8_t Bytes __attribute__((vector_size(vector_bytes / 4)));

template <class V>
V load_as(const void* p) {
    V v;
    memcpy(&v, p, sizeof v);
    return v;
}
Floats values(const float* p) { return load(p); }
Floats values(const bf16* p) {
    const Words wide = __builtin_convertvector(load_as<HalfWords>(p), Words);
    return reinterpret_cast<Floats>(wide << 16);
}

// The first maximum wins, NaN over everything: `!(v <= best)` is true for a NaN, and nothing replaces one.
template <class T>
void maximum(const T* x, i64 stride, i64 count, i64 c, int position, bool fresh, float* best, std::int32_t* index) {
    if (fresh) {
        for (i64 k = 0; k < c; ++k) {
            best[k] = value(x[k]);
            index[k] = position;
        }
    }
    for (i64 i = fresh ? 1 : 0; i < count; ++i) {
        const T* row = x + i * stride;
        const std::int32_t here = position + static_cast<std::int32_t>(i);
        i64 k = 0;
        for (; k + lanes <= c; k += lanes) {
            const Floats v = values(row + k), old = load(best + k);
            const Ints wins = ~(v <= old) & (old == old);
            const Ints next = wins ? Ints{} + here : load_as<Ints>(index + k);
            store(best + k, wins ? v : old);
            memcpy(index + k, &next, sizeof next);
        }
        for (; k < c; ++k) {
            const float v = value(row[k]), old = best[k];
            const bool wins = !(v <= old) && old == old;
            best[k] = wins ? v : old;
            index[k] = wins ? here : index[k];
        }
    }
}

template <class T>
void route(const T* dy, const std::uint8_t* index, int position, float* dx, i64 c) {
    i64 k = 0;
    for (; k + lanes <= c; k += lanes) {
        const Ints chosen = __builtin_convertvector(load_as<Bytes>(index + k), Ints) == position;
        store(dx + k, load(dx + k) + (chosen ? values(dy + k) : Floats{}));
    }
    for (; k < c; ++k) dx[k] += index[k] == position ? value(dy[k]) : 0.0f;
}

template <class T>
void accumulate(const T* x, float factor, float* sum, i64 c) {
    with_constant(c, [=](auto constant) {
        const i64 width = constant;
#pragma GCC ivdep
        for (i64 k = 0; k < width; ++k) sum[k] += factor * value(x[k]);
    });
}

void store_index(const std::int32_t* index, std::uint8_t* out, i64 c) {
    with_constant(c, [=](auto constant) {
        const i64 width = constant;
#pragma GCC ivdep
        for (i64 k = 0; k < width; ++k) out[k] = static_cast<std::uint8_t>(index[k]);
    });
}

template <class T>
constexpr PoolKernels<T> table{.maximum = maximum<T>, .route = route<T>, .accumulate = accumulate<T>};

}  // namespace

const Pooling pooling_table{.f32 = table<float>, .low = table<bf16>, .store_index = store_index};

}  // namespace cambium::cpu::CAMBIUM_ISA
