// Where values come from and go to: inputs of a run, entries of the Store, constants.
#pragma once

#include "engine/ops/common.h"

namespace cambium::ops {

// A tensor given by the caller of each run. No inputs.
struct Input {
    static constexpr std::string_view name = "input";
    std::string key;
    TensorSpec spec;
};

// The value a Store entry had when the run began. No inputs.
struct Read {
    static constexpr std::string_view name = "read";
    std::string entry;
    TensorSpec spec;
};

// Gives a Store entry a new value, which the next run reads. Inputs: value, and optionally a guard, f32 []: if the
// guard is not finite the entry keeps its old value. No outputs.
struct Assign {
    static constexpr std::string_view name = "assign";
    std::string entry;
};

// A tensor whose elements all equal `value`. No inputs.
struct Fill {
    static constexpr std::string_view name = "fill";
    TensorSpec spec;
    double value = 0;
};

CAMBIUM_OPERATOR(Input)
CAMBIUM_OPERATOR(Read)
CAMBIUM_OPERATOR(Assign)
CAMBIUM_OPERATOR(Fill)

}  // namespace cambium::ops
