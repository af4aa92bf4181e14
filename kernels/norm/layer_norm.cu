// Layer norm's launches: what a descriptor must satisfy, the width of accesses, and how many threads a row gets.
#include "kernels/norm/layer_norm.cuh"

#include "kernels/check.h"
#include "kernels/norm/layer_norm_plain.cuh"

namespace cambium::norm {
namespace {

std::string name_of(const LayerNorm& n) {
    return "a layer norm of [" + std::to_string(n.rows) + ", " + std::to_string(n.channels) + "]";
}

// The heuristics: rows of a multiple of 16 bytes move so, others element by element; a warp for up to eight runs a
// thread (768 channels of ViT-B are three in bf16), else a block.
int width_of(const LayerNorm& n) {
    const int wide = n.dtype == DType::bf16 ? dev::kWide<bf16> : dev::kWide<float>;
    return n.channels % wide == 0 ? wide : 1;
}
bool is_warp(const LayerNorm& n) { return n.channels <= 8 * 32 * width_of(n); }

StripLaunch plan_sums(const LayerNorm& n) { return reduce::plan_columns(n.rows, n.channels, width_of(n)); }

// Sizes and pointers; false where there is nothing to do.
bool check(const LayerNorm& n, std::initializer_list<const void*> inputs, std::initializer_list<const void*> others) {
    const std::string name = name_of(n);
    require(n.rows >= 0 && n.channels >= 1, name, "rows must have values");
    require_activation_type(n.dtype, name);
    if (n.rows == 0) return false;
    for (const void* pointer : inputs) require(pointer != nullptr, name, "an input is null");
    const std::size_t alignment = width_of(n) == 1 ? size_of(n.dtype) : 16;
    for (const auto& pointers : {inputs, others}) {
        for (const void* pointer : pointers) {
            require(is_aligned(pointer, alignment), name,
                    "an operand is not aligned to " + std::to_string(alignment) + " bytes");
        }
    }
    return true;
}

template <class T>
struct LayerNormCall {
    const LayerNorm& norm;
    dev::Stream& stream;

    auto in(const void* pointer, std::string_view name, const void* output = nullptr) const {
        return dev::declare(static_cast<const T*>(pointer), name, {norm.rows, norm.channels},
                            output != nullptr && pointer == output);
    }
    auto out(void* pointer, std::string_view name) const {
        return dev::writes(static_cast<T*>(pointer), name, {norm.rows, norm.channels});
    }
    auto channel(const float* pointer, std::string_view name) const {
        return dev::reads(pointer, name, {norm.channels});
    }
    auto row(const float* pointer, std::string_view name) const { return dev::reads(pointer, name, {norm.rows}); }
    dim3 plain_blocks(std::int64_t count) const { return dim3(static_cast<unsigned>(ceil_div(count, kPlainRows))); }

