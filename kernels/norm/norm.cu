// Batch norm's launches: what a descriptor must satisfy, the width of accesses, and the passes in order.
#include "kernels/norm/norm.h"

#include <algorithm>

#include "kernels/norm/parameters.cuh"
#include "kernels/norm/plain.cuh"
#include "kernels/norm/tuned.cuh"

namespace cambium::norm {
namespace {

std::string name_of(const BatchNorm& n) {
    return "a batch norm of [" + std::to_string(n.rows) + ", " + std::to_string(n.channels) + "]";
}

// The one heuristic: channels that are a multiple of 16 bytes move so, others one by one. It looks at the shape only.
int width_of(const BatchNorm& n) {
    const int wide = n.dtype == DType::bf16 ? dev::kWide<bf16> : dev::kWide<float>;
    return n.channels % wide == 0 ? wide : 1;
}

StripLaunch plan_apply(const BatchNorm& n) {
    return plan_strips(n.rows, n.channels, width_of(n), {.least_rows = 8, .most_rows = 32, .blocks = 1056});
}

std::int64_t cells_of(const CellMoments& m) { return ceil_div(m.rows, m.cell_rows); }
int width_of(const CellMoments& m) { return m.channels % dev::kWide<float> == 0 ? dev::kWide<float> : 1; }
StripLaunch plan_merge(const CellMoments& m) { return reduce::plan_columns(cells_of(m), m.channels, width_of(m)); }

// The workspace: counters and partial cells of the reduction, then two vectors [C] for results that nobody asked for.
constexpr int kMostTerms = 3;
std::size_t vector_bytes(const BatchNorm& n) { return round_to_256(static_cast<std::size_t>(n.channels) * 4); }

struct Workspace {
    unsigned* arrived;
    float* partials;
    float* vectors[2];
};
Workspace cut(const BatchNorm& n, std::span<std::byte> memory) {
    std::byte* vectors = memory.data();
    std::byte* reduction = vectors + 2 * vector_bytes(n);
    Workspace w{
        nullptr, nullptr, {reinterpret_cast<float*>(vectors), reinterpret_cast<float*>(vectors + vector_bytes(n))}};
    if (n.variant == Variant::plain) return w;
    const StripLaunch launch = reduce::plan_columns(n.rows, n.channels, width_of(n));
    w.arrived = reinterpret_cast<unsigned*>(reduction);
    w.partials = reinterpret_cast<float*>(reduction + reduce::counter_bytes(launch));
    return w;
}

void check_workspace(std::span<std::byte> workspace, std::size_t needed, const std::string& name) {
    require(workspace.size() >= needed && is_aligned(workspace.data(), 16), name,
            "the workspace has " + std::to_string(workspace.size()) + " bytes and must have " + std::to_string(needed) +
                ", aligned to 16");
}

// inputs and outputs: activations [M, C], of which outputs may be null; vectors: [C], null where not asked for.
void check(const BatchNorm& n, std::initializer_list<const void*> inputs, std::initializer_list<const void*> outputs,
           std::initializer_list<const float*> vectors) {
    const std::string name = name_of(n);
    require(n.rows >= 1 && n.channels >= 0, name, "it needs at least one value per channel");
    require_activation_type(n.dtype, name);
    if (n.channels == 0) return;
    const std::size_t wide = width_of(n) == 1 ? 4 : 16, narrow = width_of(n) == 1 ? size_of(n.dtype) : 16;
    for (const void* pointer : inputs) require(pointer != nullptr, name, "an input is null");
    for (const auto& pointers : {inputs, outputs}) {
        for (const void* pointer : pointers) {
            require(is_aligned(pointer, narrow), name,
                    "an operand is not aligned to " + std::to_string(narrow) + " bytes");
        }
    }
    for (const float* pointer : vectors) {
        require(is_aligned(pointer, wide), name, "a vector is not aligned to " + std::to_string(wide) + " bytes");
    }
}

// The operands of one call, typed, named and shaped for reports.
template <class T>
struct Call {
    const BatchNorm& norm;
    Workspace workspace;
    dev::Stream& stream;

