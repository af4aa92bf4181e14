// Attention is one operation to cuDNN 9.13 and later. Its gradient is one on Blackwell only; elsewhere it is a graph of
// the operations that a book would write, which cuDNN recognises and runs as one kernel. That graph must be exactly
// this one.
#include <array>
#include <cmath>

#include "engine/backends/gpu/vendor_dnn.h"
#include "engine/backends/gpu/vendor_graph.h"

namespace cambium::gpu {
namespace {

using dnn::Arithmetic, dnn::Axes, dnn::BuiltPlan, dnn::Constant, dnn::Descriptor, dnn::Functions, dnn::GraphPlan,
    dnn::Target;

enum Id : std::int64_t {
    q_id = 1,
    k_id,
    v_id,
    y_id,
    lse_id,
    dy_id,
    sum_id,
    dq_sum_id,
    dq_id,
    dk_id,
    dv_id,
    scale_id,
    one_id,
    first_between
};

// Matrices of a head and their places: [N, H, L, D] and, transposed, [N, H, D, L].
struct Places {
    explicit Places(const DnnAttention& a)
        : row(a.heads * a.size),
          sizes{a.batch, a.heads, a.tokens, a.size},
          turned{a.batch, a.heads, a.size, a.tokens},
          rows{a.batch, a.heads, a.tokens, 1},
          scores{a.batch, a.heads, a.tokens, a.tokens},
          in_qkv{3 * a.tokens * row, a.size, 3 * row, 1},
          in_qkv_turned{3 * a.tokens * row, a.size, 1, 3 * row},
          in_y{a.tokens * row, a.size, row, 1},
          packed{a.tokens * row, a.tokens * a.size, a.size, 1},
          of_rows{a.heads * a.tokens, a.tokens, 1, 1},
          of_scores{a.heads * a.tokens * a.tokens, a.tokens * a.tokens, a.tokens, 1},
          of_scores_turned{a.heads * a.tokens * a.tokens, a.tokens * a.tokens, 1, a.tokens} {}
    std::int64_t row;
    Axes sizes, turned, rows, scores;
    Axes in_qkv, in_qkv_turned, in_y, packed, of_rows, of_scores, of_scores_turned;
};

#if CUDNN_VERSION >= 91300

std::vector<BuiltPlan> build_forward(const Functions& dnn, const DnnAttention& a, const Target& target) {
    constexpr std::size_t first_version = 91300;
    if (dnn.version() < first_version) return {};
    const Places at(a);
    const auto matrix = [&](Id id, const Axes& strides) {
        return dnn::tensor(dnn, id, at.sizes, strides, DType::bf16);
    };
    Descriptor operation(dnn, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);
    operation.set(CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, matrix(q_id, at.in_qkv))
        .set(CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, matrix(k_id, at.in_qkv))
        .set(CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, matrix(v_id, at.in_qkv))
        .set(CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, matrix(y_id, at.in_y))
        .set(CUDNN_ATTR_OPERATION_SDPA_FWD_STATSDESC, dnn::tensor(dnn, lse_id, at.rows, at.of_rows, DType::f32))
        .set(CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, dnn::constant(dnn, scale_id))
        .finalize();
    return dnn::build_plans(dnn, dnn::graph_of(dnn, {&operation, 1}, target), Arithmetic::tensor_cores, target);
}

#else

std::vector<BuiltPlan> build_forward(const Functions&, const DnnAttention&, const Target&) { return {}; }

#endif

// Operations in their order.
class Operations {
  public:
    explicit Operations(const Functions& dnn) : dnn_(dnn) {}
    const std::vector<Descriptor>& all() const { return all_; }

    Descriptor between(const Axes& sizes, const Axes& strides, DType dtype = DType::f32) {
        return dnn::between(dnn_, next_++, sizes, strides, dtype);
    }
    void pointwise(cudnnPointwiseMode_t mode, const Descriptor& x, const Descriptor* b, const Descriptor& y) {
        Descriptor kind(dnn_, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
        kind.set(CUDNN_ATTR_POINTWISE_MODE, mode).set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT).finalize();
        Descriptor& operation = all_.emplace_back(dnn_, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
        operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind).set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
        if (b != nullptr) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *b);
        operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y).finalize();
    }
    void product(const Descriptor& a, const Descriptor& b, const Descriptor& c) {
        Descriptor kind(dnn_, CUDNN_BACKEND_MATMUL_DESCRIPTOR);
        kind.set(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_DATA_FLOAT).finalize();
        all_.emplace_back(dnn_, CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR)
            .set(CUDNN_ATTR_OPERATION_MATMUL_ADESC, a)
            .set(CUDNN_ATTR_OPERATION_MATMUL_BDESC, b)
            .set(CUDNN_ATTR_OPERATION_MATMUL_CDESC, c)
            .set(CUDNN_ATTR_OPERATION_MATMUL_DESC, kind)
            .finalize();
    }
    void sum(const Descriptor& x, const Descriptor& y) {
        Descriptor kind(dnn_, CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
        kind.set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_REDUCE_TENSOR_ADD)
            .set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_DATA_FLOAT)
            .finalize();
        all_.emplace_back(dnn_, CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR)
            .set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x)
            .set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y)
            .set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, kind)
            .finalize();
    }
    void reshape(const Descriptor& x, const Descriptor& y) {
        all_.emplace_back(dnn_, CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR)
            .set(CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x)
            .set(CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y)
            .finalize();
    }

  private:
    const Functions& dnn_;
    std::vector<Descriptor> all_;
    std::int64_t next_ = first_between;
};

