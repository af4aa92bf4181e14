// Sums, always in f64 over parts that do not depend on the thread count, and rounded to f32 once.
#include <cmath>

#include "engine/backends/cpu/prepare.h"
#include "engine/backends/cpu/tiled.h"

namespace cambium::cpu {
namespace {

using i64 = std::int64_t;

// Neighbouring axes that are all kept or all summed, joined: [kept, summed, kept, ...] extents in turn.
struct Group {
    i64 extent = 1, stride = 1;
    bool summed = false;
};

std::vector<Group> groups_of(const Shape& shape, const std::vector<int>& axes) {
    std::vector<Group> groups;
    i64 stride = 1;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
        const bool summed = std::ranges::find(axes, axis) != axes.end();
        if (groups.empty() || groups.back().summed != summed) groups.push_back({1, stride, summed});
        groups.back().extent *= shape[axis];
        stride *= shape[axis];
    }
    std::ranges::reverse(groups);
    return groups;
}

// [rows, C] to [C], as the gradient of a bias needs it. add(tile, sums) adds a tile to the sums of its channels.
template <class Add>
void sum_channels(const Operands& o, const ChannelView& view, const ReductionParts& parts, std::size_t buffers,
                  Add add) {
    double* sums = o.scratch<double>();
    const i64 channels = view.channels();
    std::fill_n(sums, parts.count() * channels, 0.0);
    parts.run([&](i64 part) {
        return [&, part, memory = std::vector<float>(buffers * view.tile_count())](const Tile& tile) mutable {
            add(tile, memory.data(), sums + part * channels + tile.channel);
        };
    });
    for (i64 k = 0; k < channels; ++k) {
        double total = 0;
        for (i64 part = 0; part < parts.count(); ++part) total += sums[part * channels + k];
        o.out<float>(0)[k] = static_cast<float>(total);
    }
}

std::size_t sums_bytes(const ReductionParts& parts, i64 channels) {
    return static_cast<std::size_t>(parts.count() * channels) * sizeof(double);
}

Prepared sum_leading(const NodeSpec& node, const ChannelView& view, const Layout& layout) {
    const ReductionParts parts(view);
    const DType dtype = node.inputs[0].tensor.dtype;
    auto step = make_step(node, [=](const Operands& o) {
        sum_channels(o, view, parts, dtype == DType::f32 ? 0 : 1, [&](const Tile& tile, float* buffer, double* sums) {
            const float* x = widened(o.inputs[0], dtype, tile.offset, tile.count(), buffer);
            kernels().channel.sum(x, sums, tile.rows, tile.c);
        });
    });
    step->workspace_bytes = sums_bytes(parts, view.channels());
    step->input_layouts[0] = layout;
    return step;
}

// One run of contiguous elements; bf16 is widened piece by piece.
double sum_run(const void* data, DType dtype, i64 offset, i64 n, double (*sum)(const float*, i64)) {
    if (dtype == DType::f32) return sum(static_cast<const float*>(data) + offset, n);
    std::array<float, 1024> buffer;
    double total = 0;
    for (i64 i = 0; i < n; i += 1024) {
        const i64 count = std::min<i64>(1024, n - i);
        total += sum(widened(data, dtype, offset + i, count, buffer.data()), count);
    }
    return total;
}

// [rows, n] to [rows].
Prepared sum_trailing(const NodeSpec& node, i64 rows, i64 n) {
    const DType dtype = node.inputs[0].tensor.dtype;
    return make_step(node, [=](const Operands& o) {
        parallel_for(rows, std::max<i64>(1, 16384 / std::max<i64>(1, n)), [&](i64 begin, i64 end) {
            for (i64 row = begin; row < end; ++row) {
                const double sum = sum_run(o.inputs[0], dtype, row * n, n, kernels().elementwise.sum);
                o.out<float>(0)[row] = static_cast<float>(sum);
            }
        });
    });
}

// Any other set of axes: each output element walks over what it sums.
Prepared sum_any(const NodeSpec& node, const std::vector<Group>& groups) {
    std::vector<Group> kept, summed;
    i64 count = 1;
    for (const Group& group : groups) {
        (group.summed ? summed : kept).push_back(group);
        if (group.summed) count *= group.extent;
    }
    const auto offset = [](const std::vector<Group>& over, i64 index) {
        i64 at = 0;
        for (std::size_t g = over.size(); g-- > 0;) {
            at += index % over[g].extent * over[g].stride;
            index /= over[g].extent;
        }
        return at;
    };
    const DType dtype = node.inputs[0].tensor.dtype;
    const i64 outputs = node.outputs[0].tensor.shape.count();
    return make_step(node, [=](const Operands& o) {
        parallel_for(outputs, std::max<i64>(1, 16384 / std::max<i64>(1, count)), [&](i64 begin, i64 end) {
            for (i64 out = begin; out < end; ++out) {
                const i64 start = offset(kept, out);
                double sum = 0;
                for (i64 i = 0; i < count; ++i) {
                    float x = 0;
                    sum += static_cast<double>(*widened(o.inputs[0], dtype, start + offset(summed, i), 1, &x));
                }
                o.out<float>(0)[out] = static_cast<float>(sum);
            }
        });
    });
}

}  // namespace

