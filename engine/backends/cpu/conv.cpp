// Our own convolutions, for f32: an image's patches are laid out as a matrix [P * Q, R * S * C / groups] (im2col;
// Chellapilla et al. 2006), and the three directions are matrix products with it, group by group. 1x1 filters of stride
// 1 need no patches: the image is that matrix.
#include "engine/backends/cpu/gemm.h"
#include "engine/backends/cpu/prepare.h"
#include "engine/backends/cpu/tiled.h"

namespace cambium::cpu {
namespace {

using i64 = std::int64_t;

struct Geometry {
    ops::Conv2d conv;
    i64 n, h, w, c, p, q, k, r, s;
    i64 group_c, group_k;

    Geometry(const ops::Conv2d& op, const Shape& x, const Shape& filter, const Shape& y)
        : conv(op), n(x[0]), h(x[1]), w(x[2]), c(x[3]), p(y[1]), q(y[2]), k(y[3]), r(filter[1]), s(filter[2]) {
        group_c = c / op.groups;
        group_k = k / op.groups;
    }
    i64 pixels() const { return p * q; }
    i64 patch() const { return r * s * group_c; }
    bool pointwise() const {
        return r == 1 && s == 1 && conv.stride == ops::Pair{1, 1} && conv.padding == ops::Pair{0, 0};
    }
    std::size_t patches_bytes() const {
        return pointwise() ? 0 : aligned(static_cast<std::size_t>(pixels() * patch()) * sizeof(float));
    }
    i64 row(i64 out, i64 tap) const { return out * conv.stride[0] - conv.padding[0] + tap * conv.dilation[0]; }
    i64 column(i64 out, i64 tap) const { return out * conv.stride[1] - conv.padding[1] + tap * conv.dilation[1]; }
    i64 grain() const { return std::max<i64>(1, 16384 / std::max<i64>(1, q * patch())); }
};

// The patches of one image and group; x points at the group's first channel.
void gather_patches(const Geometry& g, const float* x, float* patches) {
    parallel_for(g.p, g.grain(), [&](i64 begin, i64 end) {
        float* to = patches + begin * g.q * g.patch();
        for (i64 p = begin; p < end; ++p) {
            for (i64 q = 0; q < g.q; ++q) {
                for (i64 r = 0; r < g.r; ++r) {
                    const i64 row = g.row(p, r);
                    for (i64 s = 0; s < g.s; ++s, to += g.group_c) {
                        const i64 column = g.column(q, s);
                        if (row < 0 || row >= g.h || column < 0 || column >= g.w) {
                            std::fill_n(to, g.group_c, 0.0f);
                        } else {
                            std::copy_n(x + (row * g.w + column) * g.c, g.group_c, to);
                        }
                    }
                }
            }
        }
    });
}

// The output position along one axis whose tap lies at `input`, or -1.
i64 position_of(i64 input, i64 tap, i64 stride, i64 padding, i64 dilation, i64 outputs) {
    const i64 at = input + padding - tap * dilation;
    if (at < 0 || at % stride != 0 || at / stride >= outputs) return -1;
    return at / stride;
}

// The adjoint of gather_patches(): each pixel of dx collects what the patches hold of it.
void collect_patches(const Geometry& g, const float* patches, float* dx) {
    const ops::Conv2d& conv = g.conv;
    parallel_for(g.h, g.grain(), [&](i64 begin, i64 end) {
        for (i64 h = begin; h < end; ++h) {
            for (i64 w = 0; w < g.w; ++w) {
                float* to = dx + (h * g.w + w) * g.c;
                std::fill_n(to, g.group_c, 0.0f);
                for (i64 r = 0; r < g.r; ++r) {
                    const i64 p = position_of(h, r, conv.stride[0], conv.padding[0], conv.dilation[0], g.p);
                    if (p < 0) continue;
                    for (i64 s = 0; s < g.s; ++s) {
                        const i64 q = position_of(w, s, conv.stride[1], conv.padding[1], conv.dilation[1], g.q);
                        if (q < 0) continue;
                        const float* from = patches + (p * g.q + q) * g.patch() + (r * g.s + s) * g.group_c;
                        kernels().elementwise.add(to, from, to, g.group_c);
                    }
                }
            }
        }
    });
}

// The patches of image `image` and `group` as a matrix, gathered into the workspace where they must be.
MatrixView patches_of(const Geometry& g, const float* x, i64 image, i64 group, float* workspace) {
    const float* from = x + image * g.h * g.w * g.c + group * g.group_c;
    if (g.pointwise()) return {from, g.c, 1};
    gather_patches(g, from, workspace);
    return {workspace, g.patch(), 1};
}

void forward(const Geometry& g, const Operands& o) {
    float* patches = o.scratch<float>();
    void* gemm_space = o.scratch<char>(g.patches_bytes());
    for (i64 image = 0; image < g.n; ++image) {
        for (i64 group = 0; group < g.conv.groups; ++group) {
            const MatrixView a = patches_of(g, o.in<float>(0), image, group, patches);
            const MatrixView filter{o.in<float>(1) + group * g.group_k * g.patch(), 1, g.patch()};
            float* y = o.out<float>(0) + image * g.pixels() * g.k + group * g.group_k;
            gemm(g.pixels(), g.group_k, g.patch(), a, filter, y, g.k, Into::replace, gemm_space);
        }
    }
}

void input_gradient(const Geometry& g, const Operands& o) {
    float* patches = o.scratch<float>();
    void* gemm_space = o.scratch<char>(g.patches_bytes());
    for (i64 image = 0; image < g.n; ++image) {
        for (i64 group = 0; group < g.conv.groups; ++group) {
            const MatrixView dy{o.in<float>(0) + image * g.pixels() * g.k + group * g.group_k, g.k, 1};
            const MatrixView filter{o.in<float>(1) + group * g.group_k * g.patch(), g.patch(), 1};
            float* dx = o.out<float>(0) + image * g.h * g.w * g.c + group * g.group_c;
            float* product = g.pointwise() ? dx : patches;
            const i64 ldc = g.pointwise() ? g.c : g.patch();
            gemm(g.pixels(), g.patch(), g.group_k, dy, filter, product, ldc, Into::replace, gemm_space);
            if (!g.pointwise()) collect_patches(g, patches, dx);
        }
    }
}

void filter_gradient(const Geometry& g, const Operands& o) {
    float* patches = o.scratch<float>();
    void* gemm_space = o.scratch<char>(g.patches_bytes());
    for (i64 image = 0; image < g.n; ++image) {
        for (i64 group = 0; group < g.conv.groups; ++group) {
            const MatrixView b = patches_of(g, o.in<float>(0), image, group, patches);
            const MatrixView dy{o.in<float>(1) + image * g.pixels() * g.k + group * g.group_k, 1, g.k};
            float* dw = o.out<float>(0) + group * g.group_k * g.patch();
            gemm(g.group_k, g.patch(), g.pixels(), dy, b, dw, g.patch(), image == 0 ? Into::replace : Into::add,
                 gemm_space);
        }
    }
}

}  // namespace

Prepared prepare(const ops::Conv2d& op, const NodeSpec& node) {
    const Geometry g(op, node.inputs[0].tensor.shape, node.inputs[1].tensor.shape, node.outputs[0].tensor.shape);
    auto step = make_step(node, [=, epilogue = Epilogue(node)](const Operands& o) {
        forward(g, o);
        finish_plain(o, node, epilogue);
    });
    step->workspace_bytes = g.patches_bytes() + gemm_workspace_bytes();
    return step;
}

Prepared prepare(const ops::Conv2dInputGradient& op, const NodeSpec& node) {
    const Geometry g(op.conv, op.input, node.inputs[1].tensor.shape, node.inputs[0].tensor.shape);
    auto step = make_step(node, [g](const Operands& o) { input_gradient(g, o); });
    step->workspace_bytes = g.patches_bytes() + gemm_workspace_bytes();
    return step;
}

Prepared prepare(const ops::Conv2dFilterGradient& op, const NodeSpec& node) {
    const Geometry g(op.conv, node.inputs[0].tensor.shape, op.filter, node.inputs[1].tensor.shape);
    auto step = make_step(node, [g](const Operands& o) { filter_gradient(g, o); });
    step->workspace_bytes = g.patches_bytes() + gemm_workspace_bytes();
    return step;
}

}  // namespace cambium::cpu
