// Atomics, fences and strong accesses, with the order and the scope stated: the two things that are wrong when a kernel
// that lets blocks talk to one another fails once a week. The names follow the PTX memory model (chapter 8 of the
// manual).
#pragma once

#include <type_traits>

#include "kernels/gpu/language.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"  // int template parameters as array sizes

namespace cambium::dev {

enum class Order : std::uint8_t { relaxed, acquire, release, acquire_release };
enum class Scope : std::uint8_t { block, device, system };

}  // namespace cambium::dev

#if !defined(CAMBIUM_CUDA) && !defined(__CUDACC__)

namespace cambium::simt {

enum class Atomic : std::uint8_t {
    load,
    store,
    add,
    subtract,
    minimum,
    maximum,
    exchange,
    compare_swap,
    and_,
    or_,
    xor_,
    increment_to,    // up to the operand, then 0
    decrement_from,  // down to 0, then the operand
};
enum class Element : std::uint8_t { i32, u32, i64, u64, f32, f64 };

// One atomic operation on 4 or 8 bytes; returns the old bits.
std::uint64_t atomic(Atomic operation, Element element, void* address, std::uint64_t operand, std::uint64_t comparand,
                     dev::Order order, dev::Scope scope, dev::Site site);
void fence(dev::Scope scope, dev::Site site);
void check_read_only(const void* address, unsigned size, dev::Site site);

template <class T>
constexpr Element element_of() {
    static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "atomics act on 4 or 8 bytes");
    if constexpr (std::is_floating_point_v<T>) return sizeof(T) == 4 ? Element::f32 : Element::f64;
    if constexpr (std::is_signed_v<T>) return sizeof(T) == 4 ? Element::i32 : Element::i64;
    return sizeof(T) == 4 ? Element::u32 : Element::u64;
}
template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <class T>
T atomic_value(Atomic operation, T* address, T operand, T comparand, dev::Order order, dev::Scope scope,
               dev::Site site) {
    return std::bit_cast<T>(
        static_cast<BitsOf<T>>(atomic(operation, element_of<T>(), address, std::bit_cast<BitsOf<T>>(operand),
                                      std::bit_cast<BitsOf<T>>(comparand), order, scope, site)));
}

}  // namespace cambium::simt

// CUDA's names: relaxed atom.* at device scope, or at block scope with the suffix _block (Parallel Synchronization:
// atom).
#define CAMBIUM_CUDA_ATOMIC(name, operation)                                                                          \
    template <class T>                                                                                                \
    T name(T* address, std::type_identity_t<T> value, cambium::dev::Site site = cambium::dev::Site::here()) {         \
        return cambium::simt::atomic_value(cambium::simt::Atomic::operation, address, value, T{},                     \
                                           cambium::dev::Order::relaxed, cambium::dev::Scope::device, site);          \
    }                                                                                                                 \
    template <class T>                                                                                                \
    T name##_block(T* address, std::type_identity_t<T> value, cambium::dev::Site site = cambium::dev::Site::here()) { \
        return cambium::simt::atomic_value(cambium::simt::Atomic::operation, address, value, T{},                     \
                                           cambium::dev::Order::relaxed, cambium::dev::Scope::block, site);           \
    }
CAMBIUM_CUDA_ATOMIC(atomicAdd, add)
CAMBIUM_CUDA_ATOMIC(atomicSub, subtract)
CAMBIUM_CUDA_ATOMIC(atomicMin, minimum)
CAMBIUM_CUDA_ATOMIC(atomicMax, maximum)
CAMBIUM_CUDA_ATOMIC(atomicExch, exchange)
CAMBIUM_CUDA_ATOMIC(atomicAnd, and_)
CAMBIUM_CUDA_ATOMIC(atomicOr, or_)
CAMBIUM_CUDA_ATOMIC(atomicXor, xor_)
#undef CAMBIUM_CUDA_ATOMIC
// atom.inc and atom.dec: a counter that runs from 0 to `limit` and wraps.
#define CAMBIUM_WRAPPING_ATOMIC(name, operation)                                                                    \
    inline unsigned name(unsigned* address, unsigned limit, cambium::dev::Site site = cambium::dev::Site::here()) { \
        return cambium::simt::atomic_value(cambium::simt::Atomic::operation, address, limit, 0u,                    \
                                           cambium::dev::Order::relaxed, cambium::dev::Scope::device, site);        \
    }