    template <class Kernel, class... Arguments>
    void launch_rows(Kernel* warp, Kernel* block, const Arguments&... arguments) const {
        const std::int64_t per_block = is_warp(norm) ? Row<32>::kRowsPerBlock : 1;
        const std::int64_t blocks = ceil_div(norm.rows, per_block);
        require(blocks <= 0x7fffffff, name_of(norm), "it has more rows than one launch has blocks");
        dev::launch(is_warp(norm) ? warp : block, dim3(static_cast<unsigned>(blocks)), dim3(kRowBlock),
                    sizeof(LayerNormMemory), stream, arguments...);
    }
};

template <int Width, class T>
void run_tuned(const LayerNormCall<T>& c, const LayerNormForward& f) {
    const LayerNorm& n = c.norm;
    c.launch_rows(layer_norm_rows<T, Width, 32>, layer_norm_rows<T, Width, kRowBlock>, c.in(f.x, "x", f.y),
                  c.channel(f.gamma, "gamma"), c.channel(f.beta, "beta"), c.out(f.y, "y"),
                  dev::writes(f.mean, "mean", {n.rows}), dev::writes(f.rstd, "rstd", {n.rows}), n.rows, n.channels,
                  n.epsilon);
}

template <class T>
void run_plain(const LayerNormCall<T>& c, const LayerNormForward& f) {
    const LayerNorm& n = c.norm;
    dev::launch(layer_norm_plain<T>, c.plain_blocks(n.rows), dim3(kPlainRows), 0, c.stream, c.in(f.x, "x", f.y),
                c.channel(f.gamma, "gamma"), c.channel(f.beta, "beta"), c.out(f.y, "y"),
                dev::writes(f.mean, "mean", {n.rows}), dev::writes(f.rstd, "rstd", {n.rows}), n.rows, n.channels,
                n.epsilon);
}

// The sums first: dx may overwrite what they read.
template <int Width, class T>
void run_tuned(const LayerNormCall<T>& c, const LayerNormBackward& b, std::span<std::byte> workspace) {
    const LayerNorm& n = c.norm;
    if (b.dgamma != nullptr) {
        const StripLaunch sums = plan_sums(n);
        auto* arrived = reinterpret_cast<unsigned*>(workspace.data());
        auto* partials = reinterpret_cast<float*>(workspace.data() + reduce::counter_bytes(sums));
        if (sums.grid.x > 1) dev::fill_bytes(arrived, 0, reduce::counter_bytes(sums), c.stream);
        dev::launch(layer_norm_sums<T, Width>, sums.grid, sums.block,
                    sizeof(reduce::ColumnMemory<LayerNormSums<T, Width>>), c.stream, c.in(b.dy, "dy"), c.in(b.x, "x"),
                    c.row(b.mean, "mean"), c.row(b.rstd, "rstd"), dev::writes(b.dgamma, "dgamma", {n.channels}),
                    dev::writes(b.dbeta, "dbeta", {n.channels}), partials, arrived, sums.strips);
    }
    if (b.dx == nullptr) return;
    c.launch_rows(layer_norm_gradient_rows<T, Width, 32>, layer_norm_gradient_rows<T, Width, kRowBlock>,
                  c.in(b.dy, "dy", b.dx), c.in(b.x, "x", b.dx), c.channel(b.gamma, "gamma"), c.row(b.mean, "mean"),
                  c.row(b.rstd, "rstd"), c.out(b.dx, "dx"), n.rows, n.channels);
}

template <class T>
void run_plain(const LayerNormCall<T>& c, const LayerNormBackward& b) {
    const LayerNorm& n = c.norm;
    if (b.dgamma != nullptr) {
        dev::launch(layer_norm_sums_plain<T>, c.plain_blocks(n.channels), dim3(kPlainRows), 0, c.stream,
                    c.in(b.dy, "dy"), c.in(b.x, "x"), c.row(b.mean, "mean"), c.row(b.rstd, "rstd"),
                    dev::writes(b.dgamma, "dgamma", {n.channels}), dev::writes(b.dbeta, "dbeta", {n.channels}), n.rows,
                    n.channels);
    }
    if (b.dx == nullptr) return;
    dev::launch(layer_norm_gradient_plain<T>, c.plain_blocks(n.rows), dim3(kPlainRows), 0, c.stream,
                c.in(b.dy, "dy", b.dx), c.in(b.x, "x", b.dx), c.channel(b.gamma, "gamma"), c.row(b.mean, "mean"),
                c.row(b.rstd, "rstd"), c.out(b.dx, "dx"), n.rows, n.channels);
}

template <class T, class Operands, class... Workspace>
void run(const LayerNorm& n, dev::Stream& stream, const Operands& operands, const Workspace&... workspace) {
    const LayerNormCall<T> call{n, stream};
    if (n.variant == Variant::plain) return run_plain(call, operands);
    if (width_of(n) == 1) return run_tuned<1>(call, operands, workspace...);
    run_tuned<dev::kWide<T>>(call, operands, workspace...);
}

}  // namespace

std::size_t workspace_bytes(const LayerNorm& n) {
    if (n.variant == Variant::plain || n.channels <= 0) return 0;
    return reduce::column_workspace_bytes(plan_sums(n), 2);
}

void layer_norm(const LayerNorm& n, const LayerNormForward& f, dev::Stream& stream) {
    if (!check(n, {f.x, f.gamma, f.beta}, {f.y})) return;
    require(is_aligned(f.mean, 4) && is_aligned(f.rstd, 4), name_of(n), "a moment is not aligned to 4 bytes");
    if (n.dtype == DType::bf16) return run<bf16>(n, stream, f);
    run<float>(n, stream, f);
}

void layer_norm_gradient(const LayerNorm& n, const LayerNormBackward& b, std::span<std::byte> workspace,
                         dev::Stream& stream) {
    const std::string name = name_of(n);
    require((b.dgamma == nullptr) == (b.dbeta == nullptr), name, "give both or neither of dgamma and dbeta");
    if (!check(n, {b.dy, b.x, b.gamma, b.mean, b.rstd}, {b.dx, b.dgamma, b.dbeta})) {
        if (b.dgamma == nullptr) return;
        dev::fill_bytes(b.dgamma, 0, static_cast<std::size_t>(n.channels) * sizeof(float), stream);
        return dev::fill_bytes(b.dbeta, 0, static_cast<std::size_t>(n.channels) * sizeof(float), stream);
    }
    require(workspace.size() >= workspace_bytes(n) && is_aligned(workspace.data(), 16), name,
            "the workspace has " + std::to_string(workspace.size()) + " bytes and must have " +
                std::to_string(workspace_bytes(n)) + ", aligned to 16");
    if (n.dtype == DType::bf16) return run<bf16>(n, stream, b, workspace);
    run<float>(n, stream, b, workspace);
}

}  // namespace cambium::norm
