// Batch norm and layer norm: one pass for the moments, in f64 (a single pass loses nothing there: squares of f32 are
// exact), one to normalise; the gradients likewise.
#include <cmath>
#include <span>

#include "engine/backends/cpu/prepare.h"
#include "engine/backends/cpu/tiled.h"

namespace cambium::cpu {
namespace {

// Partial sums of a reduction: `terms` vectors [C] of f64 for each part, in the workspace, then `vectors` of f32 [C]
// for the pass that follows.
struct NormWorkspace {
    std::int64_t parts, terms, channels, vectors;
    std::size_t sums_bytes() const {
        return aligned(static_cast<std::size_t>(parts * terms * channels) * sizeof(double));
    }
    std::size_t bytes() const { return sums_bytes() + static_cast<std::size_t>(vectors * channels) * sizeof(float); }
    double* sums(const Operands& o, std::int64_t part, std::int64_t term) const {
        return o.scratch<double>() + (part * terms + term) * channels;
    }
    float* vector(const Operands& o, std::int64_t index) const {
        return o.scratch<float>(sums_bytes()) + index * channels;
    }
    void clear(const Operands& o) const { std::fill_n(sums(o, 0, 0), parts * terms * channels, 0.0); }
    // In the order of the parts, so always the same bits.
    double total(const Operands& o, std::int64_t term, std::int64_t channel) const {
        double sum = 0;
        for (std::int64_t part = 0; part < parts; ++part) sum += sums(o, part, term)[channel];
        return sum;
    }
};

// Widened tiles of two inputs for each part that runs.
struct PartBuffers {
    PartBuffers(bool needed, std::size_t tile) : memory(needed ? 2 * tile : 0) {}
    std::vector<float> memory;
    float* operator[](std::size_t i) { return memory.data() + i * memory.size() / 2; }
};

// y = (x - mean) scale + beta of a batch norm's node, beta being input 2.
void normalize(const Operands& o, const NodeSpec& node, const ChannelView& view, const Epilogue& epilogue,
               const float* mean, const float* scale) {
    const std::size_t full[] = {0};
    run_tiled(o, node, full, 0, view, epilogue,
              [&](const Operands&, const Tile& tile, const float* const* x, float* y) {
                  kernels().channel.normalize(x[0], mean + tile.channel, scale + tile.channel,
                                              o.in<float>(2) + tile.channel, y, tile.rows, tile.c);
              });
}

// x, y and what the epilogue adds have the same layout.
void lay_out(Executable& step, const NodeSpec& node, const Layout& layout) {
    step.input_layouts[0] = layout;
    step.output_layouts[0] = layout;
    for (const EpilogueStep& e : node.epilogue) {
        if (e.kind == EpilogueStep::Kind::add) step.input_layouts[static_cast<std::size_t>(e.operand)] = layout;
    }
}

}  // namespace

Prepared prepare(const ops::BatchNorm& op, const NodeSpec& node) {
    const Layout layout = offered_layout(node);
    const ChannelView view = channel_view(node.inputs[0].tensor, layout);
    const ReductionParts parts(view);
    const NormWorkspace space{parts.count(), 2, view.channels(), 2};
    const DType dtype = node.inputs[0].tensor.dtype;

    auto step = make_step(node, [=, epilogue = Epilogue(node)](const Operands& o) {
        space.clear(o);
        parts.run([&](std::int64_t part) {
            return [&, part, buffers = PartBuffers(dtype != DType::f32, view.tile_count())](const Tile& tile) mutable {
                const float* x = widened(o.inputs[0], dtype, tile.offset, tile.count(), buffers[0]);
                kernels().channel.moments(x, space.sums(o, part, 0) + tile.channel,
                                          space.sums(o, part, 1) + tile.channel, tile.rows, tile.c);
            };
        });
        const double m = static_cast<double>(view.count() / view.channels());
        float* mean = space.vector(o, 0);
        float* scale = space.vector(o, 1);
        for (std::int64_t k = 0; k < view.channels(); ++k) {
            const double average = space.total(o, 0, k) / m;
            const double variance = std::max(0.0, space.total(o, 1, k) / m - average * average);
            mean[k] = static_cast<float>(average);
            scale[k] = static_cast<float>(static_cast<double>(o.in<float>(1)[k]) / std::sqrt(variance + op.epsilon));
            if (o.outputs[1] != nullptr) o.out<float>(1)[k] = mean[k];
            if (o.outputs[2] != nullptr) o.out<float>(2)[k] = static_cast<float>(variance);
        }
        if (o.outputs[0] != nullptr) normalize(o, node, view, epilogue, mean, scale);
    });
    step->workspace_bytes = space.bytes();
    lay_out(*step, node, layout);
    return step;
}

Prepared prepare(const ops::BatchNormApply& op, const NodeSpec& node) {
    const Layout layout = offered_layout(node);
    const ChannelView view = channel_view(node.inputs[0].tensor, layout);
    const NormWorkspace space{0, 0, view.channels(), 1};
    auto step = make_step(node, [=, epilogue = Epilogue(node)](const Operands& o) {
        float* scale = space.vector(o, 0);
        for (std::int64_t k = 0; k < view.channels(); ++k) {
            const double gamma = static_cast<double>(o.in<float>(1)[k]);
            scale[k] = static_cast<float>(gamma / std::sqrt(static_cast<double>(o.in<float>(4)[k]) + op.epsilon));
        }
        normalize(o, node, view, epilogue, o.in<float>(3), scale);
    });
    step->workspace_bytes = space.bytes();
    lay_out(*step, node, layout);
    return step;
}

namespace {

// The constants of a channel with which the gradient's second pass works, from the sums of the first, which are those
// of dy and of dy (x - mean) over m values; and dgamma and dbeta. gamma is input `gamma`, the variance two behind it.
struct GradientConstants {
    float *scale, *slope, *offset;  // [C]

