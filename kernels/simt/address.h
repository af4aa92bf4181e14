// Addresses in words, for reports.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/simt/memory.h"

namespace cambium::simt {

// `activations[3,17]`, `shared Tiles, array 2 [0,5]`, `address 0x10`; with the size of the access where it is not 0.
std::string describe_address(std::uintptr_t address, unsigned bytes);

// `shared Tiles, array 2`, for the dev::Shared at this address.
std::string describe_shared_array(std::uintptr_t address);

// `x has 256 elements`, `x is [8,32]`, `x has 1024 bytes`.
std::string describe_extent(const Allocation& allocation);

// Why there is no memory at an address behind an array of shared memory or behind all of it.
std::string shared_overrun_detail(std::uintptr_t address);

// "void* f(long) [with Layout = some::Tiles<4>; ...]" -> "Tiles<4>"
std::string type_in(std::string_view function);

// Constants and variables of the program or of a library: whatever is mapped from an executable file.
bool is_in_an_image(std::uintptr_t address);

}  // namespace cambium::simt
