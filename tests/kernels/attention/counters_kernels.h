// The forward kernel in bf16 without the swizzle, as counters_test.cpp launches it.
#pragma once

namespace cambium::test {

// One head of 64 values over `tokens` tokens.
void run_unswizzled_attention(int tokens);

}  // namespace cambium::test