    auto in(const void* pointer, std::string_view name) const {
        return dev::reads(static_cast<const T*>(pointer), name, {norm.rows, norm.channels});
    }
    // An input that shares its memory with an output cannot be declared as only read.
    auto in_unless(std::initializer_list<const void*> outputs, const void* pointer, std::string_view name) const {
        const bool written = std::ranges::find(outputs, pointer) != outputs.end();
        return dev::declare(static_cast<const T*>(pointer), name, {norm.rows, norm.channels}, written);
    }
    auto out(void* pointer, std::string_view name) const {
        return dev::writes(static_cast<T*>(pointer), name, {norm.rows, norm.channels});
    }
    auto in(const float* pointer, std::string_view name) const { return dev::reads(pointer, name, {norm.channels}); }
    auto out(float* pointer, std::string_view name) const { return dev::writes(pointer, name, {norm.channels}); }
    std::int64_t elements() const { return norm.rows * norm.channels; }
    dim3 element_blocks() const { return dim3(static_cast<unsigned>(ceil_div(elements(), kPlainThreads))); }
    dim3 channel_blocks() const { return dim3(static_cast<unsigned>(norm.channels)); }
};

template <class T>
void run_plain(const Call<T>& c, const Apply& a) {
    const BatchNorm& n = c.norm;
    dev::launch(batch_norm_plain<T>, c.element_blocks(), dim3(kPlainThreads), 0, c.stream, c.in(a.x, "x"),
                c.in(a.gamma, "gamma"), c.in(a.beta, "beta"), c.in(a.mean, "mean"), c.in(a.variance, "variance"),
                c.in_unless({a.y}, a.residual, "residual"), c.out(a.y, "y"), c.elements(), n.channels, n.epsilon,
                n.activation);
}

template <int Width, class T>
void run_tuned(const Call<T>& c, const Apply& a) {
    const BatchNorm& n = c.norm;
    const StripLaunch apply = plan_apply(n);
    dev::launch(batch_norm_apply<T, Width>, apply.grid, apply.block, 0, c.stream, c.in(a.x, "x"),
                c.in(a.gamma, "gamma"), c.in(a.beta, "beta"), c.in(a.mean, "mean"), c.in(a.variance, "variance"),
                c.in_unless({a.y}, a.residual, "residual"), c.out(a.y, "y"), apply.strips, n.epsilon, n.activation);
}

Apply second_half(const Forward& f) { return {f.x, f.gamma, f.beta, f.mean, f.variance, f.residual, f.y}; }

template <class T>
void run_plain(const Call<T>& c, const Forward& f) {
    const BatchNorm& n = c.norm;
    dev::launch(batch_norm_moments_plain<T>, c.channel_blocks(), dim3(kPlainThreads), sizeof(PlainMemory), c.stream,
                c.in(f.x, "x"), c.out(f.mean, "mean"), c.out(f.variance, "variance"), n.rows, n.channels);
    if (f.y != nullptr) run_plain(c, second_half(f));
}

template <int Width, class T>
void run_tuned(const Call<T>& c, const Forward& f) {
    const BatchNorm& n = c.norm;
    const StripLaunch sums = reduce::plan_columns(n.rows, n.channels, Width);
    if (sums.grid.x > 1) dev::fill_bytes(c.workspace.arrived, 0, reduce::counter_bytes(sums), c.stream);
    dev::launch(batch_norm_moments<T, Width>, sums.grid, sums.block, sizeof(reduce::ColumnMemory<Moments<T, Width>>),
                c.stream, c.in(f.x, "x"), c.out(f.mean, "mean"), c.out(f.variance, "variance"), c.workspace.partials,
                c.workspace.arrived, sums.strips);
    if (f.y != nullptr) run_tuned<Width>(c, second_half(f));
}

template <class T>
void run_plain(const Call<T>& c, const Backward& b) {
    const BatchNorm& n = c.norm;
    dev::launch(batch_norm_sums_plain<T>, c.channel_blocks(), dim3(kPlainThreads), sizeof(PlainMemory), c.stream,
                c.in(b.dy, "dy"), c.in(b.x, "x"), c.in(b.relu, "relu"), c.in(b.mean, "mean"),
                c.in(b.variance, "variance"), c.out(b.dgamma, "dgamma"), c.out(b.dbeta, "dbeta"), n.rows, n.channels,
                n.epsilon);
    if (b.dx == nullptr && b.ds == nullptr) return;
    dev::launch(batch_norm_gradient_plain<T>, c.element_blocks(), dim3(kPlainThreads), 0, c.stream,
                c.in_unless({b.dx, b.ds}, b.dy, "dy"), c.in_unless({b.dx, b.ds}, b.x, "x"), c.in(b.relu, "relu"),
                c.in(b.gamma, "gamma"), c.in(b.mean, "mean"), c.in(b.variance, "variance"), c.in(b.dgamma, "dgamma"),
                c.in(b.dbeta, "dbeta"), c.out(b.dx, "dx"), c.out(b.ds, "ds"), c.elements(), n.channels, n.epsilon);
}

template <int Width, Behind behind, class T>
void launch_sums(const Call<T>& c, const Backward& b) {
    const BatchNorm& n = c.norm;
    const StripLaunch sums = reduce::plan_columns(n.rows, n.channels, Width);
    if (sums.grid.x > 1) dev::fill_bytes(c.workspace.arrived, 0, reduce::counter_bytes(sums), c.stream);
    dev::launch(batch_norm_sums<T, Width, behind>, sums.grid, sums.block,
                sizeof(reduce::ColumnMemory<GradientSums<T, Width, behind>>), c.stream, c.in_unless({b.ds}, b.dy, "dy"),
                c.in(b.x, "x"), c.in(b.relu, "relu"), c.in(b.mean, "mean"), c.in(b.variance, "variance"),
                c.out(b.dgamma, "dgamma"), c.out(b.dbeta, "dbeta"), c.out(b.ds, "ds"), c.workspace.partials,
                c.workspace.arrived, sums.strips, n.epsilon);
}

template <int Width, Behind behind, class T>
void launch_gradient(const Call<T>& c, const Backward& b, const void* dy) {
    const BatchNorm& n = c.norm;
    const StripLaunch apply = plan_apply(n);
    dev::launch(batch_norm_gradient_apply<T, Width, behind>, apply.grid, apply.block, 0, c.stream,
                c.in_unless({b.dx}, dy, "dy"), c.in_unless({b.dx}, b.x, "x"), c.in(b.relu, "relu"),
                c.in(b.gamma, "gamma"), c.in(b.mean, "mean"), c.in(b.variance, "variance"), c.in(b.dgamma, "dgamma"),
                c.in(b.dbeta, "dbeta"), c.out(b.dx, "dx"), apply.strips, n.epsilon);
}

// Where the first pass has stored ds, the second reads that.
template <int Width, class T>
void run_tuned(const Call<T>& c, const Backward& b) {
    b.relu == nullptr ? launch_sums<Width, Behind::nothing>(c, b) : launch_sums<Width, Behind::relu>(c, b);
    if (b.dx == nullptr) return;
    const bool behind_relu = b.relu != nullptr && b.ds == nullptr;
    behind_relu ? launch_gradient<Width, Behind::relu>(c, b, b.dy)
                : launch_gradient<Width, Behind::nothing>(c, b, b.ds != nullptr ? b.ds : b.dy);
}

template <class T, class Operands>
void run(const BatchNorm& n, const Operands& operands, const Workspace& workspace, dev::Stream& stream) {
    const Call<T> call{n, workspace, stream};
    if (n.variant == Variant::plain) return run_plain(call, operands);
    if (width_of(n) == 1) return run_tuned<1>(call, operands);
    run_tuned<dev::kWide<T>>(call, operands);
}

template <class Operands>
void run_typed(const BatchNorm& n, const Operands& operands, const Workspace& workspace, dev::Stream& stream) {
    if (n.dtype == DType::bf16) return run<bf16>(n, operands, workspace, stream);
    run<float>(n, operands, workspace, stream);
}

dim3 parameter_blocks(std::int64_t count) { return dim3(static_cast<unsigned>(ceil_div(count, kParameterThreads))); }

}  // namespace

std::size_t workspace_bytes(const BatchNorm& n) {
    if (n.channels <= 0) return 0;
    if (n.variant == Variant::plain) return 2 * vector_bytes(n);
    const StripLaunch launch = reduce::plan_columns(n.rows, n.channels, width_of(n));
    return 2 * vector_bytes(n) + reduce::column_workspace_bytes(launch, kMostTerms);
}

void forward(const BatchNorm& n, const Forward& operands, std::span<std::byte> memory, dev::Stream& stream) {
    check(n, {operands.x, operands.gamma, operands.beta}, {operands.residual, operands.y},
          {operands.gamma, operands.beta, operands.mean, operands.variance});
    if (n.channels == 0) return;
    check_workspace(memory, workspace_bytes(n), name_of(n));
    const Workspace workspace = cut(n, memory);
    Forward call = operands;
    if (call.mean == nullptr) call.mean = workspace.vectors[0];
    if (call.variance == nullptr) call.variance = workspace.vectors[1];
    run_typed(n, call, workspace, stream);
}

void apply(const BatchNorm& n, const Apply& operands, dev::Stream& stream) {
    check(n, {operands.x, operands.gamma, operands.beta, operands.mean, operands.variance, operands.y},
          {operands.residual}, {operands.gamma, operands.beta, operands.mean, operands.variance});
    if (n.channels > 0) run_typed(n, operands, {}, stream);
}

std::size_t workspace_bytes(const CellMoments& m) {
    return m.channels <= 0 ? 0 : reduce::column_workspace_bytes(plan_merge(m), MergedMoments<1>::kTerms);
}

void merge_moments(const CellMoments& m, std::span<std::byte> memory, dev::Stream& stream) {
    const std::string name = "merging moments of [" + std::to_string(m.rows) + ", " + std::to_string(m.channels) + "]";
    require(m.rows >= 1 && m.channels >= 0 && m.cell_rows >= 1, name, "it needs at least one value per channel");
    if (m.channels == 0) return;
    for (const float* pointer : std::initializer_list<const float*>{m.cells, m.mean, m.variance}) {
        require(pointer != nullptr && is_aligned(pointer, 16), name, "an operand is null or not aligned to 16 bytes");
    }
    if (workspace_bytes(m) > 0) check_workspace(memory, workspace_bytes(m), name);
    const StripLaunch sums = plan_merge(m);
    auto* arrived = reinterpret_cast<unsigned*>(memory.data());
    auto* partials = reinterpret_cast<float*>(memory.data() + reduce::counter_bytes(sums));
    if (sums.grid.x > 1) dev::fill_bytes(arrived, 0, reduce::counter_bytes(sums), stream);
    const auto launch = [&]<int Width>() {
        dev::launch(merge_cell_moments<Width>, sums.grid, sums.block,
                    sizeof(reduce::ColumnMemory<MergedMoments<Width>>), stream,
                    dev::reads(m.cells, "cells", {cells_of(m), 3, m.channels}),
                    dev::writes(m.mean, "mean", {m.channels}), dev::writes(m.variance, "variance", {m.channels}),
                    m.rows, m.cell_rows, partials, arrived, sums.strips);
    };
    width_of(m) == 1 ? launch.template operator()<1>() : launch.template operator()<dev::kWide<float>>();
}

void backward(const BatchNorm& n, const Backward& operands, std::span<std::byte> memory, dev::Stream& stream) {
    require(operands.ds == nullptr || operands.relu != nullptr, name_of(n), "ds is wanted of a relu that is not given");
    check(n, {operands.dy, operands.x, operands.gamma, operands.mean, operands.variance},
          {operands.relu, operands.dx, operands.ds},
          {operands.gamma, operands.mean, operands.variance, operands.dgamma, operands.dbeta});
    if (n.channels == 0) return;
    check_workspace(memory, workspace_bytes(n), name_of(n));
    const Workspace workspace = cut(n, memory);
    Backward call = operands;
    if (call.dgamma == nullptr) call.dgamma = workspace.vectors[0];
    if (call.dbeta == nullptr) call.dbeta = workspace.vectors[1];
    run_typed(n, call, workspace, stream);
}

void batch_norm_scale(std::int64_t channels, float epsilon, const float* gamma, const float* variance, float* scale,
                      dev::Stream& stream) {
    if (channels == 0) return;
    dev::launch(batch_norm_scale_kernel, parameter_blocks(channels), dim3(kParameterThreads), 0, stream,
                dev::reads(gamma, "gamma", {channels}), dev::reads(variance, "variance", {channels}),
                dev::writes(scale, "scale", {channels}), channels, epsilon);
}

void batch_norm_shift(std::int64_t channels, const float* beta, const float* mean, const float* scale, float* shift,
                      dev::Stream& stream) {
    if (channels == 0) return;
    dev::launch(batch_norm_shift_kernel, parameter_blocks(channels), dim3(kParameterThreads), 0, stream,
                dev::reads(beta, "beta", {channels}), dev::reads(mean, "mean", {channels}),
                dev::reads(scale, "scale", {channels}), dev::writes(shift, "shift", {channels}), channels);
}

void scale_filter(std::int64_t filters, std::int64_t elements, const float* w, const float* scale, float* scaled,
                  dev::Stream& stream) {
    if (filters == 0 || elements == 0) return;
    dev::launch(scale_filter_kernel, dim3(static_cast<unsigned>(filters)), dim3(kParameterThreads), 0, stream,
                dev::reads(w, "filter", {filters, elements}), dev::reads(scale, "scale", {filters}),
                dev::writes(scaled, "scaled filter", {filters, elements}), elements);
}

}  // namespace cambium::norm
