// Attention, one head of one sequence at a time. The head's keys and values are packed once into the panels of our
// matrix product; then block after block of queries runs through score, softmax and weighted sum while the scores,
// [block, L], stay in cache. A sum is always taken in one order, so the bits do not depend on the thread count.
#include <algorithm>
#include <cmath>

#include "engine/backends/cpu/prepare.h"
#include "engine/backends/cpu/tiled.h"

namespace cambium::cpu {
namespace {

using i64 = std::int64_t;

constexpr i64 block_rows = 96;    // queries at a time; a multiple of every register tile's rows
constexpr i64 panel_depth = 512;  // so much of a panel stays in the nearest cache

i64 rounded(i64 n, i64 unit) { return (n + unit - 1) / unit * unit; }

enum Part : std::uint8_t { query, key, value };

// qkv [N, L, 3, H, D]; y [N, L, H, D]; lse [N, H, L].
struct Geometry {
    i64 N, L, H, D;
    bool causal, counted;
    float scale;

    Geometry(const Shape& qkv, ops::AttentionMask mask, bool has_count)
        : N(qkv[0]),
          L(qkv[1]),
          H(qkv[3]),
          D(qkv[4]),
          causal(mask == ops::AttentionMask::causal),
          counted(has_count),
          scale(static_cast<float>(1 / std::sqrt(static_cast<double>(D)))) {}

    // Tokens of sequence n that are there.
    i64 present(const void* count, i64 n) const {
        return counted ? std::clamp<i64>(static_cast<const std::int32_t*>(count)[n], 0, L) : L;
    }
    // How many leading tokens query i attends to.
    i64 attended(i64 i, i64 present_tokens) const { return causal ? i + 1 : present_tokens; }

    i64 qkv_at(Part part, i64 n, i64 token, i64 h) const { return (((n * L + token) * 3 + part) * H + h) * D; }
    i64 qkv_stride() const { return 3 * H * D; }
    i64 y_at(i64 n, i64 token, i64 h) const { return ((n * L + token) * H + h) * D; }
    i64 y_stride() const { return H * D; }
    i64 lse_at(i64 n, i64 h, i64 token) const { return (n * H + h) * L + token; }
};

// The vectors of one head, `stride` elements apart, to and from a dense f32 [rows, D].
void gather(const void* data, DType dtype, i64 first, i64 stride, i64 rows, i64 d, float* to) {
    for (i64 row = 0; row < rows; ++row, first += stride, to += d) {
        const float* from = widened(data, dtype, first, d, to);
        if (from != to) std::copy_n(from, d, to);
    }
}
void scatter(const float* from, i64 rows, i64 d, void* data, DType dtype, i64 first, i64 stride) {
    for (i64 row = 0; row < rows; ++row, first += stride, from += d) {
        if (dtype == DType::f32) {
            std::copy_n(from, d, static_cast<float*>(data) + first);
        } else {
            kernels().elementwise.narrow(from, static_cast<bf16*>(data) + first, d);
        }
    }
}
void clear(void* data, DType dtype, i64 first, i64 stride, i64 rows, i64 d) {
    for (i64 row = 0; row < rows; ++row, first += stride) {
        if (dtype == DType::f32) {
            std::fill_n(static_cast<float*>(data) + first, d, 0.0f);
        } else {
            std::fill_n(static_cast<bf16*>(data) + first, d, bf16());
        }
    }
}

// Operands of multiply() below: A [m, k] as panels of mr rows, B [k, n] as panels of nr columns, from a matrix whose
// element (i, j) lies at i * row + j * column.
void pack_a(const float* a, i64 row, i64 column, i64 m, i64 k, float* panels) {
    const GemmKernels& gemm = kernels().gemm;
    gemm.pack(a, row, column, m, k, gemm.mr, panels);
}
void pack_b(const float* b, i64 row, i64 column, i64 k, i64 n, float* panels) {
    const GemmKernels& gemm = kernels().gemm;
    gemm.pack(b, column, row, n, k, gemm.nr, panels);
}

enum class Into : std::uint8_t { replace, add };

// c [m, n], rows ldc apart, = or += A B. The panels of B are b_depth >= k deep, of which the first k rows count.
void multiply(i64 m, i64 n, i64 k, const float* a, const float* b, i64 b_depth, float* c, i64 ldc, Into into) {
    const GemmKernels& gemm = kernels().gemm;
    for (i64 l = 0; l < k; l += panel_depth) {
        const i64 depth = std::min(panel_depth, k - l);
        for (i64 column = 0; column < n; column += gemm.nr) {
            for (i64 row = 0; row < m; row += gemm.mr) {
                gemm.tile(depth, a + row * k + l * gemm.mr, b + column * b_depth + l * gemm.nr, c + row * ldc + column,
                          ldc, std::min(gemm.mr, m - row), std::min(gemm.nr, n - column), l > 0 || into == Into::add);
            }
        }
    }
}

// Hands out the parts of one thread's workspace; from a null base it only counts.
class Cutter {
  public:
    explicit Cutter(void* base) : base_(static_cast<char*>(base)) {}
    float* take(i64 floats) {
        const std::size_t at = bytes_;
        bytes_ += aligned(static_cast<std::size_t>(floats) * sizeof(float));
        return base_ == nullptr ? nullptr : reinterpret_cast<float*>(base_ + at);
    }
    std::size_t bytes() const { return bytes_; }

