// Atomics and fences. The fast run uses the host's atomics, since blocks run on several threads; the checked run tells
// the detector order and scope first.
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/simt/detector.h"
#include "kernels/simt/runtime.h"

namespace cambium::simt {
namespace {

template <class T>
T combine(Atomic operation, T old, T operand, T comparand) {
    switch (operation) {
        case Atomic::load:
            return old;
        case Atomic::store:
        case Atomic::exchange:
            return operand;
        case Atomic::add:
            if constexpr (std::is_floating_point_v<T>) {
                return old + operand;
            } else {  // wraps, as on the device
                return static_cast<T>(static_cast<std::make_unsigned_t<T>>(old) +
                                      static_cast<std::make_unsigned_t<T>>(operand));
            }
        case Atomic::subtract:
            if constexpr (std::is_floating_point_v<T>) {
                return old - operand;
            } else {
                return static_cast<T>(static_cast<std::make_unsigned_t<T>>(old) -
                                      static_cast<std::make_unsigned_t<T>>(operand));
            }
        case Atomic::minimum:
            return operand < old ? operand : old;
        case Atomic::maximum:
            return old < operand ? operand : old;
        case Atomic::compare_swap:
            return std::memcmp(&old, &comparand, sizeof old) == 0 ? operand : old;
        case Atomic::increment_to:
            return old >= operand ? T{} : static_cast<T>(old + T{1});
        case Atomic::decrement_from:
            return old == T{} || old > operand ? operand : static_cast<T>(old - T{1});
        case Atomic::and_:
        case Atomic::or_:
        case Atomic::xor_:
            if constexpr (std::is_integral_v<T>) {
                return operation == Atomic::and_  ? old & operand
                       : operation == Atomic::or_ ? old | operand
                                                  : old ^ operand;
            }
            return old;
    }
    return old;
}

template <class T>
std::uint64_t apply(Atomic operation, void* address, std::uint64_t operand, std::uint64_t comparand) {
    using Bits = BitsOf<T>;
    Bits* const cell = static_cast<Bits*>(address);
    const T value = std::bit_cast<T>(static_cast<Bits>(operand)),
            expected = std::bit_cast<T>(static_cast<Bits>(comparand));
    Bits old = __atomic_load_n(cell, __ATOMIC_SEQ_CST);
    if (operation == Atomic::load) return old;
    Bits wanted;
    do {
        wanted = std::bit_cast<Bits>(combine<T>(operation, std::bit_cast<T>(old), value, expected));
    } while (!__atomic_compare_exchange_n(cell, &old, wanted, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return old;
}

std::uint64_t apply(Atomic operation, Element element, void* address, std::uint64_t operand, std::uint64_t comparand) {
    switch (element) {
        case Element::i32:
            return apply<std::int32_t>(operation, address, operand, comparand);
        case Element::u32:
            return apply<std::uint32_t>(operation, address, operand, comparand);
        case Element::i64:
            return apply<std::int64_t>(operation, address, operand, comparand);
        case Element::u64:
            return apply<std::uint64_t>(operation, address, operand, comparand);
        case Element::f32:
            return apply<float>(operation, address, operand, comparand);
        case Element::f64:
            return apply<double>(operation, address, operand, comparand);
    }
    return 0;
}

unsigned bytes_of(Element element) {
    return element == Element::i32 || element == Element::u32 || element == Element::f32 ? 4 : 8;
}

}  // namespace

std::uint64_t atomic(Atomic operation, Element element, void* address, std::uint64_t operand, std::uint64_t comparand,
                     dev::Order order, dev::Scope scope, dev::Site where) {
    const SiteId site = site_of(where);
    if (worker->checked()) {
        if (operation != Atomic::load) check_register(operand, bytes_of(element), "atomic", site);
        if (!check_atomic(*worker, address, bytes_of(element), operation, order, scope, site)) worker->abandon();
    }
    const std::uint64_t old = apply(operation, element, address, operand, comparand);
    const std::uint64_t now = operation == Atomic::load ? old : apply(Atomic::load, element, address, 0, 0);
    if (now != old) worker->progress();
    // Polling shows as loads, or as exchanges and compare-swaps that change nothing: let the others run.
    const bool may_poll = operation == Atomic::exchange || operation == Atomic::compare_swap;
    if (operation == Atomic::load || (may_poll && now == old)) worker->poll("a polling loop", site);
    return old;
}

void fence(dev::Scope scope, dev::Site where) {
    if (worker->checked()) {
        on_fence(*worker, scope);
        count_instruction(*worker, "fence", site_of(where));
    }
}

void check_read_only(const void* address, unsigned size, dev::Site where) {
    if (worker->checked()) check_not_written(*worker, address, size, site_of(where));
}

}  // namespace cambium::simt
