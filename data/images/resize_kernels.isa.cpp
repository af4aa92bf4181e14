// The kernels of resize_kernels.h, compiled per instruction set. With AVX2 a 22-bit weight does not fit the 16-bit
// multiply-add (vpmaddwd), so it is split into high * 4096 + low, and both parts are summed exactly in 32 bits:
// sum = (sum_high << 12) + sum_low. Everything else is the plain loop.
#include "data/images/resize_kernels.h"

#include <algorithm>

#if CAMBIUM_ISA_LEVEL >= 3
#include <immintrin.h>
#endif

namespace cambium::resize_kernels {

namespace {

constexpr std::int32_t half = 1 << (precision_bits - 1);

#if CAMBIUM_ISA_LEVEL >= 3

constexpr int low_bits = 12;
constexpr std::int32_t low_mask = (1 << low_bits) - 1;

// Two halves of two neighbouring weights, as the 16-bit pairs that vpmaddwd multiplies.
std::int32_t pair(std::int32_t first, std::int32_t second) {
    return static_cast<std::int32_t>((static_cast<std::uint32_t>(first) & 0xFFFFu) |
                                     (static_cast<std::uint32_t>(second) << 16));
}
std::int32_t low_pair(std::int32_t a, std::int32_t b) { return pair(a & low_mask, b & low_mask); }
std::int32_t high_pair(std::int32_t a, std::int32_t b) { return pair(a >> low_bits, b >> low_bits); }

__m256i load_pixels(const std::uint8_t* pixel) {  // four RGB pixels as 16-bit pairs: r0 r1 g0 g1 b0 b1 | r2 r3 ...
    const __m256i order = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                                           6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(pixel));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), order);
}

__m256i finish(__m256i high, __m256i low) {  // 32-bit sums to samples, clamped by the packs that follow
    const __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(high, low_bits), low);
    return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(half)), precision_bits);
}

void horizontal(const std::uint8_t* row, const Axis& axis, int outputs, std::uint8_t* out) {
    for (int i = 0; i < outputs; ++i, out += 3) {
        const auto index = static_cast<std::size_t>(i);
        const std::int32_t* weights = axis.weights.data() + index * axis.capacity;
        const std::uint8_t* pixel = row + 3 * static_cast<std::size_t>(axis.first[index]);
        const __m128i mask = _mm_set1_epi32(low_mask);
        __m256i high = _mm256_setzero_si256(), low = high;
        for (int k = 0; k < axis.count[index]; k += 4, pixel += 12) {
            const __m256i samples = load_pixels(pixel);
            const __m128i w = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights + k));
            // [low of weights 0..3 | high of weights 0..3] as 16 bits each: pair p of a half is 32-bit lane p.
            const __m128i halves = _mm_packs_epi32(_mm_and_si128(w, mask), _mm_srai_epi32(w, low_bits));
            const __m256i lanes = _mm256_castsi128_si256(halves);
            const __m256i low_weights = _mm256_permutevar8x32_epi32(lanes, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
            const __m256i high_weights = _mm256_permutevar8x32_epi32(lanes, _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3));
            low = _mm256_add_epi32(low, _mm256_madd_epi16(samples, low_weights));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(samples, high_weights));
        }
        const __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(high, low_bits), low);
        __m128i rgb = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
        rgb = _mm_srai_epi32(_mm_add_epi32(rgb, _mm_set1_epi32(half)), precision_bits);
        rgb = _mm_packs_epi32(rgb, rgb);
        const int packed = _mm_cvtsi128_si32(_mm_packus_epi16(rgb, rgb));
        __builtin_memcpy(out, &packed, 4);  // the fourth byte belongs to the next pixel, written after this one
    }
}

// 16 samples of one output row.
__m128i vertical_16(const std::uint8_t* samples, std::size_t stride, const std::int32_t* weights, int count) {
    __m256i high0 = _mm256_setzero_si256(), high1 = high0, low0 = high0, low1 = high0;
    for (int k = 0; k < count; k += 2) {
        const bool odd = k + 1 == count;  // the last row has no partner: itself, with weight zero
        const std::uint8_t* row = samples + static_cast<std::size_t>(k) * stride;
        const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row));
        const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(odd ? row : row + stride));
        const std::int32_t w0 = weights[k], w1 = odd ? 0 : weights[k + 1];
        const __m256i low = _mm256_set1_epi32(low_pair(w0, w1)), high = _mm256_set1_epi32(high_pair(w0, w1));
        const __m256i first = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b));
        const __m256i second = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
        low0 = _mm256_add_epi32(low0, _mm256_madd_epi16(first, low));
        high0 = _mm256_add_epi32(high0, _mm256_madd_epi16(first, high));
        low1 = _mm256_add_epi32(low1, _mm256_madd_epi16(second, low));
        high1 = _mm256_add_epi32(high1, _mm256_madd_epi16(second, high));
    }
    // The packs work within 128-bit halves; the permutation puts the four groups back in order.
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(finish(high0, low0), finish(high1, low1)), 0xD8);
    return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

void vertical(const std::uint8_t* rows, std::size_t stride, const std::int32_t* weights, int count, std::size_t bytes,
              std::uint8_t* out) {
    std::size_t i = 0;
    for (; i + 16 <= bytes; i += 16)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), vertical_16(rows + i, stride, weights, count));
    if (i == bytes) return;
    alignas(16) std::uint8_t rest[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(rest), vertical_16(rows + i, stride, weights, count));
    std::copy_n(rest, bytes - i, out + i);
}

#else

std::uint8_t to_u8(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> precision_bits, 0, 255)); }

void horizontal(const std::uint8_t* row, const Axis& axis, int outputs, std::uint8_t* out) {
    for (int i = 0; i < outputs; ++i, out += 3) {
        const auto index = static_cast<std::size_t>(i);
        const std::int32_t* weights = axis.weights.data() + index * axis.capacity;
        const std::uint8_t* pixel = row + 3 * static_cast<std::size_t>(axis.first[index]);
        std::int32_t red = half, green = half, blue = half;
        for (int k = 0; k < axis.count[index]; ++k, pixel += 3) {
            red += pixel[0] * weights[k];
            green += pixel[1] * weights[k];
            blue += pixel[2] * weights[k];
        }
        out[0] = to_u8(red);
        out[1] = to_u8(green);
        out[2] = to_u8(blue);
    }
}

void vertical(const std::uint8_t* rows, std::size_t stride, const std::int32_t* weights, int count, std::size_t bytes,
              std::uint8_t* out) {
    constexpr std::size_t block = 64;  // sums stay in registers or the first cache level
    for (std::size_t begin = 0; begin < bytes; begin += block) {
        const std::size_t length = std::min(block, bytes - begin);
        std::int32_t sums[block];
        std::fill_n(sums, block, half);
        for (int k = 0; k < count; ++k) {
            const std::uint8_t* row = rows + static_cast<std::size_t>(k) * stride + begin;
            for (std::size_t i = 0; i < length; ++i) sums[i] += row[i] * weights[k];
        }
        for (std::size_t i = 0; i < length; ++i) out[begin + i] = to_u8(sums[i]);
    }
}

#endif

}  // namespace

namespace CAMBIUM_ISA {
const Kernels kernels{horizontal, vertical};
}

}  // namespace cambium::resize_kernels
