// What each instruction of gpu.h must do, written down from the PTX manual (chapter and section beside each), against
// what it does: in the fast run, in the checked run, and, built by nvcc, on a GPU. Prints one line per observation; the
// first difference in full. Exit status 1 where anything differs.
#include <cstdio>
#include <functional>
#include <string>
#include <tuple>

#include "engine/base/error.h"
#include "engine/base/numeric.h"
#include "tests/simt/conformance/observe.h"

using namespace cambium;
using namespace cambium::conformance;

namespace {

struct Observation {
    std::string name;
    std::function<Words()> observed;
    Words expected;
};

Words by_lane(std::size_t count, const std::function<std::uint32_t(std::uint32_t)>& value) {
    Words words(count);
    for (std::size_t i = 0; i < count; ++i) words[i] = value(static_cast<std::uint32_t>(i));
    return words;
}

void add_indices(std::vector<Observation>& list) {
    // Chapter 10, %tid, %laneid: threads are numbered with x fastest, 32 consecutive ones to a warp.
    list.push_back({"%tid, %laneid", thread_order, by_lane(60, [](std::uint32_t rank) {
                        return rank % 4 | rank / 4 % 3 << 8 | rank / 12 << 16 | rank % 32 << 24;
                    })});
}

void add_barriers(std::vector<Observation>& list) {
    // Parallel Synchronization: barrier.red.popc, .and, .or over all threads of the block.
    for (const std::uint32_t below : {0u, 1u, 40u, 96u}) {
        list.push_back({"barrier.red, " + std::to_string(below) + " true", [=] { return barrier_reductions(below); },
                        by_lane(96 * 3, [=](std::uint32_t i) {
                            return i % 3 == 0 ? below : i % 3 == 1 ? (below == 96 ? 1u : 0u) : (below > 0 ? 1u : 0u);
                        })});
    }
    // Parallel Synchronization: barrier.arrive makes the producer's stores visible to those in barrier.sync.
    list.push_back({"barrier.arrive / barrier.sync", named_barrier_hand_over,
                    by_lane(32, [](std::uint32_t i) { return (31 - i) * 3; })});
}

// Data Movement: shfl.sync, the pseudocode of the manual. c holds the mask of the sub-warp and the clamp.
std::uint32_t shfl_source(int kind, std::uint32_t lane, std::uint32_t b, std::uint32_t width) {
    const std::uint32_t segmask = 32 - width;
    const std::uint32_t clamp = kind == 1 ? 0 : 0x1f;
    const std::uint32_t max_lane = (lane & segmask) | (clamp & ~segmask), min_lane = lane & segmask;
    std::int64_t j = 0;
    bool p = false;
    if (kind == 1) {
        j = std::int64_t{lane} - b;
        p = j >= max_lane;
    } else if (kind == 2) {
        j = std::int64_t{lane} + b;
        p = j <= max_lane;
    } else if (kind == 3) {
        j = lane ^ b;
        p = j <= max_lane;
    } else {
        j = min_lane | (b & ~segmask & 0x1f);
        p = j <= max_lane;
    }
    return p ? static_cast<std::uint32_t>(j) : lane;
}

void add_warp_operations(std::vector<Observation>& list) {
    const char* names[] = {"idx", "up", "down", "bfly"};
    for (int kind = 0; kind < 4; ++kind) {
        for (const int width : {32, 16, 8, 2}) {
            for (const int argument : {0, 1, 5, 17, 31}) {
                list.push_back({std::string("shfl.sync.") + names[kind] + " b=" + std::to_string(argument) +
                                    " width=" + std::to_string(width),
                                [=] { return shuffle(kind, argument, width); }, by_lane(32, [=](std::uint32_t lane) {
                                    return 100 + shfl_source(kind, lane, static_cast<std::uint32_t>(argument),
                                                             static_cast<std::uint32_t>(width));
                                })});
            }
        }
    }
    list.push_back({"shfl.sync, 64 bits as two words", shuffle_wide,
                    by_lane(64, [](std::uint32_t i) { return (31 - i / 2) * (i % 2 == 0 ? 1 : 5); })});
    // Parallel Synchronization: vote.sync.ballot puts lane i's predicate into bit i.
    for (const std::uint32_t predicates : {0u, 0xffffffffu, 0x80000001u, 0x0f0f1234u}) {
        list.push_back({"vote.sync of " + std::to_string(predicates), [=] { return votes(predicates); },
                        by_lane(96, [=](std::uint32_t i) {
                            return i % 3 == 0   ? predicates
                                   : i % 3 == 1 ? (predicates != 0 ? 1u : 0u)
                                                : (predicates == 0xffffffffu ? 1u : 0u);
                        })});
    }
}

void add_matches_and_reductions(std::vector<Observation>& list) {
    // Parallel Synchronization: match.sync.any, .all.
    for (const std::uint32_t groups : {1u, 2u, 5u, 32u}) {
        list.push_back({"match.sync of " + std::to_string(groups) + " values", [=] { return matches(groups); },
                        by_lane(96, [=](std::uint32_t i) {
                            std::uint32_t same = 0;
                            for (std::uint32_t lane = i / 3 % groups; lane < 32; lane += groups) same |= 1u << lane;
                            return i % 3 == 0 ? same : groups > 1 ? 0u : i % 3 == 1 ? 0xffffffffu : 1u;
                        })});
    }
    // Parallel Synchronization: redux.sync. The values are -20 to 43, or the same as unsigned.
    std::int32_t sum = 0, least = 100, most = -100;
    std::uint32_t all = 0xffffffffu, any = 0, odd = 0, lowest = 0xffffffffu, highest = 0;
    for (std::int32_t i = 0; i < 32; ++i) {
        const std::int32_t value = (i * 37 + 11) % 64 - 20;
        const auto bits = static_cast<std::uint32_t>(value);
        sum += value;
        least = std::min(least, value);
        most = std::max(most, value);
        lowest = std::min(lowest, bits);
        highest = std::max(highest, bits);
        all &= bits;
        any |= bits;
        odd ^= bits;
    }
    const auto u = [](std::int32_t value) { return static_cast<std::uint32_t>(value); };
    for (const auto& [name, kind, result] : {std::tuple{"add.s32", WarpSum::add_int, u(sum)},
                                             {"min.s32", WarpSum::min_int, u(least)},
                                             {"max.s32", WarpSum::max_int, u(most)},
                                             {"add.u32", WarpSum::add, u(sum)},
                                             {"min.u32", WarpSum::min, lowest},
                                             {"max.u32", WarpSum::max, highest},
                                             {"and.b32", WarpSum::and_, all},
                                             {"or.b32", WarpSum::or_, any},
                                             {"xor.b32", WarpSum::xor_, odd}}) {
        list.push_back(
            {std::string("redux.sync.") + name, [kind = kind] { return warp_reduction(kind); }, Words(32, result)});
    }
}

void add_bits(std::vector<Observation>& list) {
    // Integer Arithmetic: brev, popc, clz, bfind, mul.hi; Logic and Shift: shf.wrap; Data Movement: prmt; and of floats
    // add.sat, fma.rn: (1 + 2^-12)^2 - 1 keeps its last bit only where nothing is rounded between.
    list.push_back({"bits of 80000012, 00ff00f0",
                    [] { return bit_operations(0x80000012u, 0x00ff00f0u); },
                    {0x48000001u, 3, 0, 2, 15, 8, 2, 0x007f8078u, 0xff807f88u, 0xf00f0800u, 0x0f080000u, 0xff008000u, 0,
                     0x3a000400u}});
    list.push_back(
        {"bits of 40200000, 00000000",
         [] { return bit_operations(0x40200000u, 0); },
         {0x00000402u, 2, 1, 22, 2, 33, 22, 0, 0, 0x00000402u, 0x00040200u, 0x00004000u, 0x3f800000u, 0x3a000400u}});
}

void add_atomics(std::vector<Observation>& list) {
    // Parallel Synchronization: atom.inc and .dec: (old >= limit) ? 0 : old + 1; (old == 0 || old > limit) ? limit :
    // old - 1.
    for (const auto& [start, up, down] : {std::tuple{0u, 1u, 9u}, {4u, 5u, 3u}, {9u, 0u, 8u}, {12u, 0u, 9u}}) {
        list.push_back({"atom.inc, atom.dec of " + std::to_string(start) + " to 9",
                        [start = start] { return wrapping_atomics(start, 9); },
                        {start, up, start, down}});
    }
    // Parallel Synchronization: atom. Returns the value before; integers wrap; .min and .max know the sign; .f32 add
    // rounds to nearest even.
    struct Unsigned {
        AtomicKind kind;
        const char* name;
        std::uint32_t start, operand, result;
    };
    for (const Unsigned& c : {Unsigned{AtomicKind::add, "add", 0xfffffffeu, 5, 3},
                              {AtomicKind::subtract, "sub", 2, 5, 0xfffffffdu},
                              {AtomicKind::minimum, "min", 7, 0xfffffff0u, 7},
                              {AtomicKind::maximum, "max", 7, 0xfffffff0u, 0xfffffff0u},
                              {AtomicKind::exchange, "exch", 1, 2, 2},
                              {AtomicKind::and_, "and", 0xf0f0u, 0xff00u, 0xf000u},
                              {AtomicKind::or_, "or", 0xf0f0u, 0xff00u, 0xfff0u},
                              {AtomicKind::xor_, "xor", 0xf0f0u, 0xff00u, 0x0ff0u}}) {
        list.push_back({std::string("atom.") + c.name + ".u32",
                        [=] { return atomic_unsigned(c.kind, c.start, c.operand); },
                        {c.start, c.result}});
    }
    list.push_back({"atom.min.s32", [] { return atomic_signed(AtomicKind::minimum, 7, -16); }, {7, 0xfffffff0u}});
    list.push_back({"atom.max.s32", [] { return atomic_signed(AtomicKind::maximum, 7, -16); }, {7, 7}});
    list.push_back({"atom.add.f32", [] { return atomic_float(1.5f, 2.25f); }, {0x3fc00000u, 0x40700000u}});
    list.push_back(
        {"atom.add.f32, ties to even", [] { return atomic_float(16777216.0f, 1.0f); }, {0x4b800000u, 0x4b800000u}});
    list.push_back({"atom.cas, equal", [] { return compare_swap(3, 3, 8); }, {3, 8}});
    list.push_back({"atom.cas, different", [] { return compare_swap(3, 4, 8); }, {3, 3}});
    list.push_back({"atom, ld, st with order and scope", ordered_atomics, {12, 1, 11, 21, 31, 41, 7, 9, 9, 12}});
}

void add_copies(std::vector<Observation>& list) {
    // Data Movement: cp.async copies src-size bytes, the rest of cp-size is zero; what lies behind cp-size stays.
    for (const int bytes : {4, 8, 16}) {
        for (std::uint32_t source = 0; source <= static_cast<std::uint32_t>(bytes); ++source) {
            list.push_back({"cp.async " + std::to_string(bytes) + " of " + std::to_string(source),
                            [=] { return async_copy(bytes, source); }, by_lane(4, [=](std::uint32_t word) {
                                std::uint32_t value = 0;
                                for (std::uint32_t byte = 4 * word; byte < 4 * word + 4; ++byte) {
                                    const std::uint32_t b = byte >= static_cast<std::uint32_t>(bytes) ? 0xa5u
                                                            : byte < source                           ? byte
                                                                                                      : 0u;
                                    value |= b << 8 * (byte % 4);
                                }
                                return value;
                            })});
        }
    }
    list.push_back({"ld and st of 4, 8 and 16 bytes, ld.global.nc",
                    vector_accesses,
                    {0x44444443u, 0x33333332u, 0x22222221u, 0x11111110u, 0x66666665u, 0x55555554u, 0x44441110u,
                     0x66666665u ^ 0x55555554u}});
}

void add_matrices(std::vector<Observation>& list) {
    // Warp-Level Matrix: ldmatrix. Thread T receives elements 2 (T % 4), + 1 of row T / 4; .trans: of column T / 4.
    list.push_back({"ldmatrix.x4", [] { return load_matrix(false); }, by_lane(128, [](std::uint32_t i) {
                        const std::uint32_t lane = i / 4, first = 64 * (i % 4) + 8 * (lane / 4) + 2 * (lane % 4);
                        return first | (first + 1) << 16;
                    })});
    list.push_back({"ldmatrix.x4.trans", [] { return load_matrix(true); }, by_lane(128, [](std::uint32_t i) {
                        const std::uint32_t lane = i / 4, first = 64 * (i % 4) + 8 * (2 * (lane % 4)) + lane / 4;
                        return first | (first + 8) << 16;
                    })});
    // Warp-Level Matrix: mma.m16n8k16 and m16n8k8: D = A B + C; .tf32 ignores the low 13 bits of its operands; the sums
    // here are exact in f32, so their order does not matter.
    struct Product {
        MmaOperand operand;
        const char* name;
        int depth;
        double scale;
    };
    for (const Product& p : {Product{MmaOperand::bf16, "mma.m16n8k16 bf16", 16, 1},
                             {MmaOperand::f16, "mma.m16n8k16 f16", 16, 1},
                             {MmaOperand::tf32, "mma.m16n8k8 tf32, truncated", 8, 1},
                             {MmaOperand::tf32_rounded, "mma.m16n8k8 tf32, rounded", 8, 1 + 0x1p-10}}) {
        list.push_back({p.name, [=] { return multiply(p.operand); }, by_lane(256, [=](std::uint32_t i) {
                            const int row = static_cast<int>(i / 16), column = static_cast<int>(i % 16);
                            double sum = static_cast<double>(mma_c(row, column));
                            for (int k = 0; k < p.depth; ++k) {
                                double a = static_cast<double>(mma_a(row, k)) * p.scale;
                                sum += a * static_cast<double>(mma_b(k, column));
                            }
                            return bits::of(static_cast<float>(sum));
                        })});
    }
}

void add_conversions(std::vector<Observation>& list) {
    // Data Movement: cvt.rna.tf32.f32 rounds the magnitude to nearest, ties away from zero.
    list.push_back(
        {"cvt.rna.tf32.f32",
         [] {
             return round_to_tf32({0x3f800000u, 0x3f800fffu, 0x3f801000u, 0xbf801000u, 0x3f802fffu, 0x3f803000u});
         },
         {0x3f800000u, 0x3f800000u, 0x3f802000u, 0xbf802000u, 0x3f802000u, 0x3f804000u}});
    // Data Movement: cvt.rn.bf16.f32 and cvt.rn.f16.f32: nearest, ties to even; and back, which is exact.
    list.push_back({"cvt.rn.bf16.f32",
                    [] {
                        return bf16_of({1.0f, 1.00390625f, 1.01171875f, -1.00390625f, 3.4e38f, 1e-40f});
                    },
                    {0x3f80, 0x3f800000u, 0x3f80, 0x3f800000u, 0x3f82, 0x3f820000u, 0xbf80, 0xbf800000u, 0x7f80,
                     0x7f800000u, 0x0001, 0x00010000u}});
    list.push_back({"cvt.rn.f16.f32",
                    [] {
                        return f16_of({1.0f, 1.00048828125f, 1.00146484375f, 65504.0f, 65520.0f, 0x1p-24f, 0x1p-25f});
                    },
                    {0x3c00, 0x3f800000u, 0x3c00, 0x3f800000u, 0x3c02, 0x3f804000u, 0x7bff, 0x477fe000u, 0x7c00,
                     0x7f800000u, 0x0001, 0x33800000u, 0x0000, 0x00000000u}});
}

bool agrees(const Observation& o) {
    const Words observed = o.observed();
    if (observed == o.expected) return true;
    std::printf("%s: DIFFERS\n", o.name.c_str());
    for (std::size_t i = 0; i < std::max(observed.size(), o.expected.size()); ++i) {
        const std::uint32_t seen = i < observed.size() ? observed[i] : 0,
                            wanted = i < o.expected.size() ? o.expected[i] : 0;
        if (seen == wanted) continue;
        std::printf("  word %zu: the manual says %08x, this device %08x\n", i, wanted, seen);
        break;
    }
    return false;
}

}  // namespace

int main() {
    std::vector<Observation> list;
    add_indices(list);
    add_barriers(list);
    add_warp_operations(list);
    add_matches_and_reductions(list);
    add_bits(list);
    add_atomics(list);
    add_copies(list);
    add_matrices(list);
    add_conversions(list);
    int differences = 0;
    try {
        for (const Observation& o : list) differences += agrees(o) ? 0 : 1;
    } catch (const Error& error) {
        std::printf("%s\n", error.what());
        return 1;
    }
    std::printf("%zu observations, %d differ from the manual\n", list.size(), differences);
    return differences == 0 ? 0 : 1;
}
