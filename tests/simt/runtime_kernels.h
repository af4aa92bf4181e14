// Kernels as they usually are, with host functions that run them.
#pragma once

#include <vector>

namespace cambium::test {

std::vector<float> block_sums(const std::vector<float>& values, int threads);  // one sum per `threads` values
std::vector<float> tensor_core_product(const std::vector<float>& a, const std::vector<float>& b, int m, int n, int k);
float last_arriver_sum(const std::vector<float>& values, int blocks);
// The same recorded once and replayed for each of `batches`, which are equally long.
std::vector<float> replayed_sums(const std::vector<std::vector<float>>& batches, int blocks);
int lanes_below(int limit);
std::vector<int> sync_by_odd_lanes();       // even lanes leave instead; 64 threads, each stores its number
void launch_with(int grid_y, int threads);  // an empty kernel; throws where it cannot be launched

}  // namespace cambium::test
