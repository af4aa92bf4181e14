// Single instances of the tiled transposition, with and without the swizzle, as counters_test.cpp launches them.
#pragma once

#include <cstdint>
#include <vector>

namespace cambium::test {

enum class TileKind : std::uint8_t { byte, half, pair_of_halves, word };

// A [rows, columns] matrix of elements numbered in order, transposed; both extents are multiples of a tile's.
std::vector<std::uint32_t> run_transposition(TileKind kind, bool swizzled, std::uint32_t rows, std::uint32_t columns);

}  // namespace cambium::test
