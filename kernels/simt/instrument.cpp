// The functions that -fsanitize=thread,alignment,bounds,null calls around every access of a kernel. Here, not in
// libtsan and libubsan, so that they feed the detector. The instrumented module also links memcpy, memmove and memset
// through here.
#include <fmt/core.h>

#include <cstdint>
#include <cstring>

#include "kernels/simt/address.h"
#include "kernels/simt/report_log.h"
#include "kernels/simt/state.h"

namespace cambium::simt {
namespace {

bool instrumented = false;

bool in_checked_kernel() { return current != nullptr && worker->checked(); }

void access(const void* pointer, std::size_t bytes, Access kind, void* caller) {
    if (bytes == 0) return;
    const auto address = reinterpret_cast<std::uintptr_t>(pointer);
    if (address - current->stack_low < kStackBytes) return;  // its own locals
    if (kind != Access::read) worker->progress();
    if (!check_access(address, static_cast<unsigned>(bytes), kind, site_of(reinterpret_cast<std::uintptr_t>(caller)))) {
        worker->abandon();
    }
}

// A volatile access is a relaxed atomic of the whole system; reading one is how kernels poll. Others run before the
// detector is told, so that the read happens at once after that.
void volatile_access(void* pointer, unsigned bytes, bool writes, void* caller) {
    const auto address = reinterpret_cast<std::uintptr_t>(pointer);
    if (address - current->stack_low < kStackBytes) return;
    const SiteId site = site_of(reinterpret_cast<std::uintptr_t>(caller));
    if (writes) {
        worker->progress();
    } else {
        worker->poll("a polling loop", site);
    }
    if (!check_atomic(*worker, pointer, bytes, writes ? Atomic::store : Atomic::load, dev::Order::relaxed,
                      dev::Scope::system, site)) {
        worker->abandon();
    }
}

void host_atomic(const volatile void* pointer, unsigned bytes, Atomic operation, void* caller) {
    if (!in_checked_kernel()) return;
    const SiteId site = site_of(reinterpret_cast<std::uintptr_t>(caller));
    if (operation == Atomic::load) {
        worker->poll("a polling loop", site);
    } else {
        worker->progress();
    }
    if (!check_atomic(*worker, const_cast<void*>(pointer), bytes, operation, dev::Order::acquire_release,
                      dev::Scope::system, site)) {
        worker->abandon();
    }
}

void check_stack(const void* frame) {
    if (!in_checked_kernel()) return;
    const Fiber& fiber = *current;
    const std::uintptr_t left = reinterpret_cast<std::uintptr_t>(frame) - fiber.stack_low;
    constexpr std::uintptr_t kReserve = 24 << 10;
    if (left >= kReserve || !options().parts.local_memory) return;
    const SiteId site = site_of(reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)));
    if (is_repeated(Kind::local_memory_exhausted, site)) return;
    add_report({.kind = Kind::local_memory_exhausted,
                .first_site = site,
                .first = party_of(fiber, "call", site),
                .second = std::nullopt,
                .object = "",
                .detail = fmt::format("local variables use {} of {} KB", (kStackBytes - left) >> 10, kStackBytes >> 10),
                .advice = "keep big arrays in shared or device memory; local memory is slow and limited"});
}

void misaligned_or_null(std::uintptr_t address, unsigned log_alignment, void* caller) {
    if (!in_checked_kernel()) return;
    const SiteId site = site_of(reinterpret_cast<std::uintptr_t>(caller));
    if (address < 4096) return;  // the access itself is reported, and ends the block
    if (!options().parts.alignment) return;
    current->misaligned = true;
    if (is_repeated(Kind::misaligned, site)) return;
    add_report({.kind = Kind::misaligned,
                .first_site = site,
                .first = party_of(*current, "access", site),
                .second = std::nullopt,
                .object = describe_address(address, 0),
                .detail = fmt::format("the type needs a multiple of {} bytes, the address is {} off",
                                      1u << log_alignment, address & ((std::uintptr_t{1} << log_alignment) - 1)),
                .advice = "vector accesses need aligned addresses: check the row stride and the offset"});
}

