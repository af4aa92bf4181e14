// A planted bug: one kernel, wrong in one way, and its correct twin, chosen by `bug`. The lines that the report must
// name carry the comment `// bug: NAME`; where there are two of them, both sides of the report must.
#pragma once

#include <span>
#include <vector>

#include "kernels/gpu.h"
#include "kernels/simt/simt.h"

namespace cambium::planted {

struct Case {
    const char* name;
    simt::Kind kind;
    void (*run)(bool bug);
    bool by_output = false;      // seen only by comparing poisoned with zeroed registers
    const char* mark = nullptr;  // the NAME of the marked lines, where it is not `name`; "" where no line is at fault
};

std::span<const Case> all_cases();
std::span<const Case> race_cases();
std::span<const Case> block_cases();
std::span<const Case> stream_cases();
std::span<const Case> memory_cases();
std::span<const Case> initialisation_cases();
std::span<const Case> meeting_cases();
std::span<const Case> async_cases();

// A device array of ints that starts as 0, 1, 2, ... and one that starts undefined.
inline dev::Buffer<int> ramp(std::size_t count, dev::Stream& stream, const char* name = "input") {
    std::vector<int> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<int>(i);
    return dev::Buffer<int>(values, stream, name);
}

// Shared memory of most cases.
struct Arrays {
    dev::Shared<int, 256> a;
    dev::Shared<int, 256> b;
    dev::Shared<unsigned, 8> flags;
};

// Runs kernel(out, in) for a bug that lies within one launch; 256 ints each way.
inline void run_simple(void (*kernel)(int*, const int*), dim3 grid, dim3 block,
                       std::size_t shared_bytes = sizeof(Arrays)) {
    dev::Stream stream;
    dev::Buffer<int> in = ramp(256 * grid.x, stream), out(256 * grid.x, "output");
    out.fill(0, stream);
    dev::launch(kernel, grid, block, shared_bytes, stream, out.data(), in.data());
    std::vector<int> values(out.size());
    out.download(values, stream);
}

}  // namespace cambium::planted

// The run function of a case whose kernel is `template <bool bug> __global__ void name(int* out, const int* in)`.
#define CAMBIUM_SIMPLE(name, grid, block) \
    [](bool bug) { run_simple(bug ? name<true> : name<false>, dim3(grid), dim3(block)); }
