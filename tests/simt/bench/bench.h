// Work whose amount is known, for timing simt; each returns how much was done.
#pragma once

namespace cambium::bench {

double mma_products(int blocks, int warps, int steps);        // multiply-adds
double thread_barriers(int blocks, int threads, int rounds);  // one per thread and round
double memory_accesses(int rounds);                           // loads and stores of one block

}  // namespace cambium::bench