// ops::AttentionGradient's formulas, in its order of names.
std::vector<BuiltPlan> build_gradient(const Functions& dnn, const DnnAttention& a, const Target& target) {
    constexpr std::size_t first_version = 91600;  // earlier ones are wrong where 128 does not divide the tokens
    if (dnn.version() < first_version) return {};
    const Places at(a);
    Operations ops(dnn);
    const auto matrix = [&](Id id, const Axes& strides) {
        return dnn::tensor(dnn, id, at.sizes, strides, DType::bf16);
    };
    const auto turned = [&](Id id) { return dnn::tensor(dnn, id, at.turned, at.in_qkv_turned, DType::bf16); };
    const auto scores = [&] { return ops.between(at.scores, at.of_scores); };
    const Descriptor q = matrix(q_id, at.in_qkv), k = turned(k_id), v = turned(v_id), y = matrix(y_id, at.in_y),
                     dy = matrix(dy_id, at.in_y), dq = matrix(dq_id, at.in_qkv), dk = matrix(dk_id, at.in_qkv),
                     dv = matrix(dv_id, at.in_qkv), scale = dnn::constant(dnn, scale_id),
                     one = dnn::constant(dnn, one_id), lse = dnn::tensor(dnn, lse_id, at.rows, at.of_rows, DType::f32),
                     delta = dnn::tensor(dnn, sum_id, at.rows, at.of_rows, DType::f32),
                     dq_sum = dnn::tensor(dnn, dq_sum_id, at.sizes, at.packed, DType::f32);
    // delta = dy . y
    const Descriptor products = ops.between(at.sizes, at.in_y), sum = ops.between(at.rows, at.of_rows);
    ops.pointwise(CUDNN_POINTWISE_MUL, dy, &y, products);
    ops.sum(products, sum);
    ops.pointwise(CUDNN_POINTWISE_MUL, sum, &one, delta);
    // p = exp(scale q k - lse), dv = p dy
    const Descriptor s = scores(), scaled = scores(), shifted = scores(), p = scores(),
                     p_turned = ops.between(at.scores, at.of_scores_turned, DType::bf16);
    ops.product(q, k, s);
    ops.pointwise(CUDNN_POINTWISE_MUL, s, &scale, scaled);
    ops.pointwise(CUDNN_POINTWISE_SUB, scaled, &lse, shifted);
    ops.pointwise(CUDNN_POINTWISE_EXP, shifted, nullptr, p);
    ops.reshape(p, p_turned);
    ops.product(p_turned, dy, dv);
    // ds = scale p (dy v - delta), dk = ds q, dq = ds k
    const Descriptor dp = scores(), less = scores(), weighted = scores(), ds = scores(),
                     ds_turned = ops.between(at.scores, at.of_scores_turned, DType::bf16),
                     k_again = ops.between(at.sizes, at.in_qkv, DType::bf16);
    ops.product(dy, v, dp);
    ops.pointwise(CUDNN_POINTWISE_SUB, dp, &delta, less);
    ops.pointwise(CUDNN_POINTWISE_MUL, less, &p, weighted);
    ops.pointwise(CUDNN_POINTWISE_MUL, weighted, &scale, ds);
    ops.reshape(ds, ds_turned);
    ops.product(ds_turned, q, dk);
    ops.reshape(k, k_again);
    ops.product(ds, k_again, dq_sum);
    ops.pointwise(CUDNN_POINTWISE_IDENTITY, dq_sum, nullptr, dq);
    return dnn::build_plans(dnn, dnn::graph_of(dnn, ops.all(), target), Arithmetic::tensor_cores, target);
}

float scale_of(const DnnAttention& a) { return 1 / std::sqrt(static_cast<float>(a.size)); }

std::unique_ptr<VendorPlan> fastest_of(const std::shared_ptr<dnn::Session>& session, std::vector<BuiltPlan> built,
                                       const std::vector<std::int64_t>& ids, const std::vector<Constant>& constants,
                                       std::span<const std::size_t> bytes, Trial& trial) {
    std::vector<std::unique_ptr<VendorPlan>> plans;
    for (BuiltPlan& one : built) {
        plans.push_back(std::make_unique<GraphPlan>(session, std::move(one), ids, constants));
    }
    return fastest(std::move(plans), bytes, trial);
}

}  // namespace

std::unique_ptr<VendorPlan> Dnn::fastest(const DnnAttention& a, Trial& trial, void* stream) {
    session_->start(stream);
    const std::size_t y = a.values() * size_of(DType::bf16);
    const std::array<std::size_t, 5> bytes{3 * y, 3 * y, 3 * y, y, a.rows() * sizeof(float)};
    return fastest_of(session_, build_forward(session_->dnn, a, {.handle = session_->handle}),
                      {q_id, k_id, v_id, y_id, lse_id}, {{scale_id, scale_of(a)}}, bytes, trial);
}

std::unique_ptr<VendorPlan> Dnn::fastest_gradient(const DnnAttention& a, Trial& trial, void* stream) {
    session_->start(stream);
    const std::size_t y = a.values() * size_of(DType::bf16), rows = a.rows() * sizeof(float);
    const std::array<std::size_t, 11> bytes{3 * y, 3 * y, 3 * y, y, rows, y, rows, a.values() * sizeof(float),
                                            3 * y, 3 * y, 3 * y};
    return fastest_of(session_, build_gradient(session_->dnn, a, {.handle = session_->handle}),
                      {q_id, k_id, v_id, y_id, lse_id, dy_id, sum_id, dq_sum_id, dq_id, dk_id, dv_id},
                      {{scale_id, scale_of(a)}, {one_id, 1}}, bytes, trial);
}

}  // namespace cambium::gpu