    GradientConstants(const Operands& o, const NormWorkspace& space, double m, std::size_t gamma, double epsilon)
        : scale(space.vector(o, 0)), slope(space.vector(o, 1)), offset(space.vector(o, 2)) {
        for (std::int64_t k = 0; k < space.channels; ++k) {
            const double variance = static_cast<double>(o.in<float>(gamma + 2)[k]) + epsilon;
            const double sum = space.total(o, 0, k), product = space.total(o, 1, k);
            const double s = static_cast<double>(o.in<float>(gamma)[k]) / std::sqrt(variance);
            scale[k] = static_cast<float>(s);
            slope[k] = static_cast<float>(s * product / (m * variance));
            offset[k] = static_cast<float>(s * sum / m);
            if (o.outputs[1] != nullptr) o.out<float>(1)[k] = static_cast<float>(product / std::sqrt(variance));
            if (o.outputs[2] != nullptr) o.out<float>(2)[k] = static_cast<float>(sum);
        }
    }
};

// With s = gamma / sqrt(variance + epsilon) and M values a channel (Ioffe & Szegedy 2015, section 3):
//   dbeta = Sum dy,  dgamma = Sum dy (x - mean) / sqrt(variance + epsilon),
//   dx = s dy - s dbeta / M - (x - mean) s Sum(dy (x - mean)) / (M (variance + epsilon))
// Behind a relu, whose result is then input 1, dy passes its gradient first in each of the two passes, and the first
// stores it where somebody wants it. Input `at` is x; gamma, mean and variance follow.
enum class Behind : std::uint8_t { nothing, relu };
Prepared prepare_gradient(Behind behind, double epsilon, const NodeSpec& node) {
    const bool relu = behind == Behind::relu;
    const std::size_t at = relu ? 2 : 1;
    const Layout layout = offered_layout(node);
    const ChannelView view = channel_view(node.inputs[0].tensor, layout);
    const ReductionParts parts(view);
    const NormWorkspace space{parts.count(), 2, view.channels(), 3};
    const DType dtype = node.inputs[0].tensor.dtype, x_dtype = node.inputs[at].tensor.dtype;
    const bool buffered = relu || dtype != DType::f32 || x_dtype != DType::f32;

    auto step = make_step(node, [=, none = Epilogue(node)](const Operands& o) {
        const float* mean = o.in<float>(at + 2);
        void* ds_out = relu ? o.outputs[3] : nullptr;
        space.clear(o);
        parts.run([&](std::int64_t part) {
            return [&, part,
                    buffers = std::vector<float>(buffered ? 4 * view.tile_count() : 0)](const Tile& tile) mutable {
                const auto buffer = [&](std::size_t i) {
                    return buffers.data() + (buffered ? i * view.tile_count() : 0);
                };
                const auto input = [&](std::size_t i) {
                    return widened(o.inputs[i], i == at ? x_dtype : dtype, tile.offset, tile.count(), buffer(i));
                };
                const float* ds = input(0);
                if (relu) {
                    const bool in_place = ds_out != nullptr && dtype == DType::f32;
                    float* passed = in_place ? static_cast<float*>(ds_out) + tile.offset : buffer(3);
                    kernels().elementwise.relu_gradient(ds, input(1), passed, tile.count());
                    ds = passed;
                }
                kernels().channel.gradient_sums(ds, input(at), mean + tile.channel,
                                                space.sums(o, part, 0) + tile.channel,
                                                space.sums(o, part, 1) + tile.channel, tile.rows, tile.c);
                if (ds_out != nullptr && dtype == DType::bf16) {
                    kernels().elementwise.narrow(ds, static_cast<bf16*>(ds_out) + tile.offset, tile.count());
                }
            };
        });
        const double m = static_cast<double>(view.count() / view.channels());
        const GradientConstants c(o, space, m, at + 1, epsilon);
        if (o.outputs[0] == nullptr) return;
        const std::size_t full[] = {0, 1, 2};
        run_tiled(o, node, std::span(full).first(at + 1), 0, view, none,
                  [&](const Operands&, const Tile& tile, const float* const* x, float* y) {
                      const std::int64_t k = tile.channel;
                      if (relu) kernels().elementwise.relu_gradient(x[0], x[1], y, tile.count());
                      kernels().channel.normalize_gradient(relu ? y : x[0], x[at], mean + k, c.scale + k, c.slope + k,
                                                           c.offset + k, y, tile.rows, tile.c);
                  });
    });
    step->workspace_bytes = space.bytes();
    for (std::size_t i = 0; i <= at; ++i) step->input_layouts[i] = layout;
    step->output_layouts[0] = layout;
    if (relu) step->output_layouts[3] = layout;
    const DType result = node.outputs[0].tensor.dtype;
    if (dtype == result) step->aliases.push_back({.output = 0, .input = 0});
    // Behind a relu dx is written, as ds, before x is read.
    if (!relu && x_dtype == result) step->aliases.push_back({.output = 0, .input = 1});
    return step;
}

}  // namespace

Prepared prepare(const ops::BatchNormGradient& op, const NodeSpec& node) {
    return prepare_gradient(Behind::nothing, op.epsilon, node);
}

Prepared prepare(const ops::BatchNormReluGradient& op, const NodeSpec& node) {
    return prepare_gradient(Behind::relu, op.epsilon, node);
}

Prepared prepare(const ops::BatchNormScale& op, const NodeSpec& node) {
    const std::int64_t channels = node.outputs[0].tensor.shape.count();
    return make_step(node, [=](const Operands& o) {
        for (std::int64_t k = 0; k < channels; ++k) {
            const double variance = static_cast<double>(o.in<float>(1)[k]) + op.epsilon;
            o.out<float>(0)[k] = static_cast<float>(static_cast<double>(o.in<float>(0)[k]) / std::sqrt(variance));
        }
    });
}

Prepared prepare(const ops::BatchNormShift&, const NodeSpec& node) {
    const std::int64_t channels = node.outputs[0].tensor.shape.count();
    return make_step(node, [=](const Operands& o) {
        for (std::int64_t k = 0; k < channels; ++k) {
            const double product = static_cast<double>(o.in<float>(1)[k]) * static_cast<double>(o.in<float>(2)[k]);
            o.out<float>(0)[k] = static_cast<float>(static_cast<double>(o.in<float>(0)[k]) - product);
        }
    });
}

Prepared prepare(const ops::ScaleFilter&, const NodeSpec& node) {
    const std::int64_t filters = node.inputs[1].tensor.shape.count();
    const std::int64_t count = node.outputs[0].tensor.shape.count() / std::max<std::int64_t>(1, filters);
    return make_step(node, [=](const Operands& o) {
        const std::int64_t grain = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, count));
        parallel_for(filters, grain, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t k = begin; k < end; ++k) {
                kernels().elementwise.scale(o.in<float>(0) + k * count, o.in<float>(1)[k], o.out<float>(0) + k * count,
                                            count);
            }
        });
    });
}