  private:
    char* base_;
    std::size_t bytes_ = 0;
};

// Runs work(task, scratch) for all tasks; each thread has a Scratch of its own in the workspace.
template <class Scratch, class Work>
void for_each_task(const Geometry& g, i64 tasks, void* workspace, Work work) {
    Cutter measure(nullptr);
    Scratch(g, measure);
    const i64 parts = std::min<i64>(thread_count(), tasks);
    parallel_for(parts, 1, [&](i64 begin, i64 end) {
        for (i64 part = begin; part < end; ++part) {
            Cutter cutter(static_cast<char*>(workspace) + static_cast<std::size_t>(part) * measure.bytes());
            Scratch scratch(g, cutter);
            for (i64 task = tasks * part / parts; task < tasks * (part + 1) / parts; ++task) work(task, scratch);
        }
    });
}

template <class Scratch>
std::size_t workspace_bytes(const Geometry& g) {
    Cutter measure(nullptr);
    Scratch(g, measure);
    return measure.bytes() * static_cast<std::size_t>(thread_count());
}

struct ForwardScratch {
    float *dense, *keys, *values, *queries, *scores, *weights, *result;
    ForwardScratch(const Geometry& g, Cutter& cut)
        : dense(cut.take(g.L * g.D)),
          keys(cut.take(rounded(g.L, kernels().gemm.nr) * g.D)),
          values(cut.take(rounded(g.D, kernels().gemm.nr) * g.L)),
          queries(cut.take(block_rows * g.D)),
          scores(cut.take(block_rows * g.L)),
          weights(cut.take(block_rows * g.L)),
          result(cut.take(block_rows * g.D)) {}
};

// Queries first .. last - 1 of head (n, h), in blocks.
class ForwardHead {
  public:
    ForwardHead(const Geometry& g, const NodeSpec& node, const Operands& o, const ForwardScratch& s, i64 n, i64 h)
        : g_(g),
          o_(o),
          s_(s),
          qkv_(node.inputs[0].tensor.dtype),
          y_(node.outputs[0].tensor.dtype),
          n_(n),
          h_(h),
          present_(g.present(g.counted ? o.inputs[1] : nullptr, n)) {}

    void run(i64 first, i64 last) {
        const i64 rows = std::min(last, present_);
        if (first < rows) {
            const i64 tokens = g_.attended(rows - 1, present_);
            gather_part(key, 0, tokens, s_.dense);
            pack_b(s_.dense, 1, g_.D, g_.D, tokens, s_.keys);
            gather_part(value, 0, tokens, s_.dense);
            pack_b(s_.dense, g_.D, 1, tokens, g_.D, s_.values);
            for (i64 row = first; row < rows; row += block_rows) {
                block(row, std::min(block_rows, rows - row), tokens);
            }
        }
        const i64 padding = std::max(first, rows);
        if (o_.outputs[0] != nullptr)
            clear(o_.outputs[0], y_, g_.y_at(n_, padding, h_), g_.y_stride(), last - padding, g_.D);
        if (o_.outputs[1] != nullptr)
            std::fill(o_.out<float>(1) + g_.lse_at(n_, h_, padding), o_.out<float>(1) + g_.lse_at(n_, h_, last), 0.0f);
    }

  private:
    void gather_part(Part part, i64 token, i64 rows, float* to) const {
        gather(o_.inputs[0], qkv_, g_.qkv_at(part, n_, token, h_), g_.qkv_stride(), rows, g_.D, to);
    }

    void block(i64 first, i64 rows, i64 packed_tokens) {
        const i64 tokens = g_.attended(first + rows - 1, present_);
        gather_part(query, first, rows, s_.result);
        pack_a(s_.result, g_.D, 1, rows, g_.D, s_.queries);
        multiply(rows, tokens, g_.D, s_.queries, s_.keys, g_.D, s_.scores, tokens, Into::replace);
        float inverse[block_rows];
        for (i64 row = 0; row < rows; ++row) inverse[row] = softmax(first + row, s_.scores + row * tokens, tokens);
        if (o_.outputs[0] == nullptr) return;
        pack_a(s_.scores, tokens, 1, rows, tokens, s_.weights);
        multiply(rows, g_.D, tokens, s_.weights, s_.values, packed_tokens, s_.result, g_.D, Into::replace);
        for (i64 row = 0; row < rows; ++row) {
            float* y = s_.result + row * g_.D;
            kernels().elementwise.scale(y, inverse[row], y, g_.D);
        }
        scatter(s_.result, rows, g_.D, o_.outputs[0], y_, g_.y_at(n_, first, h_), g_.y_stride());
    }

