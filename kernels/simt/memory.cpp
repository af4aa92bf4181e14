// Device memory: one reserved range, so that "is this device memory" is one comparison. Every allocation is followed by
// a red zone; freed memory is kept out of use for a while, so that a late access meets nobody else's data.
#include "kernels/simt/memory.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>

#include "engine/base/fail.h"
#include "kernels/simt/runtime.h"
#include "kernels/simt/state.h"

namespace cambium::simt {
namespace {

constexpr std::uintptr_t kAlignment = 256, kGap = 16 << 10;
constexpr std::size_t kQuarantineBytes = 256 << 20;

struct Arena {
    std::mutex mutex;
    unsigned char* base = reserve(kGlobalBase, kGlobalBytes);
    std::uintptr_t end = kGlobalBase + kGap;
    std::map<std::uintptr_t, Allocation> live;
    std::map<std::uintptr_t, Allocation> freed;  // in quarantine
    std::deque<std::uintptr_t> quarantine;       // oldest first
    std::size_t quarantine_bytes = 0;
    std::multimap<std::size_t, std::uintptr_t> reusable;  // by size of the slot
};

Arena& arena() {
    // Never destroyed, as the detector: a static object that owns device memory may live as long as the process.
    static Arena& instance = *new Arena;
    return instance;
}

std::size_t slot_of(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment + kGap; }

std::uintptr_t take_slot(Arena& a, std::size_t slot) {
    const auto fit = a.reusable.lower_bound(slot);
    if (fit != a.reusable.end() && fit->first <= slot + slot / 4) {
        const std::uintptr_t address = fit->second;
        if (fit->first > slot) a.reusable.emplace(fit->first - slot, address + slot);
        a.reusable.erase(fit);
        return address;
    }
    if (a.end + slot > kGlobalBase + kGlobalBytes) {
        fail("cannot allocate {} bytes of simt device memory: the {} GB it has are used up", slot, kGlobalBytes >> 30);
    }
    const std::uintptr_t address = a.end;
    a.end += slot;
    return address;
}

void shrink_quarantine(Arena& a, std::size_t limit) {
    while (a.quarantine_bytes > limit) {
        const std::uintptr_t oldest = a.quarantine.front();
        a.quarantine.pop_front();
        const auto entry = a.freed.find(oldest);
        const std::size_t slot = slot_of(entry->second.bytes);
        a.quarantine_bytes -= slot;
        on_reusable(oldest, entry->second.bytes);
        a.reusable.emplace(slot, oldest);
        a.freed.erase(entry);
    }
}

const Allocation* find_in(const std::map<std::uintptr_t, Allocation>& allocations, std::uintptr_t address) {
    auto next = allocations.upper_bound(address);
    if (next == allocations.begin()) return nullptr;
    --next;
    return address < next->second.address + slot_of(next->second.bytes) ? &next->second : nullptr;
}

// The living allocation that begins within half a red zone behind the address.
const Allocation* find_after(const std::map<std::uintptr_t, Allocation>& allocations, std::uintptr_t address) {
    const auto next = allocations.upper_bound(address);
    return next != allocations.end() && next->first - address <= kGap / 2 ? &next->second : nullptr;
}

}  // namespace

std::optional<Allocation> allocation_near(std::uintptr_t address) {
    Arena& a = arena();
    const std::lock_guard lock(a.mutex);
    for (const auto* allocations : {&a.live, &a.freed}) {
        const Allocation* const found = find_in(*allocations, address);
        if (found != nullptr && address < found->address + found->bytes + kGap / 2) return *found;
    }
    if (const Allocation* found = find_after(a.live, address)) return *found;
    return std::nullopt;
}

void declare(const void* pointer, std::string_view name, std::span<const std::int64_t> shape, std::size_t element_bytes,
             bool written) {
    Arena& a = arena();
    const std::lock_guard lock(a.mutex);
    const auto found = a.live.find(reinterpret_cast<std::uintptr_t>(pointer));
    if (found == a.live.end()) return;
    found->second.name = name;
    found->second.shape.assign(shape.begin(), shape.end());
    found->second.element_bytes = element_bytes;
    if (!written && is_checked()) {
        Detector::instance().read_only_.emplace_back(found->first, found->first + found->second.bytes);
    }
}

void forget_declarations() {
    if (is_checked()) Detector::instance().read_only_.clear();
}

ReadOnly current_declarations() {
    if (is_checked()) return Detector::instance().read_only_;
    return {};
}

void declare_again(const ReadOnly& declared) {
    if (is_checked()) Detector::instance().read_only_ = declared;
}

bool is_live_range(const void* pointer, std::size_t bytes) {
    Arena& a = arena();
    const auto address = reinterpret_cast<std::uintptr_t>(pointer);
    const std::lock_guard lock(a.mutex);
    const Allocation* found = find_in(a.live, address);
    return found != nullptr && address + bytes <= found->address + found->bytes;
}

std::size_t live_allocations() {
    Arena& a = arena();
    const std::lock_guard lock(a.mutex);
    return a.live.size();
}

}  // namespace cambium::simt

namespace cambium::dev {

void* allocate(std::size_t bytes, std::string_view name, std::size_t element_bytes) {
    simt::refuse_in_recording("allocate");
    simt::Arena& a = simt::arena();
    std::uintptr_t address;
    {
        const std::lock_guard lock(a.mutex);
        address = simt::take_slot(a, simt::slot_of(bytes));
        a.live[address] = {address, bytes, std::string(name), {}, element_bytes, false};
    }
    simt::on_allocate(address, bytes);
    return reinterpret_cast<void*>(address);
}

void release(void* pointer) noexcept {
    if (pointer == nullptr) return;
    simt::Arena& a = simt::arena();
    const auto address = reinterpret_cast<std::uintptr_t>(pointer);
    bool known = false;
    {
        const std::lock_guard lock(a.mutex);
        const auto found = a.live.find(address);
        known = found != a.live.end();
        if (known) {
            const std::size_t bytes = found->second.bytes;
            simt::on_release(address, bytes);
            found->second.freed = true;
            a.freed.insert(a.live.extract(found));
            a.quarantine.push_back(address);
            a.quarantine_bytes += simt::slot_of(bytes);
            simt::shrink_quarantine(a, simt::options().parts.quarantine ? simt::kQuarantineBytes : 0);
        }
    }
    if (!known) simt::report_invalid_release(address);
}

}  // namespace cambium::dev
