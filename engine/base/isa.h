// Which instruction set the vectorised loops run with. They are compiled for several (cambium_isa_sources in
// cmake/cambium.cmake), and the program asks here once which copy this machine can run.
#pragma once

#include <cstdint>
#include <string_view>

namespace cambium {

// x86-64 micro-architecture levels: v1 is every x86-64 (SSE2), v3 has AVX2 and FMA, v4 has AVX-512 F, BW, CD, DQ and
// VL.
enum class Isa : std::uint8_t { v1, v3, v4 };

constexpr std::string_view name_of(Isa isa) {
    constexpr std::string_view names[] = {"x86-64-v1", "x86-64-v3", "x86-64-v4"};
    return names[static_cast<std::size_t>(isa)];
}

// The best level of this processor and operating system, or the lower one that the environment variable CAMBIUM_ISA
// (v1, v3, v4) asks for. Throws UsageError if it asks for something else or for more than the machine has.
Isa isa();

// Of one table compiled per instruction set, the one for this machine.
template <class Table>
const Table& by_isa(const Table& v1, const Table& v3, const Table& v4) {
    switch (isa()) {
        case Isa::v4:
            return v4;
        case Isa::v3:
            return v3;
        case Isa::v1:
            break;
    }
    return v1;
}

}  // namespace cambium