void index_out_of_bounds(std::uintptr_t index, void* caller) {
    if (!in_checked_kernel() || !options().parts.register_arrays) return;
    const SiteId site = site_of(reinterpret_cast<std::uintptr_t>(caller));
    if (is_repeated(Kind::array_overrun, site)) return;
    add_report({.kind = Kind::array_overrun,
                .first_site = site,
                .first = party_of(*current, "index", site),
                .second = std::nullopt,
                .object = "",
                .detail = fmt::format("index {} is outside its array", static_cast<std::int64_t>(index)),
                .advice = "compare the loop's bound with the array's size"});
}

[[noreturn]] void end_kernel(const char* action, std::string detail, SiteId site) {
    if (!is_repeated(Kind::failed_assertion, site)) {
        add_report({.kind = Kind::failed_assertion,
                    .first_site = site,
                    .first = party_of(*current, action, site),
                    .second = std::nullopt,
                    .object = "",
                    .detail = std::move(detail),
                    .advice = ""});
    }
    worker->abandon();
}

}  // namespace

bool is_checked() { return instrumented; }

[[noreturn]] void trap(dev::Site where) { end_kernel("__trap", "the kernel ends itself", site_of(where)); }

void shared_index_error(const void* array, long long index, long long size) {
    if (!in_checked_kernel() || !options().parts.bounds) return;
    const SiteId site = site_of(reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)));
    if (is_repeated(Kind::shared_overrun, site)) return;
    add_report({.kind = Kind::shared_overrun,
                .first_site = site,
                .first = party_of(*current, "index", site),
                .second = std::nullopt,
                .object = describe_shared_array(reinterpret_cast<std::uintptr_t>(array)),
                .detail = fmt::format("index {} into an array of {}", index, size),
                .advice = "compare the index with the array's extent"});
}

}  // namespace cambium::simt

using namespace cambium::simt;

extern "C" {

void __tsan_init() { instrumented = true; }
void __tsan_func_entry(void*) { check_stack(__builtin_frame_address(0)); }
void __tsan_func_exit() {}
void __tsan_vptr_update(void*, void*) {}
void __tsan_vptr_read(void*) {}

#define CAMBIUM_ACCESS(name, kind)                                                    \
    void name(void* p, std::size_t bytes) {                                           \
        if (in_checked_kernel()) access(p, bytes, kind, __builtin_return_address(0)); \
    }
CAMBIUM_ACCESS(__tsan_read_range, Access::read)
CAMBIUM_ACCESS(__tsan_write_range, Access::write)
#undef CAMBIUM_ACCESS
#define CAMBIUM_SIZED(n)                                                                    \
    void __tsan_read##n(void* p) {                                                          \
        if (in_checked_kernel()) access(p, n, Access::read, __builtin_return_address(0));   \
    }                                                                                       \
    void __tsan_write##n(void* p) {                                                         \
        if (in_checked_kernel()) access(p, n, Access::write, __builtin_return_address(0));  \
    }                                                                                       \
    void __tsan_unaligned_read##n(void* p) {                                                \
        if (in_checked_kernel()) access(p, n, Access::read, __builtin_return_address(0));   \
    }                                                                                       \
    void __tsan_unaligned_write##n(void* p) {                                               \
        if (in_checked_kernel()) access(p, n, Access::write, __builtin_return_address(0));  \
    }                                                                                       \
    void __tsan_volatile_read##n(void* p) {                                                 \
        if (in_checked_kernel()) volatile_access(p, n, false, __builtin_return_address(0)); \
    }                                                                                       \
    void __tsan_volatile_write##n(void* p) {                                                \
        if (in_checked_kernel()) volatile_access(p, n, true, __builtin_return_address(0));  \
    }                                                                                       \
    void __tsan_unaligned_volatile_read##n(void* p) {                                       \
        if (in_checked_kernel()) volatile_access(p, n, false, __builtin_return_address(0)); \
    }                                                                                       \
    void __tsan_unaligned_volatile_write##n(void* p) {                                      \
        if (in_checked_kernel()) volatile_access(p, n, true, __builtin_return_address(0));  \
    }
CAMBIUM_SIZED(1)
CAMBIUM_SIZED(2)
CAMBIUM_SIZED(4)
CAMBIUM_SIZED(8)
CAMBIUM_SIZED(16)
#undef CAMBIUM_SIZED

// std::atomic and the guards of static variables, in kernels and in the host code beside them.
#define CAMBIUM_FETCH(bits, T, name, builtin)                                \
    T __tsan_atomic##bits##_##name(volatile T* p, T value, int) {            \
        host_atomic(p, sizeof(T), Atomic::add, __builtin_return_address(0)); \
        return builtin(p, value, __ATOMIC_SEQ_CST);                          \
    }
