// Kernels that exercise the whole of gpu.h once, with host functions that run them.
#pragma once

#include <vector>

namespace cambium::test {

std::vector<float> block_sums(const std::vector<float>& values, int threads);  // one sum per `threads` values
std::vector<float> tensor_core_product(const std::vector<float>& a, const std::vector<float>& b, int m, int n, int k);
float last_arriver_sum(const std::vector<float>& values, int blocks);
int lanes_below(int limit);
std::vector<int> shuffled(int kind, int argument, int width);  // what each of 32 lanes receives

}  // namespace cambium::test