Prepared prepare(const ops::LayerNorm& op, const NodeSpec& node) {
    const std::int64_t c = node.inputs[0].tensor.shape[-1], rows = node.inputs[0].tensor.shape.count() / c;
    const DType dtype = node.inputs[0].tensor.dtype, y_dtype = node.outputs[0].tensor.dtype;
    auto step = make_step(node, [=](const Operands& o) {
        parallel_for(rows, std::max<std::int64_t>(1, 16384 / c), [&](std::int64_t begin, std::int64_t end) {
            std::vector<float> buffer(static_cast<std::size_t>(2 * c));
            for (std::int64_t row = begin; row < end; ++row) {
                const float* x = widened(o.inputs[0], dtype, row * c, c, buffer.data());
                const double mean = kernels().elementwise.sum(x, c) / static_cast<double>(c);
                const double square = kernels().elementwise.sum_of_squares(x, c) / static_cast<double>(c);
                const double rstd = 1 / std::sqrt(std::max(0.0, square - mean * mean) + op.epsilon);
                const auto m = static_cast<float>(mean), r = static_cast<float>(rstd);
                if (o.outputs[1] != nullptr) o.out<float>(1)[row] = m;
                if (o.outputs[2] != nullptr) o.out<float>(2)[row] = r;
                if (o.outputs[0] == nullptr) continue;
                float* y = y_dtype == DType::f32 ? o.out<float>(0) + row * c : buffer.data() + c;
                kernels().row.layer_norm(x, o.in<float>(1), o.in<float>(2), m, r, y, c);
                if (y_dtype == DType::bf16) kernels().elementwise.narrow(y, o.out<bf16>(0) + row * c, c);
            }
        });
    });
    if (dtype == y_dtype) step->aliases.push_back({.output = 0, .input = 0});
    return step;
}

