// One observation per instruction of gpu.h: a kernel runs it on fixed inputs and returns what every lane holds
// afterwards.
#pragma once

#include <cstdint>
#include <vector>

namespace cambium::conformance {

using Words = std::vector<std::uint32_t>;

enum class MmaOperand { bf16, f16, tf32, tf32_rounded };
enum class WarpSum { add_int, min_int, max_int, add, min, max, and_, or_, xor_ };
enum class AtomicKind { add, subtract, minimum, maximum, exchange, and_, or_, xor_ };

Words thread_order();                                // block (4, 3, 5): x, y, z packed, by thread_rank
Words barrier_reductions(std::uint32_t true_below);  // count, and, or over 96 threads whose rank is below
Words named_barrier_hand_over();                     // what warp 1 reads after warp 0 arrived
Words shuffle(int kind, int argument, int width);    // 0 idx, 1 up, 2 down, 3 bfly; lane i offers 100 + i
Words shuffle_wide();                                // 64-bit idx from lane 31 - i: low and high words
Words votes(std::uint32_t predicates);               // ballot, any, all
Words matches(std::uint32_t groups);  // match.any of lane % groups; match.all of the same: mask, predicate
Words warp_reduction(WarpSum kind);   // lane i offers (i * 37 + 11) % 64 - 20
Words bit_operations(std::uint32_t x, std::uint32_t y);  // brev, popc, clz, ffs, popcll, clzll, ffsll of y:x, ...
Words wrapping_atomics(std::uint32_t start, std::uint32_t limit);  // atom.inc: old, new; atom.dec: old, new
Words atomic_unsigned(AtomicKind kind, std::uint32_t start, std::uint32_t operand);      // old, new
Words atomic_signed(AtomicKind kind, std::int32_t start, std::int32_t operand);          // old, new
Words atomic_float(float start, float operand);                                          // bits of old, new
Words compare_swap(std::uint32_t start, std::uint32_t expected, std::uint32_t desired);  // old, new
Words ordered_atomics();                                  // each order and scope of atomic_add, exchange, store, load
Words async_copy(int bytes, std::uint32_t source_bytes);  // 16 bytes of target that started as 0xa5
Words load_matrix(bool transposed);                       // [lane, 4], element (matrix, row, column) = 64 m + 8 r + c
Words multiply(MmaOperand operand);                       // C [16, 16] after C += A B on the inputs of mma_inputs
Words round_to_tf32(const Words& bits);
Words bf16_of(const std::vector<float>& values);
Words f16_of(const std::vector<float>& values);
Words vector_accesses();  // 4, 8 and 16 bytes at once, load_nc and __ldg

// Inputs of multiply: small integers; A holds powers of two, for tf32 times 1 + 1.5 * 2^-11, just below its 10 bits of
// mantissa.
float mma_a(int row, int k);
float mma_b(int k, int column);
float mma_c(int row, int column);
inline constexpr float kBelowTf32 = 1.0f + 0x1.8p-11f;  // rounds to 1 + 2^-10, truncates to 1

}  // namespace cambium::conformance
