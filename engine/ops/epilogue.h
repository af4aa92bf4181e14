// Steps that a fused node applies to its operator's result while it is still in registers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cambium {

// Operands are indices into the node's inputs: those of the operator come first, then those that the steps refer to.
struct EpilogueStep {
    enum class Kind : std::uint8_t {
        add_bias,
        scale_shift,
        add,
        relu,
        gelu,
        moments,  // the last: two more outputs, mean and biased variance [C] of each channel of the result as stored
    } kind = Kind::relu;
    int operand = -1;         // add_bias: the bias; scale_shift: the scale; add: the other summand
    int second_operand = -1;  // scale_shift: the shift, or -1
    friend bool operator==(const EpilogueStep&, const EpilogueStep&) = default;
};

std::string to_string(const std::vector<EpilogueStep>& epilogue);  // "+bias +add relu"
bool takes_moments(const std::vector<EpilogueStep>& epilogue);

}  // namespace cambium
