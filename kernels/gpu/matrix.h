// Tensor-core products as warp tiles: load_fragments (ldmatrix) fills the registers of a 16*MI x 8*NJ tile, mma_tile
// (mma.sync) multiplies it. On the device both unroll into single instructions; on the host the 32 lanes meet once per
// tile instead of once per instruction, which is what makes emulating them fast.
//
// One step multiplies A [16 MI, K] by B [K, 8 NJ] into C [16 MI, 8 NJ] in f32; K is 16 for bf16 and f16, 8 for tf32
// (float). Lane l holds, with g = l / 4 and t = l % 4 (Warp-Level Matrix: mma.m16n8k16, mma.m16n8k8, "Matrix
// Fragments"):
//   A  register r of block i: row 16 i + g + 8 (r % 2), columns k = 2 t, 2 t + 1, plus 8 (r / 2); tf32: k = t + 4 (r /
//   2) B  register r of block j: column 8 j + g, rows k = 2 t, 2 t + 1, plus 8 r; tf32: k = t + 4 r C  value v of block
//   i, j: row 16 i + g + 8 (v / 2), column 8 j + 2 t + v % 2
#pragma once

#include "kernels/gpu/async.h"
#include "kernels/gpu/language.h"
#include "kernels/gpu/thread.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"  // int template parameters as array sizes

#if !defined(CAMBIUM_CUDA) && !defined(__CUDACC__)

namespace cambium::simt {

enum class MmaType : std::uint8_t { bf16, f16, tf32 };
struct MatrixLoad {
    std::uint32_t* registers;  // four of them
    const void* row;           // the 16-byte row this lane supplies
};
struct MmaTile {
    float* c;                // [MI, NJ, 4]
    const std::uint32_t* a;  // [MI, 4]
    const std::uint32_t* b;  // [NJ, 2]
    int mi, nj;
    MmaType type;
};
void load_matrices(const MatrixLoad* loads, int count, bool transposed, dev::Site site);
void mma_tile(const MmaTile& tile, dev::Site site);

}  // namespace cambium::simt

#endif

namespace cambium::dev {

// Which index of an operand is contiguous in memory: k, or the other one (m for A, n for B).
enum class Major : std::uint8_t { k, mn };

template <class T>
inline constexpr int kMmaDepth = sizeof(T) == 2 ? 16 : 8;

template <class T, int MI>
struct FragmentA {
    std::uint32_t reg[MI][4];
};
template <class T, int NJ>
struct FragmentB {
    static_assert(NJ % 2 == 0, "B is loaded two 8-column blocks at a time");
    std::uint32_t reg[NJ][2];
};
template <int MI, int NJ>
struct Accumulator {
    float value[MI][NJ][4];
};

#if defined(CAMBIUM_DEVICE)

// The row and the column, within its tile, of value v of block (i, j) that this lane holds.
CAMBIUM_DEVICE int accumulator_row(int i, int v) { return 16 * i + static_cast<int>(lane_index()) / 4 + 8 * (v / 2); }
CAMBIUM_DEVICE int accumulator_column(int j, int v) { return 8 * j + 2 * (static_cast<int>(lane_index()) % 4) + v % 2; }

template <int MI, int NJ>
CAMBIUM_DEVICE void clear(Accumulator<MI, NJ>& c) {
    for (int i = 0; i < MI; ++i) {
        for (int j = 0; j < NJ; ++j) {
            for (int v = 0; v < 4; ++v) c.value[i][j][v] = 0.0f;
        }
    }
}

// ldmatrix.sync.aligned.m8n8.x4[.trans].shared.b16 (Warp-Level Matrix: ldmatrix): four 8x8 matrices of 16-bit elements.
// Lane l supplies row l % 8 of matrix l / 8: 16 bytes in shared memory, 16-byte aligned. Register q of lane l receives
// elements 2 (l % 4) and 2 (l % 4) + 1 of row l / 4 of matrix q; transposed, of column l / 4. `row(n)` is this lane's
// row of load n.
template <bool Transposed, int Count, class Row>
CAMBIUM_DEVICE void load_matrices(std::uint32_t (&reg)[Count][4], Row&& row,
                                  [[maybe_unused]] Site site = Site::here()) {
#if defined(__CUDACC__)
#pragma unroll
    for (int n = 0; n < Count; ++n) {
        const unsigned address = shared_address(row(n));
        if constexpr (Transposed) {
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                         : "=r"(reg[n][0]), "=r"(reg[n][1]), "=r"(reg[n][2]), "=r"(reg[n][3])
                         : "r"(address)
                         : "memory");
        } else {
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                         : "=r"(reg[n][0]), "=r"(reg[n][1]), "=r"(reg[n][2]), "=r"(reg[n][3])
                         : "r"(address)
                         : "memory");
        }
    }
#else
    simt::MatrixLoad loads[Count];
    for (int n = 0; n < Count; ++n) loads[n] = {reg[n], row(n)};
    simt::load_matrices(loads, Count, Transposed, site);
#endif
}

