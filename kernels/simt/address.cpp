// Addresses in words: which buffer or shared array, and which element of it; or which variable of the program.
#include "kernels/simt/address.h"

#include <elf.h>
#include <fmt/core.h>
#include <link.h>

#include <algorithm>

#include "kernels/simt/state.h"

namespace cambium::simt {
namespace {

// "[8,3]"; the first index may lie outside its extent, below or above.
template <class Extent>
std::string element_index(std::int64_t offset, std::size_t element_bytes, std::span<const Extent> shape) {
    const auto divide = [](std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); };  // rounds down
    std::string index;
    std::int64_t element = divide(offset, static_cast<std::int64_t>(element_bytes));
    for (std::size_t d = shape.size(); d-- > 0;) {
        const auto extent = std::max<std::int64_t>(1, shape[d]);
        const std::int64_t rest = d == 0 ? 0 : divide(element, extent);
        index = fmt::format("{}{}{}", element - rest * extent, index.empty() ? "" : ",", index);
        element = rest;
    }
    return "[" + index + "]";
}

constexpr std::int64_t kAnyExtent = 1;
constexpr std::span<const std::int64_t> kOneDimension(&kAnyExtent, 1);

// The dev::Shared that the address lies in or, in a red zone, is closest to.
const SharedArray* shared_array_near(const Block& block, std::uintptr_t address) {
    for (const SharedArray& a : block.arrays) {
        if (address - a.address >= a.bytes_with_red_zone) continue;
        const std::uintptr_t end = a.address + a.bytes_with_red_zone;
        const auto next = std::find_if(block.arrays.begin(), block.arrays.end(),
                                       [&](const SharedArray& b) { return b.address == end; });
        const bool before_next = address - a.address >= a.bytes && next != block.arrays.end() &&
                                 end - address < address - (a.address + a.bytes);
        return before_next ? &*next : &a;
    }
    return nullptr;
}

std::string describe_shared(std::uintptr_t address) {
    const Block& block = worker->block();
    const auto offset = static_cast<std::int64_t>(address - reinterpret_cast<std::uintptr_t>(block.shared));
    const std::string type = block.layout_site == kNoSite ? "memory" : type_in(block.layout.type);
    if (const SharedArray* const a = shared_array_near(block, address)) {
        const auto inside = static_cast<std::int64_t>(address) - static_cast<std::int64_t>(a->address);
        return fmt::format("shared {}, array {} {}", type, a - block.arrays.data() + 1,
                           element_index(inside, a->element_bytes, a->extents));
    }
    if (block.layout.element_bytes != 0) {
        return fmt::format("shared array of {} {}", type,
                           element_index(offset, block.layout.element_bytes, kOneDimension));
    }
    return fmt::format("shared {} + {} of {} bytes", type, offset, worker->launch()->shared_bytes);
}

std::string describe_global(std::uintptr_t address) {
    const auto a = allocation_near(address);
    if (!a) return fmt::format("address {:#x}", address);
    const auto offset = static_cast<std::int64_t>(address - a->address);
    if (a->element_bytes == 0) return fmt::format("{} + {} of {} bytes", a->name, offset, a->bytes);
    const auto shape = a->shape.empty() ? kOneDimension : std::span<const std::int64_t>(a->shape);
    return a->name + element_index(offset, a->element_bytes, shape);
}

}  // namespace

std::string type_in(std::string_view function) {
    const std::size_t begin = function.find(" = ");
    if (begin == std::string_view::npos) return "memory";
    std::string_view name = function.substr(begin + 3);
    name = name.substr(0, name.find_first_of(";]"));
    const std::size_t scope = name.substr(0, name.find('<')).rfind("::");
    return std::string(scope == std::string_view::npos ? name : name.substr(scope + 2));
}

std::string describe_address(std::uintptr_t address, unsigned bytes) {
    const std::string place =
        address - kSharedBase < kSharedStride ? describe_shared(address) : describe_global(address);
    return bytes == 0 ? place : fmt::format("{} ({} bytes)", place, bytes);
}

std::string describe_extent(const Allocation& a) {
    if (a.element_bytes == 0) return fmt::format("{} has {} bytes", a.name, a.bytes);
    if (a.shape.empty()) return fmt::format("{} has {} elements", a.name, a.bytes / a.element_bytes);
    std::string shape;
    for (const std::int64_t extent : a.shape) shape += fmt::format("{}{}", shape.empty() ? "" : ",", extent);
    return fmt::format("{} is [{}]", a.name, shape);
}

std::string describe_shared_array(std::uintptr_t address) {
    const std::string first = describe_shared(address);
    return first.substr(0, first.rfind(" ["));
}

std::string shared_overrun_detail(std::uintptr_t address) {
    const Block& block = worker->block();
    if (const SharedArray* const a = shared_array_near(block, address)) {
        std::string extents;
        for (const int extent : a->extents) extents += fmt::format("[{}]", extent);
        return fmt::format("the array is {}", extents);
    }
    const std::size_t given = worker->launch()->shared_bytes;
    if (block.layout_site == kNoSite) return "the kernel has not taken any shared memory";
    if (block.layout.bytes == given) return fmt::format("the launch gave {} bytes of shared memory", given);
    return fmt::format("the kernel took {} of the {} bytes of shared memory that the launch gave", block.layout.bytes,
                       given);
}

bool is_in_an_image(std::uintptr_t address) {
    struct Search {
        std::uintptr_t address;
        bool found;
    } search{address, false};
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* data) {
            auto& s = *static_cast<Search*>(data);
            for (int i = 0; i < info->dlpi_phnum; ++i) {
                const auto& segment = info->dlpi_phdr[i];
                if (segment.p_type != PT_LOAD) continue;
                if (s.address - (info->dlpi_addr + segment.p_vaddr) < segment.p_memsz) s.found = true;
            }
            return s.found ? 1 : 0;
        },
        &search);
    return search.found;
}

}  // namespace cambium::simt