    // Scores to weights that lack a common factor, which is returned: 1 over their sum.
    float softmax(i64 token, float* scores, i64 tokens) const {
        const i64 own = g_.attended(token, present_);
        const RowKernels& row = kernels().row;
        const float largest = g_.scale * row.maximum(scores, own);
        row.exponentials(scores, g_.scale, largest, scores, own);
        std::fill(scores + own, scores + tokens, 0.0f);
        const double sum = kernels().elementwise.sum(scores, own);
        if (o_.outputs[1] != nullptr) {
            o_.out<float>(1)[g_.lse_at(n_, h_, token)] =
                static_cast<float>(static_cast<double>(largest) + std::log(sum));
        }
        return static_cast<float>(1 / sum);
    }

    const Geometry& g_;
    const Operands& o_;
    const ForwardScratch& s_;
    DType qkv_, y_;
    i64 n_, h_, present_;
};

struct BackwardScratch {
    // Dense [L, D]: the head's keys and values, and the sums of their gradients. Panels: of K^T and V^T, which give
    // scores and their gradients, and of K, which gives dQ.
    float *keys, *values, *dkeys, *dvalues, *score_panels, *product_panels, *key_panels;
    // Dense [block, D] of one block of queries, and its panels as left and as right operand.
    float *queries, *dy, *y, *query_rows, *dy_rows, *query_columns, *dy_columns;
    float *weights, *dscores, *transposed, *dscore_rows;  // [block, L]
    BackwardScratch(const Geometry& g, Cutter& cut) {
        const i64 mr = kernels().gemm.mr, nr = kernels().gemm.nr;
        for (float** dense : {&keys, &values, &dkeys, &dvalues}) *dense = cut.take(g.L * g.D);
        for (float** panels : {&score_panels, &product_panels}) *panels = cut.take(rounded(g.L, nr) * g.D);
        key_panels = cut.take(rounded(g.D, nr) * g.L);
        for (float** rows : {&queries, &dy, &y, &query_rows, &dy_rows}) *rows = cut.take(block_rows * g.D);
        for (float** columns : {&query_columns, &dy_columns}) *columns = cut.take(block_rows * rounded(g.D, nr));
        for (float** square : {&weights, &dscores, &dscore_rows}) *square = cut.take(block_rows * g.L);
        transposed = cut.take(block_rows * rounded(g.L, mr));
    }
};

// The gradients of one head: the block of queries owns its dQ, and adds to dK and dV, in the order of the blocks.
class BackwardHead {
  public:
    BackwardHead(const Geometry& g, const NodeSpec& node, const Operands& o, const BackwardScratch& s, i64 n, i64 h)
        : g_(g), node_(node), o_(o), s_(s), n_(n), h_(h), present_(g.present(g.counted ? o.inputs[4] : nullptr, n)) {}

    void run() {
        gather_part(key, 0, present_, s_.keys);
        gather_part(value, 0, present_, s_.values);
        pack_b(s_.keys, 1, g_.D, g_.D, present_, s_.score_panels);
        pack_b(s_.values, 1, g_.D, g_.D, present_, s_.product_panels);
        pack_b(s_.keys, g_.D, 1, present_, g_.D, s_.key_panels);
        std::fill_n(s_.dkeys, present_ * g_.D, 0.0f);
        std::fill_n(s_.dvalues, present_ * g_.D, 0.0f);
        for (i64 row = 0; row < present_; row += block_rows) block(row, std::min(block_rows, present_ - row));
        scatter_part(s_.dkeys, key, 0, present_);
        scatter_part(s_.dvalues, value, 0, present_);
        for (const Part part : {query, key, value}) {
            clear(o_.outputs[0], node_.outputs[0].tensor.dtype, g_.qkv_at(part, n_, present_, h_), g_.qkv_stride(),
                  g_.L - present_, g_.D);
        }
    }