// Fills A from shared memory. `at(m, k)` is the address of element (m, k) of the tile, m in [0, 16 MI), k in [0, K); it
// is asked for the first element of 16 bytes that lie together (8 elements of 2 bytes, 4 of 4), along k or along m as
// `major` says, so that a swizzle may move those 16 bytes but not tear them. tf32 with Major::mn is asked for single
// elements.
template <Major major, class T, int MI, class At>
CAMBIUM_DEVICE void load_fragments(FragmentA<T, MI>& a, At&& at, Site site = Site::here()) {
    const int lane = static_cast<int>(lane_index());
    constexpr int kChunk = 16 / static_cast<int>(sizeof(T));
    if constexpr (major == Major::k) {
        load_matrices<false>(
            a.reg, [&](int i) { return at(16 * i + lane % 16, lane / 16 * kChunk); }, site);
    } else if constexpr (sizeof(T) == 2) {
        load_matrices<true>(
            a.reg, [&](int i) { return at(16 * i + lane / 8 % 2 * 8, lane / 16 * 8 + lane % 8); }, site);
    } else {
        for (int i = 0; i < MI; ++i) {
            for (int r = 0; r < 4; ++r) {
                a.reg[i][r] = __float_as_uint(*at(16 * i + lane / 4 + 8 * (r % 2), lane % 4 + 4 * (r / 2)));
            }
        }
    }
}

// Fills B likewise; `at(k, n)` with n in [0, 8 NJ).
template <Major major, class T, int NJ, class At>
CAMBIUM_DEVICE void load_fragments(FragmentB<T, NJ>& b, At&& at, Site site = Site::here()) {
    const int lane = static_cast<int>(lane_index());
    constexpr int kChunk = 16 / static_cast<int>(sizeof(T));
    auto& pairs = reinterpret_cast<std::uint32_t(&)[NJ / 2][4]>(b.reg);
    if constexpr (major == Major::k) {
        load_matrices<false>(
            pairs, [&](int j) { return at(lane / 8 % 2 * kChunk, 16 * j + lane / 16 * 8 + lane % 8); }, site);
    } else if constexpr (sizeof(T) == 2) {
        load_matrices<true>(
            pairs, [&](int j) { return at(lane / 8 % 2 * 8 + lane % 8, 16 * j + lane / 16 * 8); }, site);
    } else {
        for (int j = 0; j < NJ; ++j) {
            for (int r = 0; r < 2; ++r) b.reg[j][r] = __float_as_uint(*at(lane % 4 + 4 * r, 8 * j + lane / 4));
        }
    }
}

// cvt.rna.tf32.f32 (Data Movement: cvt): rounds to 10 bits of mantissa, to nearest, ties away from zero. Without it
// mma.sync ignores the low 13 bits, which truncates.
CAMBIUM_DEVICE std::uint32_t round_to_tf32(std::uint32_t bits) {
#if defined(__CUDACC__)
    std::uint32_t result;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(__uint_as_float(bits)));
    return result;
#else
    if ((bits & 0x7f800000u) == 0x7f800000u) return bits;  // infinity and NaN
    return (bits + 0x1000u) & ~0x1fffu;
#endif
}
template <int MI>
CAMBIUM_DEVICE void round_to_tf32(FragmentA<float, MI>& a) {
    for (int i = 0; i < MI; ++i) {
        for (int r = 0; r < 4; ++r) a.reg[i][r] = round_to_tf32(a.reg[i][r]);
    }
}
template <int NJ>
CAMBIUM_DEVICE void round_to_tf32(FragmentB<float, NJ>& b) {
    for (int j = 0; j < NJ; ++j) {
        for (int r = 0; r < 2; ++r) b.reg[j][r] = round_to_tf32(b.reg[j][r]);
    }
}

#if defined(__CUDACC__)
#define CAMBIUM_MMA(shape)                                                                                    \
    asm volatile("mma.sync.aligned." shape " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                             \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
template <class T>
CAMBIUM_DEVICE void mma(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    if constexpr (std::is_same_v<T, bf16>) CAMBIUM_MMA("m16n8k16.row.col.f32.bf16.bf16.f32");
    if constexpr (std::is_same_v<T, f16>) CAMBIUM_MMA("m16n8k16.row.col.f32.f16.f16.f32");
    if constexpr (std::is_same_v<T, float>) CAMBIUM_MMA("m16n8k8.row.col.f32.tf32.tf32.f32");
}
#undef CAMBIUM_MMA
#endif

// C += A B: MI * NJ times mma.sync.aligned.m16n8k16.row.col.f32.{bf16,f16} or m16n8k8...tf32 (Warp-Level Matrix: mma).
// All 32 lanes take part. The products are exact, the order and rounding of the hardware's sums are not specified; the
// host adds in f32 in the order of k.
template <class T, int MI, int NJ>
CAMBIUM_DEVICE void mma_tile(Accumulator<MI, NJ>& c, const FragmentA<T, MI>& a, const FragmentB<T, NJ>& b,
                             [[maybe_unused]] Site site = Site::here()) {
    static_assert(std::is_same_v<T, bf16> || std::is_same_v<T, f16> || std::is_same_v<T, float>, "bf16, f16 or tf32");
    static_assert(NJ <= 32, "at most 256 columns");
#if defined(__CUDACC__)
#pragma unroll
    for (int i = 0; i < MI; ++i) {
#pragma unroll
        for (int j = 0; j < NJ; ++j) mma<T>(c.value[i][j], a.reg[i], b.reg[j]);
    }
#else
    constexpr simt::MmaType type = std::is_same_v<T, bf16>  ? simt::MmaType::bf16
                                   : std::is_same_v<T, f16> ? simt::MmaType::f16
                                                            : simt::MmaType::tf32;
    simt::mma_tile({&c.value[0][0][0], &a.reg[0][0], &b.reg[0][0], MI, NJ, type}, site);
#endif
}

#endif

}  // namespace cambium::dev

#pragma GCC diagnostic pop