CAMBIUM_WRAPPING_ATOMIC(atomicInc, increment_to)
CAMBIUM_WRAPPING_ATOMIC(atomicDec, decrement_from)
#undef CAMBIUM_WRAPPING_ATOMIC
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> desired,
            cambium::dev::Site site = cambium::dev::Site::here()) {
    return cambium::simt::atomic_value(cambium::simt::Atomic::compare_swap, address, desired, expected,
                                       cambium::dev::Order::relaxed, cambium::dev::Scope::device, site);
}
// ld.global.nc (Data Movement: ld.global.nc): only for what no thread of this launch writes.
template <class T>
T __ldg(const T* address, cambium::dev::Site site = cambium::dev::Site::here()) {
    cambium::simt::check_read_only(address, sizeof(T), site);
    return *address;
}
// fence.acq_rel.gpu, .cta and .sys in effect (Parallel Synchronization: membar, fence).
inline void __threadfence(cambium::dev::Site site = cambium::dev::Site::here()) {
    cambium::simt::fence(cambium::dev::Scope::device, site);
}
inline void __threadfence_block(cambium::dev::Site site = cambium::dev::Site::here()) {
    cambium::simt::fence(cambium::dev::Scope::block, site);
}
inline void __threadfence_system(cambium::dev::Site site = cambium::dev::Site::here()) {
    cambium::simt::fence(cambium::dev::Scope::system, site);
}

#endif

#if defined(CAMBIUM_DEVICE)

