// Pooling over NHWC images: the host's side. Gradients gather: each input position looks at the windows that contain
// it, so that nothing is added by two threads and every sum has one order.
#pragma once

#include <array>
#include <cstdint>

#include "engine/base/dtype.h"
#include "kernels/gpu/launch.h"

namespace cambium::pool {

using Pair = std::array<std::int64_t, 2>;  // {height, width}

enum class Variant : std::uint8_t {
    plain,  // a thread per element
    tuned,  // a block per line of pixels, 16 bytes of channels a thread
};

// What a mean is divided by.
enum class Divisor : std::uint8_t {
    padded,  // the window's positions, zeros of the padding included (PyTorch's count_include_pad)
    inside,  // those inside the image
};

// x [N, H, W, C] and y [N, P, Q, C], with {H, W} = input and {P, Q} = output.
struct Images {
    std::int64_t images = 0, channels = 0;  // N, C
    Pair input{}, output{};
    DType dtype = DType::f32;  // of x, y and their gradients: f32 or bf16
    Variant variant = Variant::tuned;
};

// Window p begins at p stride - padding. Each must contain a position of the image.
struct Window {
    Pair kernel{1, 1}, stride{1, 1}, padding{0, 0};
};

// All enqueue on `stream`; nothing is launched where there is nothing to write. They throw UsageError where sizes make
// no sense, a pointer that is read or written is null, or one is not aligned to 16 bytes although C is a multiple of 16
// bytes.

// y: each window's largest element; index u8 [N, P, Q, C]: its position r * kernel width + s, the first of equals. NaN
// is larger than all. Either output may be null. A window has at most 255 positions.
void max_pool(const Images& images, const Window& window, const void* x, void* y, std::uint8_t* index,
              dev::Stream& stream);
// dx: the sum of dy over the windows whose largest element it was.
void max_pool_gradient(const Images& images, const Window& window, const void* dy, const std::uint8_t* index, void* dx,
                       dev::Stream& stream);

// y: the mean over each window. Its gradient: dx is the sum of dy / divisor over the windows that contain it.
void average_pool(const Images& images, const Window& window, Divisor divisor, const void* x, void* y,
                  dev::Stream& stream);
void average_pool_gradient(const Images& images, const Window& window, Divisor divisor, const void* dy, void* dx,
                           dev::Stream& stream);

// The same over P x Q cells that cover the image: cell p averages rows floor(p H / P) to ceil((p + 1) H / P) - 1.
void adaptive_average_pool(const Images& images, const void* x, void* y, dev::Stream& stream);
void adaptive_average_pool_gradient(const Images& images, const void* dy, void* dx, dev::Stream& stream);

}  // namespace cambium::pool
