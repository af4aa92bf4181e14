// A softmax in which the thread that comes first writes outside: which one that is depends on the schedule.
#include "kernels/gpu.h"
#include "kernels/loss/loss.h"

namespace cambium::loss {

namespace {

struct Memory {
    dev::Shared<int, 1> arrived;
};

__global__ void first_thread_strays(const float* x, float* y, std::int64_t count) {
    auto& memory = dev::shared<Memory>();
    if (threadIdx.x == 0) memory.arrived[0] = 0;
    __syncthreads();
    const int before = atomicAdd(&memory.arrived[0], 1);
    for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) y[i] = x[i];
    if (before == 0) y[count] = 0;
}

}  // namespace

void softmax(const Matrix& matrix, const float* x, float* y, dev::Stream& stream) {
    const std::int64_t count = matrix.rows * matrix.classes;
    if (count > 0) dev::launch(first_thread_strays, dim3(1), dim3(256), sizeof(Memory), stream, x, y, count);
}

}  // namespace cambium::loss
