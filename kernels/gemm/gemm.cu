// The matrix product's launches: what a descriptor must satisfy, the heuristic, and the choice of the instance.
#include "kernels/gemm/gemm.h"

#include <algorithm>
#include <string>

#include "engine/base/error.h"
#include "kernels/gemm/plain.cuh"
#include "kernels/gemm/tuned.cuh"

namespace cambium::gemm {
namespace {

constexpr std::int64_t kMostMatrices = 65535;  // a launch's blocks along z

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

std::int64_t operand_bytes(const Gemm& g) { return g.math == Math::bf16 ? 2 : 4; }
std::int64_t output_bytes(const Gemm& g) { return g.output == Output::bf16 ? 2 : 4; }
std::int64_t depth_of_tile(const Gemm& g) { return 128 / operand_bytes(g); }

std::int64_t tiles_of(const Gemm& g, std::int64_t side) { return ceil_div(g.m, side) * ceil_div(g.n, side); }
std::int64_t side_of(Tile tile) { return tile == Tile::m64n64 ? 64 : 128; }

// Of the whole batch, for each part of K.
std::int64_t blocks_of(const Gemm& g, Tile tile) { return tiles_of(g, side_of(tile)) * g.batch.count; }

bool is_empty(const Gemm& g) { return g.m <= 0 || g.n <= 0 || g.batch.count <= 0; }

// The plan that run() follows: the caller's or the heuristic's.
Plan plan_of(const Gemm& g) { return g.plan.has_value() ? *g.plan : choose_plan(g); }

std::size_t counter_bytes(std::int64_t blocks) { return static_cast<std::size_t>(ceil_div(blocks * 4, 256) * 256); }

bool is_aligned(const void* pointer, std::int64_t bytes) {
    return reinterpret_cast<std::uintptr_t>(pointer) % static_cast<std::uintptr_t>(bytes) == 0;
}

// The widest copy, in bytes, to which the first element and all rows of all of an operand's matrices are aligned.
int copy_bytes(const void* data, std::int64_t row_stride, std::int64_t matrix_stride, std::int64_t element) {
    std::int64_t bytes = 16;
    while (bytes > element &&
           !(is_aligned(data, bytes) && row_stride * element % bytes == 0 && matrix_stride * element % bytes == 0)) {
        bytes /= 2;
    }
    return static_cast<int>(bytes);
}

std::string sizes_of(const Gemm& g) {
    const std::string batch = g.batch.count == 1 ? "" : ", batch " + std::to_string(g.batch.count);
    return "gemm of M " + std::to_string(g.m) + ", N " + std::to_string(g.n) + ", K " + std::to_string(g.k) + batch;
}
void require(bool holds, const Gemm& g, const std::string& otherwise) {
    if (!holds) throw UsageError("cannot run a " + sizes_of(g) + ": " + otherwise);
}

// Fills in the leading dimensions that were left 0 and checks all that run() promises to check.
Problem checked_problem(const Gemm& g, const void* a, const void* b, const void* d) {
    require(std::min({g.m, g.n, g.k, g.batch.count}) >= 0, g, "sizes must not be negative");
    require(std::min({g.batch.a, g.batch.b, g.batch.d, g.batch.residual}) >= 0, g, "strides must not be negative");
    require(g.batch.count <= kMostMatrices, g, "a launch has at most 65535 products; cut the batch");
    require(g.batch.count <= 1 || g.batch.d > 0, g, "all products of the batch would be written to the same D");
    require(g.output == Output::f32 || g.math == Math::bf16, g, "only bf16 operands give a bf16 result; ask for f32");
    const bool a_transposed = g.transpose_a == Transpose::yes, b_transposed = g.transpose_b == Transpose::yes;
    const auto stride = [&](std::int64_t given, std::int64_t columns, const char* name) {
        require(given == 0 || given >= columns, g,
                std::string(name) + " is " + std::to_string(given) + ", but its rows have " + std::to_string(columns) +
                    " elements; give at least that, or 0 for rows without gaps");
        return given == 0 ? columns : given;
    };
    Problem p{};
    p.m = g.m, p.n = g.n, p.k = g.k;
    p.lda = stride(g.lda, a_transposed ? g.m : g.k, "lda");
    p.ldb = stride(g.ldb, b_transposed ? g.k : g.n, "ldb");
    p.ldd = stride(g.ldd, g.n, "ldd");
    p.batch = g.batch;
    p.splits = 1;
    p.output = g.output;
    p.epilogue = g.epilogue;
    p.epilogue.residual_stride = stride(g.epilogue.residual_stride, g.n, "residual_stride");
    require(g.epilogue.moments == nullptr || (g.variant == Variant::tuned && g.batch.count == 1), g,
            "only the tuned kernel takes moments, and not of a batch");
    if (is_empty(g)) return p;
    require(g.k == 0 || (a != nullptr && b != nullptr), g, "A or B is null");
    require(d != nullptr, g, "D is null");
    const std::int64_t in = operand_bytes(g), out = output_bytes(g);
    require(is_aligned(a, in) && is_aligned(b, in) && is_aligned(d, out) && is_aligned(g.epilogue.residual, out) &&
                is_aligned(g.epilogue.bias, 4) && is_aligned(g.epilogue.scale, 4),
            g, "an operand is not aligned to its element type");
    require(is_aligned(g.epilogue.moments, 16), g, "moments are not aligned to 16 bytes");
    p.copy_bytes_a = copy_bytes(a, p.lda, g.batch.a, in);
    p.copy_bytes_b = copy_bytes(b, p.ldb, g.batch.b, in);
    p.store_elements = std::min(copy_bytes(d, p.ldd, g.batch.d, out),
                                copy_bytes(g.epilogue.residual, p.epilogue.residual_stride, g.batch.residual, out)) /
                       static_cast<int>(out);
    p.store_elements = std::min(p.store_elements, 4);
    return p;
}

struct Call {
    const Gemm& gemm;
    Problem problem;
    Plan plan;
    const void* a;
    const void* b;
    void* d;
    std::span<std::byte> workspace;
    dev::Stream& stream;
};

// As stored: [rows, stride] of one matrix, which says enough of a batch too.
template <class T>
auto declared_operand(const void* data, bool transposed, std::int64_t rows, std::int64_t columns, std::int64_t stride,
                      std::string_view name) {
    return dev::reads(static_cast<const T*>(data), name, {transposed ? columns : rows, stride});
}

// Calls launch_with(A, B, D), the pointers named and shaped for reports.
template <class T, class Launch>
void with_declared(const Call& c, Launch&& launch_with) {
    const Gemm& g = c.gemm;
    const Problem& p = c.problem;
    const auto a = declared_operand<T>(c.a, g.transpose_a == Transpose::yes, g.m, g.k, p.lda, "A");
    const auto b = declared_operand<T>(c.b, g.transpose_b == Transpose::yes, g.k, g.n, p.ldb, "B");
    if (g.output == Output::f32) {
        launch_with(a, b, dev::writes(static_cast<float*>(c.d), "D", {g.m, p.ldd}));
    } else {
        launch_with(a, b, dev::writes(static_cast<bf16*>(c.d), "D", {g.m, p.ldd}));
    }
}

template <Math math, class T>
void launch_plain(const Call& c) {
    const Gemm& g = c.gemm;
    const auto strides = [](Transpose transpose, std::int64_t stride) {
        return transpose == Transpose::yes ? Strides{1, stride} : Strides{stride, 1};
    };
    const dim3 grid(static_cast<unsigned>(tiles_of(g, kPlainTile)), 1, static_cast<unsigned>(g.batch.count));
    with_declared<T>(c, [&](const auto& a, const auto& b, const auto& d) {
        dev::launch(plain<math, T>, grid, dim3(kPlainTile, kPlainTile), sizeof(PlainTiles), c.stream, a,
                    strides(g.transpose_a, c.problem.lda), b, strides(g.transpose_b, c.problem.ldb), d, c.problem);
    });
}

template <class Tiling>
void launch_tuned(const Call& c) {
    const std::int64_t blocks = blocks_of(c.gemm, c.plan.tile), matrices = c.gemm.batch.count;
    const dim3 grid(static_cast<unsigned>(blocks / matrices), static_cast<unsigned>(c.plan.splits),
                    static_cast<unsigned>(matrices));
    unsigned* arrived = nullptr;
    float* partials = nullptr;
    if (c.plan.splits > 1) {
        arrived = reinterpret_cast<unsigned*>(c.workspace.data());
        partials = reinterpret_cast<float*>(c.workspace.data() + counter_bytes(blocks));
        dev::fill_bytes(arrived, 0, counter_bytes(blocks), c.stream);
    }
    with_declared<typename Tiling::Element>(c, [&](const auto& a, const auto& b, const auto& d) {
        dev::launch(tuned<Tiling>, grid, dim3(Tiling::kThreads), sizeof(typename Tiling::Stages), c.stream, a, b, d,
                    partials, arrived, c.problem);
    });
}

template <Math math, class T, Major major_a, Major major_b>
void launch_tile(const Call& c) {
    if (c.plan.tile == Tile::m64n64) {
        launch_tuned<Tiling<math, T, major_a, major_b, 64, 64, 32, 32>>(c);
    } else {
        launch_tuned<Tiling<math, T, major_a, major_b, 128, 128, 64, 32>>(c);
    }
}

// A as stored runs along k where it is not transposed, B where it is.
template <Math math, class T>
void launch_math(const Call& c) {
    if (c.gemm.variant == Variant::plain) return launch_plain<math, T>(c);
    const bool a_k = c.gemm.transpose_a == Transpose::no, b_k = c.gemm.transpose_b == Transpose::yes;
    if (a_k && b_k) return launch_tile<math, T, Major::k, Major::k>(c);
    if (a_k) return launch_tile<math, T, Major::k, Major::mn>(c);
    if (b_k) return launch_tile<math, T, Major::mn, Major::k>(c);
    return launch_tile<math, T, Major::mn, Major::mn>(c);
}

}  // namespace

// Large tiles read each operand half as often, once there is one for every multiprocessor. Below that small tiles keep
// more of them busy, and where even those are few and K is long, so do parts of K of at least four tiles each.
Plan choose_plan(const Gemm& g) {
    constexpr std::int64_t kMultiprocessors = 132;  // an H100's or H200's; fixed, so that results do not depend on it
    constexpr std::int64_t kTilesPerPart = 4, kMostParts = 16;
    if (is_empty(g)) return {};
    if (blocks_of(g, Tile::m128n128) >= kMultiprocessors) return {.tile = Tile::m128n128, .splits = 1};
    const std::int64_t parts =
        std::min({kMultiprocessors / blocks_of(g, Tile::m64n64), g.k / (kTilesPerPart * depth_of_tile(g)), kMostParts});
    return {.tile = Tile::m64n64, .splits = static_cast<int>(std::max<std::int64_t>(parts, 1))};
}

std::size_t workspace_bytes(const Gemm& g) {
    if (g.variant == Variant::plain || is_empty(g)) return 0;
    const Plan plan = plan_of(g);
    if (plan.splits <= 1) return 0;
    const std::int64_t blocks = blocks_of(g, plan.tile), side = side_of(plan.tile);
    return counter_bytes(blocks) + static_cast<std::size_t>(blocks * plan.splits * side * side) * sizeof(float);
}

std::int64_t moment_rows(const Gemm& g) { return plan_of(g).tile == Tile::m64n64 ? 32 : 64; }

void run(const Gemm& g, const void* a, const void* b, void* d, std::span<std::byte> workspace, dev::Stream& stream) {
    Call call{g, checked_problem(g, a, b, d), plan_of(g), a, b, d, workspace, stream};
    if (is_empty(g)) return;
    const int splits = call.plan.splits;
    require(splits >= 1 && splits <= 65535, g,
            "K cannot be cut into " + std::to_string(splits) + " parts; give 1 to 65535");
    const std::int64_t side = g.variant == Variant::plain ? kPlainTile : side_of(call.plan.tile);
    require(tiles_of(g, side) <= 0x7fffffff, g, "more tiles than one launch has blocks");
    require(workspace.size() >= workspace_bytes(g) && (splits == 1 || is_aligned(workspace.data(), 16)), g,
            "the workspace has " + std::to_string(workspace.size()) + " bytes and must have " +
                std::to_string(workspace_bytes(g)) + ", aligned to 16");
    call.problem.splits = splits;
    if (g.math == Math::bf16) return launch_math<Math::bf16, bf16>(call);
    if (g.math == Math::tf32) return launch_math<Math::tf32, float>(call);
    launch_math<Math::f32, float>(call);
}

}  // namespace cambium::gemm
