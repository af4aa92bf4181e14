// One case of the layout kernels: a strided copy or a padding of some element size, its data, its exact result, and a
// run on the device. All tests of the family are built from it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/philox.h"
#include "kernels/layout/layout.h"

namespace cambium::test {

struct LayoutCase {
    layout::Copy copy;
    std::optional<layout::Pad> pad;  // instead of the copy
    int skew = 0;                    // elements by which x and y begin beyond a 256-byte boundary
    std::string what;

    std::string text() const;
    void set_variant(layout::Variant variant);
};

// The operators as they are made of copies. Axes beyond the rank are 0.
LayoutCase transposition(int rank, const layout::Axes& extent, const std::array<int, layout::kMaxRank>& permutation,
                         int element_bytes);
LayoutCase slice(int rank, const layout::Axes& extent, const layout::Axes& begin, const layout::Axes& count,
                 const layout::Axes& step, int element_bytes);
LayoutCase broadcast(int rank, const layout::Axes& extent, unsigned repeated_axes, int element_bytes);
// Where the part from `start` on of y's axis comes from.
LayoutCase part_of_concat(int rank, const layout::Axes& y_extent, int axis, std::int64_t start, std::int64_t count,
                          int element_bytes);

// y as bytes; elements of y that a copy does not touch keep 0xA5. x holds the bytes 1, 2, ... 251, 1, ...
std::vector<std::uint8_t> exact_result(const LayoutCase& c);
std::vector<std::uint8_t> run_on_device(const LayoutCase& c);

// The number-th random case: every rank, permutations, steps, repeated axes, empty ones, all element sizes.
LayoutCase random_case(int number, std::int64_t largest_count);

}  // namespace cambium::test