namespace cambium::dev {

#if defined(__CUDACC__)
// atom.{relaxed,acquire,release,acq_rel}.{cta,gpu,sys} and the like: the qualifiers are part of the opcode, so each
// choice is its own instruction. `s` names order and scope, `body(s)` is the statement for one of them.
#define CAMBIUM_SCOPES(order, scope, body) \
    if (scope == Scope::block) {           \
        body(order ".cta");                \
    } else if (scope == Scope::device) {   \
        body(order ".gpu");                \
    } else {                               \
        body(order ".sys");                \
    }
#define CAMBIUM_ORDERS(order, scope, body)     \
    if (order == Order::relaxed) {             \
        CAMBIUM_SCOPES("relaxed", scope, body) \
    } else if (order == Order::acquire) {      \
        CAMBIUM_SCOPES("acquire", scope, body) \
    } else if (order == Order::release) {      \
        CAMBIUM_SCOPES("release", scope, body) \
    } else {                                   \
        CAMBIUM_SCOPES("acq_rel", scope, body) \
    }
#endif

// fence.acq_rel.{cta,gpu,sys} (Parallel Synchronization: membar, fence).
template <Scope scope = Scope::device>
CAMBIUM_DEVICE void fence([[maybe_unused]] Site site = Site::here()) {
#if defined(__CUDACC__)
#define CAMBIUM_BODY(s) asm volatile("fence." s ";" ::: "memory")
    CAMBIUM_SCOPES("acq_rel", scope, CAMBIUM_BODY)
#undef CAMBIUM_BODY
#else
    simt::fence(scope, site);
#endif
}

// atom.add.{u32,f32} with order and scope (Parallel Synchronization: atom). Returns the value before.
template <Order order = Order::relaxed, Scope scope = Scope::device>
CAMBIUM_DEVICE unsigned atomic_add(unsigned* address, unsigned value, [[maybe_unused]] Site site = Site::here()) {
#if defined(__CUDACC__)
    unsigned old;
#define CAMBIUM_BODY(s) \
    asm volatile("atom." s ".add.u32 %0, [%1], %2;" : "=r"(old) : "l"(address), "r"(value) : "memory")
    CAMBIUM_ORDERS(order, scope, CAMBIUM_BODY)
#undef CAMBIUM_BODY
    return old;
#else
    return simt::atomic_value(simt::Atomic::add, address, value, 0u, order, scope, site);
#endif
}

// atom.exch.b32 with order and scope (Parallel Synchronization: atom). Returns the value before.
template <Order order = Order::relaxed, Scope scope = Scope::device>
CAMBIUM_DEVICE unsigned atomic_exchange(unsigned* address, unsigned value, [[maybe_unused]] Site site = Site::here()) {
#if defined(__CUDACC__)
    unsigned old;
#define CAMBIUM_BODY(s) \
    asm volatile("atom." s ".exch.b32 %0, [%1], %2;" : "=r"(old) : "l"(address), "r"(value) : "memory")
    CAMBIUM_ORDERS(order, scope, CAMBIUM_BODY)
#undef CAMBIUM_BODY
    return old;
#else
    return simt::atomic_value(simt::Atomic::exchange, address, value, 0u, order, scope, site);
#endif
}

// atom.cas.b32 with order and scope (Parallel Synchronization: atom). Returns the value before.
template <Order order = Order::relaxed, Scope scope = Scope::device>
CAMBIUM_DEVICE unsigned atomic_compare_swap(unsigned* address, unsigned expected, unsigned desired,
                                            [[maybe_unused]] Site site = Site::here()) {
#if defined(__CUDACC__)
    unsigned old;
#define CAMBIUM_BODY(s)                                      \
    asm volatile("atom." s ".cas.b32 %0, [%1], %2, %3;"      \
                 : "=r"(old)                                 \
                 : "l"(address), "r"(expected), "r"(desired) \
                 : "memory")
    CAMBIUM_ORDERS(order, scope, CAMBIUM_BODY)
#undef CAMBIUM_BODY
    return old;
#else
    return simt::atomic_value(simt::Atomic::compare_swap, address, desired, expected, order, scope, site);
#endif
}

// ld.relaxed or ld.acquire at a scope (Data Movement: ld): the load for polling a flag.
template <Order order = Order::acquire, Scope scope = Scope::device>
CAMBIUM_DEVICE unsigned load_strong(const unsigned* address, [[maybe_unused]] Site site = Site::here()) {
    static_assert(order == Order::relaxed || order == Order::acquire, "a load is relaxed or acquire");
#if defined(__CUDACC__)
    unsigned value;
#define CAMBIUM_BODY(s) asm volatile("ld." s ".u32 %0, [%1];" : "=r"(value) : "l"(address) : "memory")
    if (order == Order::relaxed) {
        CAMBIUM_SCOPES("relaxed", scope, CAMBIUM_BODY)
    } else {
        CAMBIUM_SCOPES("acquire", scope, CAMBIUM_BODY)
    }
#undef CAMBIUM_BODY
    return value;
#else
    return simt::atomic_value(simt::Atomic::load, const_cast<unsigned*>(address), 0u, 0u, order, scope, site);
#endif
}

// st.relaxed or st.release at a scope (Data Movement: st).
template <Order order = Order::release, Scope scope = Scope::device>
CAMBIUM_DEVICE void store_strong(unsigned* address, unsigned value, [[maybe_unused]] Site site = Site::here()) {
    static_assert(order == Order::relaxed || order == Order::release, "a store is relaxed or release");
#if defined(__CUDACC__)
#define CAMBIUM_BODY(s) asm volatile("st." s ".u32 [%0], %1;" ::"l"(address), "r"(value) : "memory")
    if (order == Order::relaxed) {
        CAMBIUM_SCOPES("relaxed", scope, CAMBIUM_BODY)
    } else {
        CAMBIUM_SCOPES("release", scope, CAMBIUM_BODY)
    }
#undef CAMBIUM_BODY
#else
    simt::atomic_value(simt::Atomic::store, address, value, 0u, order, scope, site);
#endif
}

#if defined(__CUDACC__)
#undef CAMBIUM_ORDERS
#undef CAMBIUM_SCOPES
#endif

// N elements that move as one access of N * sizeof(T) = 4, 8 or 16 bytes; the address is a multiple of that size.
template <class T, int N>
struct alignas(sizeof(T) * N) Vector {
    static_assert(sizeof(T) * N == 4 || sizeof(T) * N == 8 || sizeof(T) * N == 16, "4, 8 or 16 bytes");
    T value[N];
    CAMBIUM_HOST_DEVICE T& operator[](int i) { return value[i]; }
    CAMBIUM_HOST_DEVICE const T& operator[](int i) const { return value[i]; }
};

// ld.v2 / ld.v4 and st.v2 / st.v4 (Data Movement: ld, st), through a vector type V: float4, uint2, Vector<bf16, 8>, ...
template <class V, class T>
CAMBIUM_DEVICE V load_vector(const T* address) {
    return *reinterpret_cast<const V*>(address);
}
template <class V, class T>
CAMBIUM_DEVICE void store_vector(T* address, const V& value) {
    *reinterpret_cast<V*>(address) = value;
}

// ld.global.nc (Data Movement: ld.global.nc), 1 to 16 bytes: only for what no thread of this launch writes.
template <class V>
CAMBIUM_DEVICE V load_nc(const V* address, [[maybe_unused]] Site site = Site::here()) {
    static_assert(sizeof(V) <= 16 && (sizeof(V) & (sizeof(V) - 1)) == 0, "1, 2, 4, 8 or 16 bytes");
#if defined(__CUDACC__)
    V value;
    if constexpr (sizeof(V) == 16) {
        const uint4 bits = __ldg(reinterpret_cast<const uint4*>(address));
        memcpy(&value, &bits, sizeof value);
    } else if constexpr (sizeof(V) == 8) {
        const uint2 bits = __ldg(reinterpret_cast<const uint2*>(address));
        memcpy(&value, &bits, sizeof value);
    } else if constexpr (sizeof(V) == 4) {
        const unsigned bits = __ldg(reinterpret_cast<const unsigned*>(address));
        memcpy(&value, &bits, sizeof value);
    } else if constexpr (sizeof(V) == 2) {
        const unsigned short bits = __ldg(reinterpret_cast<const unsigned short*>(address));
        memcpy(&value, &bits, sizeof value);
    } else {
        const unsigned char bits = __ldg(reinterpret_cast<const unsigned char*>(address));
        memcpy(&value, &bits, sizeof value);
    }
    return value;
#else
    simt::check_read_only(address, sizeof(V), site);
    return *address;
#endif
}

}  // namespace cambium::dev

#endif

#pragma GCC diagnostic pop
