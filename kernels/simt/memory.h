// What is known about device allocations, for the detector and its reports.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cambium::simt {

struct Allocation {
    std::uintptr_t address = 0;
    std::size_t bytes = 0;
    std::string name;
    std::vector<std::int64_t> shape;  // of the last launch that declared it; else empty
    std::size_t element_bytes = 0;    // 0: unknown
    bool freed = false;
};

// The allocation that holds the address or, in a red zone, is closest to it; living or in quarantine.
std::optional<Allocation> allocation_near(std::uintptr_t address);
bool is_live_range(const void* pointer, std::size_t bytes);
std::size_t live_allocations();
void forget_declarations();
// What launches have declared as only read, for a recording, and the same declared again for a replay.
using ReadOnly = std::vector<std::pair<std::uintptr_t, std::uintptr_t>>;
ReadOnly current_declarations();
void declare_again(const ReadOnly& declared);

void refuse_in_recording(const char* what);  // throws Error while this thread records a stream

}  // namespace cambium::simt