Prepared prepare(const ops::ReduceSum& op, const NodeSpec& node) {
    const TensorSpec& x = node.inputs[0].tensor;
    const std::vector<Group> groups = groups_of(x.shape, op.axes);
    if (groups.size() == 2 && groups[0].summed) {
        const int rank = x.shape.rank();
        const bool last_only_kept = groups[1].extent == x.shape[-1] && static_cast<int>(op.axes.size()) == rank - 1;
        const Layout layout = last_only_kept ? offered_layout(node) : Layout{};
        const ChannelView view =
            layout.plain() ? ChannelView{.rows = groups[0].extent, .c = groups[1].extent} : channel_view(x, layout);
        return sum_leading(node, view, layout);
    }
    if (groups.size() == 2) return sum_trailing(node, groups[0].extent, groups[1].extent);
    if (groups.size() == 1 && groups[0].summed) {
        return sum_leading(node, {.rows = groups[0].extent, .c = 1}, Layout{});
    }
    return sum_any(node, groups);
}

Prepared prepare(const ops::ChannelDot&, const NodeSpec& node) {
    const Layout layout = offered_layout(node);
    const ChannelView view = channel_view(node.inputs[0].tensor, layout);
    const ReductionParts parts(view);
    const DType a_dtype = node.inputs[0].tensor.dtype, b_dtype = node.inputs[1].tensor.dtype;
    const bool low = a_dtype != DType::f32 || b_dtype != DType::f32;
    auto step = make_step(node, [=](const Operands& o) {
        sum_channels(o, view, parts, low ? 2 : 0, [&](const Tile& tile, float* buffer, double* sums) {
            float* second = buffer == nullptr ? nullptr : buffer + view.tile_count();
            const float* a = widened(o.inputs[0], a_dtype, tile.offset, tile.count(), buffer);
            const float* b = widened(o.inputs[1], b_dtype, tile.offset, tile.count(), second);
            kernels().channel.dot(a, b, sums, tile.rows, tile.c);
        });
    });
    step->workspace_bytes = sums_bytes(parts, view.channels());
    step->input_layouts[0] = step->input_layouts[1] = layout;
    return step;
}

// All tensors are cut into runs of one length, whose sums of squares are added in order.
Prepared prepare(const ops::GlobalNorm&, const NodeSpec& node) {
    constexpr i64 length = 32768;
    struct RunOf {
        std::size_t input;
        i64 offset, n;
        DType dtype;
    };
    std::vector<RunOf> runs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const TensorSpec& x = node.inputs[i].tensor;
        for (i64 at = 0; at < x.shape.count(); at += length) {
            runs.push_back({i, at, std::min(length, x.shape.count() - at), x.dtype});
        }
    }
    const std::size_t bytes = runs.size() * sizeof(double);
    auto step = make_step(node, [runs = std::move(runs)](const Operands& o) {
        double* sums = o.scratch<double>();
        parallel_for(static_cast<i64>(runs.size()), 1, [&](i64 begin, i64 end) {
            for (i64 i = begin; i < end; ++i) {
                const RunOf& run = runs[static_cast<std::size_t>(i)];
                sums[i] =
                    sum_run(o.inputs[run.input], run.dtype, run.offset, run.n, kernels().elementwise.sum_of_squares);
            }
        });
        double total = 0;
        for (std::size_t i = 0; i < runs.size(); ++i) total += sums[i];
        *o.out<float>(0) = static_cast<float>(std::sqrt(total));
    });
    step->workspace_bytes = bytes;
    return step;
}

}  // namespace cambium::cpu
