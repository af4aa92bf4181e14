// A softmax whose kernel ends the process, as a fault of the checker's own or of the host's code would.
#include <cstdlib>

#include "kernels/gpu.h"
#include "kernels/loss/loss.h"

namespace cambium::loss {

namespace {

__global__ void crashing_softmax(float*) {
    if (threadIdx.x == 3) std::abort();
}

}  // namespace

void softmax(const Matrix&, const float*, float* y, dev::Stream& stream) {
    dev::launch(crashing_softmax, dim3(1), dim3(32), 0, stream, y);
}

}  // namespace cambium::loss
