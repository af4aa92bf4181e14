// A softmax with a race, which check_test.cpp puts before the true one (LD_PRELOAD): all threads write one element.
#include "kernels/gpu.h"
#include "kernels/loss/loss.h"

namespace cambium::loss {

namespace {

__global__ void racing_softmax(const float* x, float* y, std::int64_t count) {
    for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) y[i] = x[i];
    y[0] = static_cast<float>(threadIdx.x);
}

}  // namespace

void softmax(const Matrix& matrix, const float* x, float* y, dev::Stream& stream) {
    const std::int64_t count = matrix.rows * matrix.classes;
    if (count > 0) dev::launch(racing_softmax, dim3(1), dim3(64), 0, stream, x, y, count);
}

}  // namespace cambium::loss
