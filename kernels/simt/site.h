// Places in the source as small numbers: a program counter of instrumented code, or file and line given by a wrapper.
// They are turned into text (DWARF, by libbacktrace) only when something is reported.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/gpu/language.h"
#include "kernels/simt/simt.h"

namespace cambium::simt {

using SiteId = std::uint32_t;
inline constexpr SiteId kNoSite = 0;

SiteId site_of(std::uintptr_t return_address);
SiteId site_of(dev::Site site);
SiteId site_of(const char* file, unsigned line);
Place place_of(SiteId site);

// The name of the function at an address, without template arguments' namespaces; the kernel's name in reports.
std::string function_name(const void* address);
std::string variable_name(std::uintptr_t address);  // or the address in hexadecimal

}  // namespace cambium::simt