Prepared prepare(const ops::LayerNormGradient&, const NodeSpec& node) {
    const std::int64_t c = node.inputs[0].tensor.shape[-1];
    const ChannelView view{.rows = node.inputs[0].tensor.shape.count() / c, .c = c};
    const ReductionParts parts(view);
    const NormWorkspace space{parts.count(), 2, c, 0};
    const DType dtype = node.inputs[0].tensor.dtype, x_dtype = node.inputs[1].tensor.dtype;
    const DType dx_dtype = node.outputs[0].tensor.dtype;
    const auto row_gradient = [=](const Operands& o, std::int64_t row, std::int64_t part, float* buffer) {
        const float *gamma = o.in<float>(2), mean = o.in<float>(3)[row], rstd = o.in<float>(4)[row];
        const float* dy = widened(o.inputs[0], dtype, row * c, c, buffer);
        const float* x = widened(o.inputs[1], x_dtype, row * c, c, buffer + c);
        const LayerNormSums sums =
            kernels().row.layer_norm_sums(dy, x, gamma, mean, rstd, space.sums(o, part, 0), space.sums(o, part, 1), c);
        if (o.outputs[0] == nullptr) return;
        float* dx = dx_dtype == DType::f32 ? o.out<float>(0) + row * c : buffer + 2 * c;
        const auto offset = static_cast<float>(sums.gradient / static_cast<double>(c));
        const auto slope = static_cast<float>(sums.product / static_cast<double>(c));
        kernels().row.layer_norm_gradient(dy, x, gamma, mean, rstd, offset, slope, dx, c);
        if (dx_dtype == DType::bf16) kernels().elementwise.narrow(dx, o.out<bf16>(0) + row * c, c);
    };
    auto step = make_step(node, [=](const Operands& o) {
        space.clear(o);
        parts.run([&](std::int64_t part) {
            return [&, part, buffer = std::vector<float>(static_cast<std::size_t>(3 * c))](const Tile& tile) mutable {
                const std::int64_t first = tile.offset / c;
                for (std::int64_t i = 0; i < tile.rows; ++i) row_gradient(o, first + i, part, buffer.data());
            };
        });
        for (std::size_t output : {1u, 2u}) {
            if (o.outputs[output] == nullptr) continue;
            const auto term = static_cast<std::int64_t>(output) - 1;
            for (std::int64_t k = 0; k < c; ++k) o.out<float>(output)[k] = static_cast<float>(space.total(o, term, k));
        }
    });
    step->workspace_bytes = space.bytes();
    for (const int input : {0, 1}) {
        if (node.inputs[static_cast<std::size_t>(input)].tensor.dtype == dx_dtype) {
            step->aliases.push_back({.output = 0, .input = input});
        }
    }
    return step;
}

}  // namespace cambium::cpu