#define CAMBIUM_ATOMICS(bits, T)                                                                             \
    T __tsan_atomic##bits##_load(const volatile T* p, int) {                                                 \
        host_atomic(p, sizeof(T), Atomic::load, __builtin_return_address(0));                                \
        return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                         \
    }                                                                                                        \
    void __tsan_atomic##bits##_store(volatile T* p, T value, int) {                                          \
        host_atomic(p, sizeof(T), Atomic::store, __builtin_return_address(0));                               \
        __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                                        \
    }                                                                                                        \
    CAMBIUM_FETCH(bits, T, exchange, __atomic_exchange_n)                                                    \
    CAMBIUM_FETCH(bits, T, fetch_add, __atomic_fetch_add)                                                    \
    CAMBIUM_FETCH(bits, T, fetch_sub, __atomic_fetch_sub)                                                    \
    CAMBIUM_FETCH(bits, T, fetch_and, __atomic_fetch_and)                                                    \
    CAMBIUM_FETCH(bits, T, fetch_or, __atomic_fetch_or)                                                      \
    CAMBIUM_FETCH(bits, T, fetch_xor, __atomic_fetch_xor)                                                    \
    CAMBIUM_FETCH(bits, T, fetch_nand, __atomic_fetch_nand)                                                  \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile T* p, T* expected, T desired, int, int) {     \
        host_atomic(p, sizeof(T), Atomic::compare_swap, __builtin_return_address(0));                        \
        return __atomic_compare_exchange_n(p, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    }                                                                                                        \
    int __tsan_atomic##bits##_compare_exchange_weak(volatile T* p, T* expected, T desired, int, int) {       \
        host_atomic(p, sizeof(T), Atomic::compare_swap, __builtin_return_address(0));                        \
        return __atomic_compare_exchange_n(p, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    }
CAMBIUM_ATOMICS(8, std::uint8_t)
CAMBIUM_ATOMICS(16, std::uint16_t)
CAMBIUM_ATOMICS(32, std::uint32_t)
CAMBIUM_ATOMICS(64, std::uint64_t)
#undef CAMBIUM_ATOMICS
#undef CAMBIUM_FETCH
void __tsan_atomic_thread_fence(int) {
    if (in_checked_kernel()) on_fence(*worker, cambium::dev::Scope::system);
}
void __tsan_atomic_signal_fence(int) {}

struct UbsanTypeMismatch {
    const char* file;
    std::uint32_t line, column;
    const void* type;
    unsigned char log_alignment, kind;
};
void __ubsan_handle_type_mismatch_v1(UbsanTypeMismatch* data, std::uintptr_t address) {
    misaligned_or_null(address, data->log_alignment, __builtin_return_address(0));
}
void __ubsan_handle_out_of_bounds(void*, std::uintptr_t index) {
    index_out_of_bounds(index, __builtin_return_address(0));
}
// In kernels of both runs; the C library's own elsewhere.
#undef __assert_fail
[[noreturn]] void __assert_fail(const char*, const char*, unsigned, const char*) noexcept;
[[noreturn]] void cambium_simt_assertion_failed(const char* assertion, const char* file, unsigned line,
                                                const char* function) noexcept {
    if (current == nullptr) __assert_fail(assertion, file, line, function);
    end_kernel("assert", fmt::format("{} is false", assertion), site_of(file, line));
}
void __ubsan_handle_nonnull_arg(void*) {}
void __ubsan_handle_nullability_arg(void*) {}

// Linked in place of the C library's by --wrap.
void* __wrap_memcpy(void* to, const void* from, std::size_t bytes) {
    if (in_checked_kernel()) {
        access(from, bytes, Access::read, __builtin_return_address(0));
        access(to, bytes, Access::write, __builtin_return_address(0));
    }
    return std::memcpy(to, from, bytes);
}
void* __wrap_memmove(void* to, const void* from, std::size_t bytes) {
    if (in_checked_kernel()) {
        access(from, bytes, Access::read, __builtin_return_address(0));
        access(to, bytes, Access::write, __builtin_return_address(0));
    }
    return std::memmove(to, from, bytes);
}
void* __wrap_memset(void* to, int value, std::size_t bytes) {
    if (in_checked_kernel()) access(to, bytes, Access::write, __builtin_return_address(0));
    return std::memset(to, value, bytes);
}

}  // extern "C"
