// Moving elements without computing.
#pragma once

#include "engine/ops/common.h"

namespace cambium::ops {

// Inputs: one or more tensors that differ only along `axis`. Output: them joined along it.
struct Concat {
    static constexpr std::string_view name = "concat";
    int axis = -1;
};

// Input: x. Output: the elements begin, begin + step, ... below end of each axis (all axes given, end <= extent).
struct Slice {
    static constexpr std::string_view name = "slice";
    std::vector<std::int64_t> begin, end, step;
};

// The adjoint of Slice. Input: x. Output: zeros, with x at before, before + step, ...; the extent of an axis is
// before + (x - 1) step + 1 + after, or before + after where x is empty.
struct Pad {
    static constexpr std::string_view name = "pad";
    std::vector<std::int64_t> before, after, step;
};

// Input: x. Output: the same elements in the same order, as `shape`.
struct Reshape {
    static constexpr std::string_view name = "reshape";
    Shape shape;
};

// Input: x. Output: axis i of the output is axis permutation[i] of x.
struct Transposition {
    static constexpr std::string_view name = "transpose";
    std::vector<int> permutation;
};

CAMBIUM_OPERATOR(Concat)
CAMBIUM_OPERATOR(Slice)
CAMBIUM_OPERATOR(Pad)
CAMBIUM_OPERATOR(Reshape)
CAMBIUM_OPERATOR(Transposition)

}  // namespace cambium::ops
