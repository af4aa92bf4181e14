#include "tests/simt/conformance/observe.h"

#include "kernels/gpu.h"

namespace cambium::conformance {
namespace {

template <class... Parameters, class... Arguments>
Words run(void (*kernel)(std::uint32_t*, Parameters...), dim3 block, std::size_t words, std::size_t shared_bytes,
          const Arguments&... arguments) {
    dev::Stream stream;
    dev::Buffer<std::uint32_t> out(words, "observed");
    out.fill(0xee, stream);
    dev::launch(kernel, dim3(1), block, shared_bytes, stream, out.data(), arguments...);
    Words result(words);
    out.download(result, stream);
    return result;
}

__global__ void thread_order_kernel(std::uint32_t* out) {
    out[dev::thread_rank()] = threadIdx.x | threadIdx.y << 8 | threadIdx.z << 16 | dev::lane_index() << 24;
}

__global__ void barrier_reductions_kernel(std::uint32_t* out, std::uint32_t true_below) {
    const int predicate = threadIdx.x < true_below;
    const int count = __syncthreads_count(predicate), all = __syncthreads_and(predicate),
              any = __syncthreads_or(predicate);
    out[threadIdx.x * 3] = static_cast<std::uint32_t>(count);
    out[threadIdx.x * 3 + 1] = static_cast<std::uint32_t>(all != 0);
    out[threadIdx.x * 3 + 2] = static_cast<std::uint32_t>(any != 0);
}

struct Words64 {
    dev::Shared<std::uint32_t, 64> word;
};
__global__ void named_barrier_kernel(std::uint32_t* out) {
    auto& s = dev::shared<Words64>();
    if (threadIdx.x < 32) {
        s.word[threadIdx.x] = threadIdx.x * 3;
        dev::barrier_arrive(5, 64);
    } else {
        dev::barrier_sync(5, 64);
        out[threadIdx.x - 32] = s.word[63 - threadIdx.x];
    }
}

__global__ void shuffle_kernel(std::uint32_t* out, int kind, int argument, int width) {
    const int mine = 100 + static_cast<int>(threadIdx.x);
    int got = -1;
    if (kind == 0) got = __shfl_sync(0xffffffffu, mine, argument, width);
    if (kind == 1) got = __shfl_up_sync(0xffffffffu, mine, static_cast<unsigned>(argument), width);
    if (kind == 2) got = __shfl_down_sync(0xffffffffu, mine, static_cast<unsigned>(argument), width);
    if (kind == 3) got = __shfl_xor_sync(0xffffffffu, mine, argument, width);
    out[threadIdx.x] = static_cast<std::uint32_t>(got);
}
__global__ void shuffle_wide_kernel(std::uint32_t* out) {
    const unsigned long long mine = threadIdx.x | static_cast<unsigned long long>(threadIdx.x * 5) << 32;
    const unsigned long long got = __shfl_sync(0xffffffffu, mine, 31 - static_cast<int>(threadIdx.x));
    out[threadIdx.x * 2] = static_cast<std::uint32_t>(got);
    out[threadIdx.x * 2 + 1] = static_cast<std::uint32_t>(got >> 32);
}

__global__ void votes_kernel(std::uint32_t* out, std::uint32_t predicates) {
    const int mine = static_cast<int>(predicates >> threadIdx.x & 1u);
    const unsigned ballot = __ballot_sync(0xffffffffu, mine);
    const int any = __any_sync(0xffffffffu, mine), all = __all_sync(0xffffffffu, mine);
    out[threadIdx.x * 3] = ballot;
    out[threadIdx.x * 3 + 1] = any != 0;
    out[threadIdx.x * 3 + 2] = all != 0;
}

__global__ void matches_kernel(std::uint32_t* out, std::uint32_t groups) {
    const unsigned value = threadIdx.x % groups;
    int equal = -1;
    out[threadIdx.x * 3] = __match_any_sync(0xffffffffu, value);
    out[threadIdx.x * 3 + 1] = __match_all_sync(0xffffffffu, static_cast<unsigned long long>(value) << 32, &equal);
    out[threadIdx.x * 3 + 2] = equal != 0;
}
__global__ void warp_reduction_kernel(std::uint32_t* out, WarpSum kind) {
    const int value = static_cast<int>((threadIdx.x * 37 + 11) % 64) - 20;
    const unsigned bits = static_cast<unsigned>(value);
    unsigned result = 0;
    if (kind == WarpSum::add_int) result = static_cast<unsigned>(__reduce_add_sync(0xffffffffu, value));
    if (kind == WarpSum::min_int) result = static_cast<unsigned>(__reduce_min_sync(0xffffffffu, value));
    if (kind == WarpSum::max_int) result = static_cast<unsigned>(__reduce_max_sync(0xffffffffu, value));
    if (kind == WarpSum::add) result = __reduce_add_sync(0xffffffffu, bits);
    if (kind == WarpSum::min) result = __reduce_min_sync(0xffffffffu, bits);
    if (kind == WarpSum::max) result = __reduce_max_sync(0xffffffffu, bits);
    if (kind == WarpSum::and_) result = __reduce_and_sync(0xffffffffu, bits);
    if (kind == WarpSum::or_) result = __reduce_or_sync(0xffffffffu, bits);
    if (kind == WarpSum::xor_) result = __reduce_xor_sync(0xffffffffu, bits);
    out[threadIdx.x] = result;
}
__global__ void bit_operations_kernel(std::uint32_t* out, unsigned x, unsigned y) {
    const unsigned long long wide = static_cast<unsigned long long>(y) << 32 | x;
    out[0] = __brev(x);
    out[1] = static_cast<unsigned>(__popc(x));
    out[2] = static_cast<unsigned>(__clz(static_cast<int>(x)));
    out[3] = static_cast<unsigned>(__ffs(static_cast<int>(x)));
    out[4] = static_cast<unsigned>(__popcll(wide));
    out[5] = static_cast<unsigned>(__clzll(static_cast<long long>(wide)));
    out[6] = static_cast<unsigned>(__ffsll(static_cast<long long>(wide)));
    out[7] = __umulhi(x, y);
    out[8] = static_cast<unsigned>(__mulhi(static_cast<int>(x), static_cast<int>(y)));
    out[9] = __funnelshift_l(x, y, 12);
    out[10] = __funnelshift_r(x, y, 12);
    out[11] = __byte_perm(x, y, 0x6a35);
    out[12] = __float_as_uint(__saturatef(__uint_as_float(x)));
    out[13] = __float_as_uint(__fmaf_rn(1.0f + 0x1p-12f, 1.0f + 0x1p-12f, -1.0f));
}
__global__ void wrapping_atomics_kernel(std::uint32_t* out, unsigned start, unsigned limit) {
    out[1] = out[3] = start;
    out[0] = atomicInc(reinterpret_cast<unsigned*>(out + 1), limit);
    out[2] = atomicDec(reinterpret_cast<unsigned*>(out + 3), limit);
}

template <class T>
__device__ T apply(AtomicKind kind, T* cell, T operand) {
    switch (kind) {
        case AtomicKind::add:
            return atomicAdd(cell, operand);
        case AtomicKind::subtract:
            return atomicSub(cell, operand);
        case AtomicKind::minimum:
            return atomicMin(cell, operand);
        case AtomicKind::maximum:
            return atomicMax(cell, operand);
        case AtomicKind::exchange:
            return atomicExch(cell, operand);
        case AtomicKind::and_:
            return atomicAnd(cell, operand);
        case AtomicKind::or_:
            return atomicOr(cell, operand);
        case AtomicKind::xor_:
            return atomicXor(cell, operand);
    }
    return operand;
}
__global__ void atomic_unsigned_kernel(std::uint32_t* out, AtomicKind kind, unsigned start, unsigned operand) {
    unsigned* const cell = reinterpret_cast<unsigned*>(out + 1);
    *cell = start;
    out[0] = apply(kind, cell, operand);
}
__global__ void atomic_signed_kernel(std::uint32_t* out, AtomicKind kind, int start, int operand) {
    int* const cell = reinterpret_cast<int*>(out + 1);
    *cell = start;
    out[0] = static_cast<std::uint32_t>(apply(kind, cell, operand));
}
__global__ void atomic_float_kernel(std::uint32_t* out, float start, float operand) {
    float* const cell = reinterpret_cast<float*>(out + 1);
    *cell = start;
    out[0] = __float_as_uint(atomicAdd(cell, operand));
}
__global__ void compare_swap_kernel(std::uint32_t* out, unsigned start, unsigned expected, unsigned desired) {
    unsigned* const cell = reinterpret_cast<unsigned*>(out + 1);
    *cell = start;
    out[0] = atomicCAS(cell, expected, desired);
}
__global__ void ordered_atomics_kernel(std::uint32_t* out) {
    using dev::Order;
    using dev::Scope;
    unsigned* const cell = reinterpret_cast<unsigned*>(out);
    dev::store_strong<Order::relaxed, Scope::block>(cell, 1u);
    out[1] = dev::atomic_add<Order::relaxed, Scope::block>(cell, 10u);
    out[2] = dev::atomic_add<Order::acquire, Scope::device>(cell, 10u);
    out[3] = dev::atomic_add<Order::release, Scope::system>(cell, 10u);
    out[4] = dev::atomic_add<Order::acquire_release, Scope::device>(cell, 10u);
    out[5] = dev::atomic_exchange<Order::acquire_release, Scope::device>(cell, 7u);
    out[6] = dev::atomic_compare_swap<Order::acquire, Scope::device>(cell, 7u, 9u);
    out[7] = dev::atomic_compare_swap<Order::release, Scope::block>(cell, 7u, 11u);
    dev::fence<Scope::block>();
    dev::fence<Scope::device>();
    dev::fence<Scope::system>();
    out[8] = dev::load_strong<Order::relaxed, Scope::system>(cell);
    dev::store_strong<Order::release, Scope::device>(cell, 12u);
    out[9] = dev::load_strong<Order::acquire, Scope::device>(cell);
}

struct Bytes16 {
    dev::Shared<std::uint32_t, 4> word;
};
__global__ void async_copy_kernel(std::uint32_t* out, const std::uint32_t* in, int bytes, unsigned source_bytes) {
    auto& s = dev::shared<Bytes16>();
    for (int i = 0; i < 4; ++i) s.word[i] = 0xa5a5a5a5u;
    if (bytes == 4) dev::cp_async<4>(&s.word[0], in, source_bytes);
    if (bytes == 8) dev::cp_async<8>(&s.word[0], in, source_bytes);
    if (bytes == 16) dev::cp_async<16>(&s.word[0], in, source_bytes);
    dev::cp_async_commit();
    dev::cp_async_wait<0>();
    for (int i = 0; i < 4; ++i) out[i] = s.word[i];
}

struct Matrices {
    dev::Shared<std::uint16_t, 4, 8, 8> element;
};
template <bool transposed>
__global__ void load_matrix_kernel(std::uint32_t* out) {
    auto& s = dev::shared<Matrices>();
    for (unsigned i = threadIdx.x; i < 256; i += 32) s.element.begin()[i] = static_cast<std::uint16_t>(i);
    __syncthreads();
    std::uint32_t reg[1][4];
    dev::load_matrices<transposed>(reg, [&](int) { return &s.element[threadIdx.x / 8][threadIdx.x % 8][0]; });
    for (int q = 0; q < 4; ++q) out[threadIdx.x * 4 + q] = reg[0][q];
}

// Registers filled straight from device memory by the layouts of matrix.h; C [16, 16] is read and written.
template <class T>
__device__ std::uint32_t pack(const float* values, int first, int second) {
    if constexpr (sizeof(T) == 4) return __float_as_uint(values[first]);
    if constexpr (sizeof(T) == 2) return T(values[first]).raw | static_cast<std::uint32_t>(T(values[second]).raw) << 16;
}
template <class T, bool rounded>
__global__ void multiply_kernel(std::uint32_t* out, const float* a, const float* b) {
    constexpr int kDepth = dev::kMmaDepth<T>;
    const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
    dev::FragmentA<T, 1> fa;
    dev::FragmentB<T, 2> fb;
    dev::Accumulator<1, 2> c;
    for (int r = 0; r < 4; ++r) {
        const int row = g + 8 * (r % 2), k = sizeof(T) == 2 ? 2 * t + 8 * (r / 2) : t + 4 * (r / 2);
        fa.reg[0][r] = pack<T>(a, row * kDepth + k, row * kDepth + k + 1);
    }
    for (int j = 0; j < 2; ++j) {
        for (int r = 0; r < 2; ++r) {
            const int column = 8 * j + g, k = sizeof(T) == 2 ? 2 * t + 8 * r : t + 4 * r;
            fb.reg[j][r] = pack<T>(b, k * 16 + column, (k + 1) * 16 + column);
        }
        for (int v = 0; v < 4; ++v) {
            c.value[0][j][v] = __uint_as_float(out[dev::accumulator_row(0, v) * 16 + dev::accumulator_column(j, v)]);
        }
    }
    if constexpr (rounded) {
        dev::round_to_tf32(fa);
        dev::round_to_tf32(fb);
    }
    dev::mma_tile(c, fa, fb);
    for (int j = 0; j < 2; ++j) {
        for (int v = 0; v < 4; ++v) {
            out[dev::accumulator_row(0, v) * 16 + dev::accumulator_column(j, v)] = __float_as_uint(c.value[0][j][v]);
        }
    }
}
template <class T, bool rounded>
Words run_multiply() {
    constexpr int kDepth = dev::kMmaDepth<T>;
    std::vector<float> a(16 * kDepth), b(17 * 16), c(16 * 16);
    for (int r = 0; r < 16; ++r) {
        for (int k = 0; k < kDepth; ++k) {
            a[static_cast<std::size_t>(r * kDepth + k)] = mma_a(r, k) * (sizeof(T) == 4 ? kBelowTf32 : 1.0f);
        }
        for (int j = 0; j < 16; ++j) c[static_cast<std::size_t>(r * 16 + j)] = mma_c(r, j);
    }
    for (int k = 0; k < kDepth; ++k) {
        for (int j = 0; j < 16; ++j) b[static_cast<std::size_t>(k * 16 + j)] = mma_b(k, j);
    }
    dev::Stream stream;
    dev::Buffer<float> device_a(a, stream, "a"), device_b(b, stream, "b"), device_c(c, stream, "c");
    dev::launch(multiply_kernel<T, rounded>, dim3(1), dim3(32), 0, stream,
                reinterpret_cast<std::uint32_t*>(device_c.data()), device_a.data(), device_b.data());
    device_c.download(c, stream);
    Words result(c.size());
    for (std::size_t i = 0; i < c.size(); ++i) result[i] = bits::of(c[i]);
    return result;
}

__global__ void round_to_tf32_kernel(std::uint32_t* out, const std::uint32_t* in) {
    out[threadIdx.x] = dev::round_to_tf32(in[threadIdx.x]);
}
template <class T>
__global__ void convert_kernel(std::uint32_t* out, const float* in) {
    const T low(in[threadIdx.x]);
    out[threadIdx.x * 2] = low.raw;
    out[threadIdx.x * 2 + 1] = __float_as_uint(static_cast<float>(low));
}
template <class T>
Words convert(const std::vector<float>& values) {
    dev::Stream stream;
    dev::Buffer<float> in(values, stream, "values");
    stream.synchronize();
    return run(convert_kernel<T>, dim3(static_cast<unsigned>(values.size())), values.size() * 2, 0,
               static_cast<const float*>(in.data()));
}

__global__ void vector_accesses_kernel(std::uint32_t* out, const std::uint32_t* in) {
    const uint4 a = dev::load_vector<uint4>(in);
    const uint2 b = dev::load_vector<uint2>(in + 4);
    dev::store_vector(out, uint4{a.w, a.z, a.y, a.x});
    dev::store_vector(out + 4, uint2{b.y, b.x});
    const auto halves = dev::load_nc(reinterpret_cast<const dev::Vector<std::uint16_t, 8>*>(in));
    out[6] = halves[0] | static_cast<std::uint32_t>(halves[7]) << 16;
    out[7] = dev::load_nc(in + 5) ^ __ldg(in + 4);
}

}  // namespace

Words thread_order() { return run(thread_order_kernel, dim3(4, 3, 5), 60, 0); }
Words barrier_reductions(std::uint32_t true_below) {
    return run(barrier_reductions_kernel, dim3(96), 96 * 3, 0, true_below);
}
Words named_barrier_hand_over() { return run(named_barrier_kernel, dim3(64), 32, sizeof(Words64)); }
Words shuffle(int kind, int argument, int width) { return run(shuffle_kernel, dim3(32), 32, 0, kind, argument, width); }
Words shuffle_wide() { return run(shuffle_wide_kernel, dim3(32), 64, 0); }
Words votes(std::uint32_t predicates) { return run(votes_kernel, dim3(32), 96, 0, predicates); }
Words matches(std::uint32_t groups) { return run(matches_kernel, dim3(32), 96, 0, groups); }
Words warp_reduction(WarpSum kind) { return run(warp_reduction_kernel, dim3(32), 32, 0, kind); }
Words bit_operations(std::uint32_t x, std::uint32_t y) { return run(bit_operations_kernel, dim3(1), 14, 0, x, y); }
Words wrapping_atomics(std::uint32_t start, std::uint32_t limit) {
    return run(wrapping_atomics_kernel, dim3(1), 4, 0, start, limit);
}
Words atomic_unsigned(AtomicKind kind, std::uint32_t start, std::uint32_t operand) {
    return run(atomic_unsigned_kernel, dim3(1), 2, 0, kind, start, operand);
}
Words atomic_signed(AtomicKind kind, std::int32_t start, std::int32_t operand) {
    return run(atomic_signed_kernel, dim3(1), 2, 0, kind, start, operand);
}
Words atomic_float(float start, float operand) { return run(atomic_float_kernel, dim3(1), 2, 0, start, operand); }
Words compare_swap(std::uint32_t start, std::uint32_t expected, std::uint32_t desired) {
    return run(compare_swap_kernel, dim3(1), 2, 0, start, expected, desired);
}
Words ordered_atomics() { return run(ordered_atomics_kernel, dim3(1), 10, 0); }
Words async_copy(int bytes, std::uint32_t source_bytes) {
    dev::Stream stream;
    const Words source{0x03020100u, 0x07060504u, 0x0b0a0908u, 0x0f0e0d0cu};
    dev::Buffer<std::uint32_t> in(source, stream, "source");
    stream.synchronize();
    return run(async_copy_kernel, dim3(1), 4, sizeof(Bytes16), static_cast<const std::uint32_t*>(in.data()), bytes,
               source_bytes);
}
Words load_matrix(bool transposed) {
    return run(transposed ? load_matrix_kernel<true> : load_matrix_kernel<false>, dim3(32), 128, sizeof(Matrices));
}
Words multiply(MmaOperand operand) {
    switch (operand) {
        case MmaOperand::bf16:
            return run_multiply<bf16, false>();
        case MmaOperand::f16:
            return run_multiply<f16, false>();
        case MmaOperand::tf32:
            return run_multiply<float, false>();
        case MmaOperand::tf32_rounded:
            return run_multiply<float, true>();
    }
    return {};
}
Words round_to_tf32(const Words& values) {
    dev::Stream stream;
    dev::Buffer<std::uint32_t> in(values, stream, "values");
    stream.synchronize();
    return run(round_to_tf32_kernel, dim3(static_cast<unsigned>(values.size())), values.size(), 0,
               static_cast<const std::uint32_t*>(in.data()));
}
Words bf16_of(const std::vector<float>& values) { return convert<bf16>(values); }
Words f16_of(const std::vector<float>& values) { return convert<f16>(values); }
Words vector_accesses() {
    dev::Stream stream;
    const Words source{0x11111110u, 0x22222221u, 0x33333332u, 0x44444443u, 0x55555554u, 0x66666665u};
    dev::Buffer<std::uint32_t> in(source, stream, "source");
    stream.synchronize();
    return run(vector_accesses_kernel, dim3(1), 8, 0, static_cast<const std::uint32_t*>(in.data()));
}

float mma_a(int row, int k) {
    constexpr float kValues[] = {-4, -2, -1, 0, 1, 2, 4};
    return kValues[(row * 5 + k * 3) % 7];
}
float mma_b(int k, int column) { return static_cast<float>((k * 4 + column * 9) % 5 - 2); }
float mma_c(int row, int column) { return static_cast<float>(row - column); }

}  // namespace cambium::conformance
