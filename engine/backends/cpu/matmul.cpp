// Our own matrix product, for f32.
#include "engine/backends/cpu/gemm.h"
#include "engine/backends/cpu/prepare.h"
#include "engine/backends/cpu/tiled.h"

namespace cambium::cpu {

Prepared prepare(const ops::MatMul& op, const NodeSpec& node) {
    const Shape& a = node.inputs[0].tensor.shape;
    const Shape& b = node.inputs[1].tensor.shape;
    const bool ta = op.transpose_a == ops::Transpose::yes, tb = op.transpose_b == ops::Transpose::yes;
    const std::int64_t m = ta ? a[1] : a[0], k = ta ? a[0] : a[1], n = tb ? b[0] : b[1];
    auto step = make_step(node, [=, epilogue = Epilogue(node)](const Operands& o) {
        const MatrixView left{o.in<float>(0), ta ? 1 : k, ta ? m : 1};
        const MatrixView right{o.in<float>(1), tb ? 1 : n, tb ? k : 1};
        gemm(m, n, k, left, right, o.out<float>(0), n, Into::replace, o.workspace);
        finish_plain(o, node, epilogue);
    });
    step->workspace_bytes = gemm_workspace_bytes();
    return step;
}

}  // namespace cambium::cpu
