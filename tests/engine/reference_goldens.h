// The operators that PyTorch was asked about: names and shapes go together with tests/oracle/ops_make.py.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/graph/graph.h"

namespace cambium::test {

struct GoldenOperand {
    enum class Fill : std::uint8_t { real, positive, labels, bytes } fill = Fill::real;
    Shape shape{};
    bool differentiable = false;
    std::uint32_t classes = 0;  // labels only
};

struct GoldenCase {
    std::string name;
    std::vector<GoldenOperand> operands;
    std::function<std::vector<Value>(const std::vector<Value>&)> build;  // operands to outputs
};

std::vector<GoldenCase> golden_cases();

}  // namespace cambium::test
