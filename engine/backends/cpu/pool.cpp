// Pooling over NHWC or blocked images: to both an image is [H, W, c] (a block of channels of a blocked one is an image
// of its own). Gradients gather: each input pixel collects from the windows that cover it, so no two threads add to
// one.
#include "engine/backends/cpu/prepare.h"
#include "engine/backends/cpu/tiled.h"

namespace cambium::cpu {
namespace {

using i64 = std::int64_t;

// Along one axis: the inputs [begin, end) of each window, its divisor, and the windows [first, last) over each input.
struct AxisWindows {
    std::vector<i64> begin, end, size, first, last;

    AxisWindows(i64 input, i64 output) : begin(sized(output)), end(sized(output)), size(sized(output)) {
        first.assign(static_cast<std::size_t>(input), output);
        last.assign(static_cast<std::size_t>(input), 0);
    }
    // Windows advance, so those over one input are neighbours.
    void cover() {
        for (std::size_t p = 0; p < begin.size(); ++p) {
            for (i64 i = begin[p]; i < end[p]; ++i) {
                const auto at = static_cast<std::size_t>(i);
                first[at] = std::min(first[at], static_cast<i64>(p));
                last[at] = static_cast<i64>(p) + 1;
            }
        }
    }

  private:
    static std::vector<i64> sized(i64 n) { return std::vector<i64>(static_cast<std::size_t>(n)); }
};

AxisWindows sliding(const ops::Window& window, std::size_t axis, i64 input, i64 output, ops::Padding padding) {
    AxisWindows axes(input, output);
    for (i64 p = 0; p < output; ++p) {
        const auto at = static_cast<std::size_t>(p);
        const i64 start = p * window.stride[axis] - window.padding[axis];
        const i64 stop = std::min(start + window.kernel[axis], input + window.padding[axis]);
        axes.begin[at] = std::max<i64>(0, start);
        axes.end[at] = std::min(stop, input);
        axes.size[at] = padding == ops::Padding::counted ? stop - start : axes.end[at] - axes.begin[at];
    }
    axes.cover();
    return axes;
}

AxisWindows adaptive(i64 input, i64 output) {
    AxisWindows axes(input, output);
    for (i64 p = 0; p < output; ++p) {
        const auto at = static_cast<std::size_t>(p);
        axes.begin[at] = p * input / output;
        axes.end[at] = ((p + 1) * input + output - 1) / output;
        axes.size[at] = axes.end[at] - axes.begin[at];
    }
    axes.cover();
    return axes;
}

// Images as the kernels see them.
struct Frame {
    i64 images, height, width, c;
    Frame(const TensorSpec& tensor, const Layout& layout)
        : images(tensor.shape[0]), height(tensor.shape[1]), width(tensor.shape[2]), c(tensor.shape[3]) {
        if (const int block = block_of(layout)) {
            images *= c / block;
            c = block;
        }
    }
    i64 at(i64 n, i64 h, i64 w) const { return ((n * height + h) * width + w) * c; }
    i64 lines() const { return images * height; }
};

template <class T>
const PoolKernels<T>& table() {
    if constexpr (std::is_same_v<T, float>) {
        return kernels().pooling.f32;
    } else {
        return kernels().pooling.low;
    }
}

template <class T>
void put(const float* x, T* y, i64 n) {
    if constexpr (std::is_same_v<T, float>) {
        std::copy_n(x, n, y);
    } else {
        kernels().elementwise.narrow(x, y, n);
    }
}

// Calls with float or bf16 as a tag.
template <class Body>
Run by_dtype(DType dtype, Body body) {
    if (dtype == DType::f32) return body(float{});
    return body(bf16{});
}

// Lines of pixels of `frame`, on several threads; body(image, line, floats of one run of channels).
template <class Body>
void for_lines(const Frame& frame, Body body) {
    const i64 grain = std::max<i64>(1, 4096 / std::max<i64>(1, frame.width * frame.c));
    parallel_for(frame.lines(), grain, [&](i64 begin, i64 end) {
        std::vector<float> run(static_cast<std::size_t>(frame.c));
        for (i64 line = begin; line < end; ++line) body(line / frame.height, line % frame.height, run.data());
    });
}

// Every window of `windows` over each pixel of an axis, by reference in the closures below.
struct Plane {
    AxisWindows rows, columns;
};

template <class T>
Run average(const Frame& x_frame, const Frame& y_frame, const Plane& plane) {
    return [=](const Operands& o) {
        for_lines(y_frame, [&](i64 n, i64 p, float* sum) {
            const auto row = static_cast<std::size_t>(p);
            for (i64 q = 0; q < y_frame.width; ++q) {
                const auto column = static_cast<std::size_t>(q);
                std::fill_n(sum, y_frame.c, 0.0f);
                const float factor = 1.0f / static_cast<float>(plane.rows.size[row] * plane.columns.size[column]);
                for (i64 h = plane.rows.begin[row]; h < plane.rows.end[row]; ++h) {
                    for (i64 w = plane.columns.begin[column]; w < plane.columns.end[column]; ++w) {
                        table<T>().accumulate(o.in<T>(0) + x_frame.at(n, h, w), factor, sum, y_frame.c);
                    }
                }
                put(sum, o.out<T>(0) + y_frame.at(n, p, q), y_frame.c);
            }
        });
    };
}

template <class T>
Run average_gradient(const Frame& dx_frame, const Frame& dy_frame, const Plane& plane) {
    return [=](const Operands& o) {
        for_lines(dx_frame, [&](i64 n, i64 h, float* sum) {
            const auto row = static_cast<std::size_t>(h);
            for (i64 w = 0; w < dx_frame.width; ++w) {
                const auto column = static_cast<std::size_t>(w);
                std::fill_n(sum, dx_frame.c, 0.0f);
                for (i64 p = plane.rows.first[row]; p < plane.rows.last[row]; ++p) {
                    for (i64 q = plane.columns.first[column]; q < plane.columns.last[column]; ++q) {
                        const i64 size = plane.rows.size[static_cast<std::size_t>(p)] *
                                         plane.columns.size[static_cast<std::size_t>(q)];
                        table<T>().accumulate(o.in<T>(0) + dy_frame.at(n, p, q), 1.0f / static_cast<float>(size), sum,
                                              dx_frame.c);
                    }
                }
                put(sum, o.out<T>(0) + dx_frame.at(n, h, w), dx_frame.c);
            }
        });
    };
}

template <class T>
Run maximum(const Frame& x_frame, const Frame& y_frame, const Plane& plane, const ops::Window& window) {
    return [=](const Operands& o) {
        for_lines(y_frame, [&](i64 n, i64 p, float* best) {
            std::vector<std::int32_t> index(static_cast<std::size_t>(y_frame.c));
            const auto row = static_cast<std::size_t>(p);
            for (i64 q = 0; q < y_frame.width; ++q) {
                const auto column = static_cast<std::size_t>(q);
                const i64 h0 = plane.rows.begin[row], w0 = plane.columns.begin[column];
                const i64 r0 = h0 + window.padding[0] - p * window.stride[0];
                const i64 s0 = w0 + window.padding[1] - q * window.stride[1];
                for (i64 h = h0; h < plane.rows.end[row]; ++h) {
                    const i64 position = (r0 + h - h0) * window.kernel[1] + s0;
                    table<T>().maximum(o.in<T>(0) + x_frame.at(n, h, w0), x_frame.c, plane.columns.end[column] - w0,
                                       y_frame.c, static_cast<int>(position), h == h0, best, index.data());
                }
                const i64 at = y_frame.at(n, p, q);
                put(best, o.out<T>(0) + at, y_frame.c);
                if (o.outputs[1] != nullptr) {
                    kernels().pooling.store_index(index.data(), o.out<std::uint8_t>(1) + at, y_frame.c);
                }
            }
        });
    };
}

template <class T>
Run maximum_gradient(const Frame& dx_frame, const Frame& dy_frame, const Plane& plane, const ops::Window& window) {
    return [=](const Operands& o) {
        for_lines(dx_frame, [&](i64 n, i64 h, float* sum) {
            const auto row = static_cast<std::size_t>(h);
            for (i64 w = 0; w < dx_frame.width; ++w) {
                const auto column = static_cast<std::size_t>(w);
                std::fill_n(sum, dx_frame.c, 0.0f);
                for (i64 p = plane.rows.first[row]; p < plane.rows.last[row]; ++p) {
                    const i64 r = h + window.padding[0] - p * window.stride[0];
                    for (i64 q = plane.columns.first[column]; q < plane.columns.last[column]; ++q) {
                        const i64 s = w + window.padding[1] - q * window.stride[1];
                        const i64 at = dy_frame.at(n, p, q);
                        table<T>().route(o.in<T>(0) + at, o.in<std::uint8_t>(1) + at,
                                         static_cast<int>(r * window.kernel[1] + s), sum, dx_frame.c);
                    }
                }
                put(sum, o.out<T>(0) + dx_frame.at(n, h, w), dx_frame.c);
            }
        });
    };
}

Plane sliding_plane(const ops::Window& window, const TensorSpec& image, const TensorSpec& pooled,
                    ops::Padding padding = ops::Padding::ignored) {
    return {sliding(window, 0, image.shape[1], pooled.shape[1], padding),
            sliding(window, 1, image.shape[2], pooled.shape[2], padding)};
}

Plane adaptive_plane(const TensorSpec& image, const TensorSpec& pooled) {
    return {adaptive(image.shape[1], pooled.shape[1]), adaptive(image.shape[2], pooled.shape[2])};
}

// The layout in which channels are blocked as in the first input; a 1x1 image has the same bits in any.
struct PoolLayouts {
    Layout in, out;
    explicit PoolLayouts(const NodeSpec& node) {
        const TensorSpec& x = node.inputs[0].tensor;
        const TensorSpec& y = node.outputs[0].tensor;
        in = offered_layout(node);
        out = blocked_layout(y, block_of(in));
        // From a 1x1 image nothing is known of the layout wanted; plain it is.
        if (!in.plain() && x.shape[1] * x.shape[2] == 1) in = {};
    }
};

Prepared pooled(const NodeSpec& node, const PoolLayouts& layouts, Run run) {
    auto step = make_step(node, std::move(run));
    for (Layout& layout : step->input_layouts) layout = layouts.in;
    for (Layout& layout : step->output_layouts) layout = layouts.out;
    return step;
}

Frame frame(const TensorSpec& tensor, const Layout& layout, const PoolLayouts& layouts) {
    Frame result(tensor, layout);
    // A 1x1 image in the plain layout still has its channels block by block.
    const int block = std::max(block_of(layouts.in), block_of(layouts.out));
    if (block != 0 && layout.plain()) {
        result.images *= result.c / block;
        result.c = block;
    }
    return result;
}

Prepared prepare_average(const NodeSpec& node, const Plane& plane, bool gradient) {
    const PoolLayouts layouts(node);
    const Frame in = frame(node.inputs[0].tensor, layouts.in, layouts);
    const Frame out = frame(node.outputs[0].tensor, layouts.out, layouts);
    return pooled(node, layouts, by_dtype(node.inputs[0].tensor.dtype, [&](auto tag) {
                      using T = decltype(tag);
                      return gradient ? average_gradient<T>(out, in, plane) : average<T>(in, out, plane);
                  }));
}

}  // namespace

Prepared prepare(const ops::MaxPool2d& op, const NodeSpec& node) {
    const PoolLayouts layouts(node);
    const Frame in = frame(node.inputs[0].tensor, layouts.in, layouts);
    const Frame out = frame(node.outputs[0].tensor, layouts.out, layouts);
    const Plane plane = sliding_plane(op.window, node.inputs[0].tensor, node.outputs[0].tensor);
    auto step = pooled(node, layouts, by_dtype(node.inputs[0].tensor.dtype, [&](auto tag) {
                           return maximum<decltype(tag)>(in, out, plane, op.window);
                       }));
    if (!layouts.out.plain()) step->output_layouts[1].bytes = node.outputs[1].tensor.bytes();
    return step;
}

Prepared prepare(const ops::MaxPool2dGradient& op, const NodeSpec& node) {
    const PoolLayouts layouts(node);
    const Frame in = frame(node.inputs[0].tensor, layouts.in, layouts);
    const Frame out = frame(node.outputs[0].tensor, layouts.out, layouts);
    const Plane plane = sliding_plane(op.window, node.outputs[0].tensor, node.inputs[0].tensor);
    auto step = pooled(node, layouts, by_dtype(node.inputs[0].tensor.dtype, [&](auto tag) {
                           return maximum_gradient<decltype(tag)>(out, in, plane, op.window);
                       }));
    if (!layouts.in.plain()) step->input_layouts[1].bytes = node.inputs[1].tensor.bytes();
    return step;
}

Prepared prepare(const ops::AvgPool2d& op, const NodeSpec& node) {
    return prepare_average(node, sliding_plane(op.window, node.inputs[0].tensor, node.outputs[0].tensor, op.padding),
                           false);
}

Prepared prepare(const ops::AvgPool2dGradient& op, const NodeSpec& node) {
    return prepare_average(node, sliding_plane(op.window, node.outputs[0].tensor, node.inputs[0].tensor, op.padding),
                           true);
}

Prepared prepare(const ops::AdaptiveAvgPool2d&, const NodeSpec& node) {
    return prepare_average(node, adaptive_plane(node.inputs[0].tensor, node.outputs[0].tensor), false);
}

Prepared prepare(const ops::AdaptiveAvgPool2dGradient&, const NodeSpec& node) {
    return prepare_average(node, adaptive_plane(node.outputs[0].tensor, node.inputs[0].tensor), true);
}

}  // namespace cambium::cpu