  private:
    void gather_part(Part part, i64 token, i64 rows, float* to) const {
        gather(o_.inputs[1], node_.inputs[1].tensor.dtype, g_.qkv_at(part, n_, token, h_), g_.qkv_stride(), rows, g_.D,
               to);
    }
    void gather_result(std::size_t input, i64 token, i64 rows, float* to) const {
        gather(o_.inputs[input], node_.inputs[input].tensor.dtype, g_.y_at(n_, token, h_), g_.y_stride(), rows, g_.D,
               to);
    }
    void scatter_part(const float* from, Part part, i64 token, i64 rows) const {
        scatter(from, rows, g_.D, o_.outputs[0], node_.outputs[0].tensor.dtype, g_.qkv_at(part, n_, token, h_),
                g_.qkv_stride());
    }

    void block(i64 first, i64 rows) {
        const i64 tokens = g_.attended(first + rows - 1, present_), d = g_.D;
        gather_part(query, first, rows, s_.queries);
        gather_result(0, first, rows, s_.dy);
        gather_result(2, first, rows, s_.y);
        pack_a(s_.queries, d, 1, rows, d, s_.query_rows);
        pack_a(s_.dy, d, 1, rows, d, s_.dy_rows);
        pack_b(s_.queries, d, 1, rows, d, s_.query_columns);
        pack_b(s_.dy, d, 1, rows, d, s_.dy_columns);

        multiply(rows, tokens, d, s_.query_rows, s_.score_panels, d, s_.weights, tokens, Into::replace);
        multiply(rows, tokens, d, s_.dy_rows, s_.product_panels, d, s_.dscores, tokens, Into::replace);
        for (i64 row = 0; row < rows; ++row) score_gradient(first + row, row, tokens);

        pack_a(s_.weights, 1, tokens, tokens, rows, s_.transposed);
        multiply(tokens, d, rows, s_.transposed, s_.dy_columns, rows, s_.dvalues, d, Into::add);
        pack_a(s_.dscores, 1, tokens, tokens, rows, s_.transposed);
        multiply(tokens, d, rows, s_.transposed, s_.query_columns, rows, s_.dkeys, d, Into::add);
        pack_a(s_.dscores, tokens, 1, rows, tokens, s_.dscore_rows);
        multiply(rows, d, tokens, s_.dscore_rows, s_.key_panels, present_, s_.queries, d, Into::replace);
        scatter_part(s_.queries, query, first, rows);
    }

    // Row `row` of the block: scores to weights, and gradients of weights to gradients of scores.
    void score_gradient(i64 token, i64 row, i64 tokens) const {
        float *p = s_.weights + row * tokens, *ds = s_.dscores + row * tokens;
        const i64 own = g_.attended(token, present_);
        const float lse = o_.in<float>(3)[g_.lse_at(n_, h_, token)];
        const double mean = kernels().row.dot(s_.dy + row * g_.D, s_.y + row * g_.D, g_.D);
        kernels().row.exponentials(p, g_.scale, lse, p, own);
        kernels().row.softmax_gradient(p, ds, static_cast<float>(mean), g_.scale, ds, own);
        std::fill(p + own, p + tokens, 0.0f);
        std::fill(ds + own, ds + tokens, 0.0f);
    }

    const Geometry& g_;
    const NodeSpec& node_;
    const Operands& o_;
    const BackwardScratch& s_;
    i64 n_, h_, present_;
};

}  // namespace

// Where there are fewer heads than threads keep busy, the queries of a head are shared out too.
Prepared prepare(const ops::Attention& op, const NodeSpec& node) {
    const Geometry g(node.inputs[0].tensor.shape, op.mask, node.inputs.size() == 2);
    const i64 heads = g.N * g.H, wanted = heads == 0 ? 0 : (4 * thread_count() + heads - 1) / heads;
    const i64 pieces = std::clamp<i64>(wanted, 1, std::max<i64>(1, (g.L + block_rows - 1) / block_rows));
    auto step = make_step(node, [=](const Operands& o) {
        for_each_task<ForwardScratch>(g, heads * pieces, o.workspace, [&](i64 task, const ForwardScratch& scratch) {
            const i64 head = task / pieces, piece = task % pieces;
            ForwardHead(g, node, o, scratch, head / g.H, head % g.H)
                .run(g.L * piece / pieces, g.L * (piece + 1) / pieces);
        });
    });
    step->workspace_bytes = workspace_bytes<ForwardScratch>(g);
    return step;
}

Prepared prepare(const ops::AttentionGradient& op, const NodeSpec& node) {
    const Geometry g(node.inputs[1].tensor.shape, op.mask, node.inputs.size() == 5);
    auto step = make_step(node, [=](const Operands& o) {
        for_each_task<BackwardScratch>(g, g.N * g.H, o.workspace, [&](i64 task, const BackwardScratch& scratch) {
            BackwardHead(g, node, o, scratch, task / g.H, task % g.H).run();
        });
    });
    step->workspace_bytes = workspace_bytes<BackwardScratch>(g);
    return step;
}

}  // namespace cambium::cpu
