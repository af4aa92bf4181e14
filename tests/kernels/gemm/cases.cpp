#include "tests/kernels/gemm/cases.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "engine/base/philox.h"

namespace cambium::test {
namespace {

using gemm::Transpose;

std::size_t size(std::int64_t value) { return static_cast<std::size_t>(value); }

// How the matrices of an operand are stored.
struct Layout {
    std::int64_t rows, columns, stride;
    std::int64_t matrices, matrix_stride;
    std::size_t elements() const {
        if (rows == 0 || columns == 0 || matrices == 0) return 0;
        return size((matrices - 1) * matrix_stride + (rows - 1) * stride + columns);
    }
    std::size_t at(std::int64_t matrix, std::int64_t row, std::int64_t column) const {
        return size(matrix * matrix_stride + row * stride + column);
    }
};
Layout layout(const gemm::Gemm& g, std::int64_t rows, std::int64_t columns, std::int64_t stride,
              std::int64_t matrix_stride) {
    return {rows, columns, stride == 0 ? columns : stride, g.batch.count, matrix_stride};
}
Layout layout_a(const gemm::Gemm& g) {
    const bool transposed = g.transpose_a == Transpose::yes;
    return layout(g, transposed ? g.k : g.m, transposed ? g.m : g.k, g.lda, g.batch.a);
}
Layout layout_b(const gemm::Gemm& g) {
    const bool transposed = g.transpose_b == Transpose::yes;
    return layout(g, transposed ? g.n : g.k, transposed ? g.k : g.n, g.ldb, g.batch.b);
}
Layout layout_d(const gemm::Gemm& g) { return layout(g, g.m, g.n, g.ldd, g.batch.d); }
Layout layout_residual(const gemm::Gemm& g) {
    return layout(g, g.m, g.n, g.epilogue.residual_stride, g.batch.residual);
}

float round_to(bool low, float x) { return low ? static_cast<float>(bf16(x)) : x; }

float round_to_tf32(float x) { return bits::to_float((bits::of(x) + 0x1000u) & ~0x1fffu); }

template <class Real>
Real activated(Real x, gemm::Activation activation) {
    if (activation == gemm::Activation::relu) return x < 0 ? 0 : x;
    if (activation == gemm::Activation::gelu) {
        return Real(0.5) * x * (1 + std::erf(x * static_cast<Real>(0.70710678118654752440)));
    }
    return x;
}

// Of D [batch, M, N].
template <class Body>
void for_each_element(const gemm::Gemm& g, Body&& body) {
    for (std::int64_t z = 0; z < g.batch.count; ++z) {
        for (std::int64_t m = 0; m < g.m; ++m) {
            for (std::int64_t n = 0; n < g.n; ++n) body(z, m, n);
        }
    }
}

// One definition of the product, in the given arithmetic; `operand` rounds A's and B's elements.
template <class Real, class Operand>
std::vector<Real> product(const GemmCase& c, const GemmData& data, Operand&& operand) {
    const gemm::Gemm& g = c.gemm;
    const Layout a = layout_a(g), b = layout_b(g), residual = layout_residual(g);
    const bool a_transposed = g.transpose_a == Transpose::yes, b_transposed = g.transpose_b == Transpose::yes;
    std::vector<Real> result;
    for_each_element(g, [&](std::int64_t z, std::int64_t m, std::int64_t n) {
        Real sum = 0;
        for (std::int64_t k = 0; k < g.k; ++k) {
            const float x = data.a[a_transposed ? a.at(z, k, m) : a.at(z, m, k)];
            const float y = data.b[b_transposed ? b.at(z, n, k) : b.at(z, k, n)];
            sum += static_cast<Real>(operand(x)) * static_cast<Real>(operand(y));
        }
        if (c.scale) sum *= static_cast<Real>(data.scale[size(n)]);
        if (c.bias) sum += static_cast<Real>(data.bias[size(n)]);
        sum = activated(sum, g.epilogue.activation);
        if (c.residual) sum += static_cast<Real>(data.residual[residual.at(z, m, n)]);
        result.push_back(activated(sum, g.epilogue.last_activation));
    });
    return result;
}

std::vector<float> filled(std::size_t count, Fill fill, bool low, RandomStream& random) {
    std::vector<float> values(count);
    for (float& x : values) {
        x = fill == Fill::integers ? static_cast<float>(random.below(9)) - 4.0f
                                   : round_to(low, 2.0f * uniform01(random.bits()) - 1.0f);
    }
    return values;
}

template <class T>
std::vector<T> converted(const std::vector<float>& values, int skew) {
    std::vector<T> result(size(skew), T(0.0f));
    for (const float x : values) result.push_back(T(x));
    return result;
}

template <class In, class Out>
std::vector<float> run_typed(const GemmCase& c, const GemmData& data) {
    constexpr float kGap = -12345.0f;
    dev::Stream stream;
    const Layout layout_out = layout_d(c.gemm);
    const dev::Buffer<In> a(converted<In>(data.a, c.skew), stream, "A"), b(converted<In>(data.b, c.skew), stream, "B");
    const dev::Buffer<float> scale(data.scale, stream, "scale"), bias(data.bias, stream, "bias");
    const dev::Buffer<Out> residual(converted<Out>(data.residual, 0), stream, "residual");
    std::vector<Out> host(layout_out.elements(), Out(kGap));
    dev::Buffer<Out> d(host, stream, "D");
    gemm::Gemm g = c.gemm;
    if (c.scale) g.epilogue.scale = scale.data();
    if (c.bias) g.epilogue.bias = bias.data();
    if (c.residual) g.epilogue.residual = residual.data();
    dev::Buffer<std::byte> workspace(gemm::workspace_bytes(g), "workspace");
    gemm::run(g, a.data() + c.skew, b.data() + c.skew, d.data(), {workspace.data(), workspace.size()}, stream);
    d.download(host, stream);

    std::vector<float> result;
    for_each_element(c.gemm, [&](std::int64_t z, std::int64_t m, std::int64_t n) {
        Out& element = host[layout_out.at(z, m, n)];
        result.push_back(static_cast<float>(element));
        element = Out(kGap);
    });
    for (const Out& gap : host) {
        if (static_cast<float>(gap) != static_cast<float>(Out(kGap))) {
            throw std::runtime_error("a gap between rows of D was written: " + c.text());
        }
    }
    return result;
}

std::int64_t random_size(RandomStream& random, int largest) {
    const std::int64_t neighbours[] = {15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 127, 128, 129, 130, 192, 200};
    const std::uint32_t kind = random.below(20);
    std::int64_t extent = 1 + random.below(40);
    if (kind == 0) extent = 0;
    if (kind == 1 || kind == 2) extent = 1;
    if (kind > 9) extent = neighbours[random.below(16)];
    if (kind > 15) extent = 1 + random.below(260);
    return std::min<std::int64_t>(extent, largest);
}

// Matrices one after the other, with a gap or without, or interleaved row by row; of A, B and the residual sometimes
// one for all.
void make_batch(GemmCase& c, RandomStream& random) {
    gemm::Gemm& g = c.gemm;
    g.batch.count = random.below(8) == 0 ? 0 : 2 + random.below(3);
    const auto place = [&](const Layout& one, std::int64_t& row_stride, bool may_repeat) -> std::int64_t {
        const std::uint32_t kind = random.below(may_repeat ? 4 : 3);
        const std::int64_t gap = random.below(2) == 0 ? 0 : 1 + random.below(8);
        if (kind == 3) return 0;
        if (kind < 2) return std::max<std::int64_t>(one.rows * one.stride, 1) + gap;
        row_stride = std::max<std::int64_t>(g.batch.count, 1) * one.columns + gap;
        return std::max<std::int64_t>(one.columns, 1);
    };
    g.batch.a = place(layout_a(g), g.lda, true);
    g.batch.b = place(layout_b(g), g.ldb, true);
    g.batch.d = place(layout_d(g), g.ldd, false);
    g.batch.residual = place(layout_residual(g), g.epilogue.residual_stride, true);
}

}  // namespace

std::string GemmCase::text() const {
    const auto number = [](std::int64_t value) { return std::to_string(value); };
    const char* maths[] = {"bf16", "tf32", "f32"};
    const char* activations[] = {"", " relu", " gelu"};
    std::string s = std::string(maths[static_cast<int>(gemm.math)]) + " " + number(gemm.m) + "x" + number(gemm.n) +
                    "x" + number(gemm.k) + " " + (gemm.transpose_a == Transpose::yes ? "T" : "N") +
                    (gemm.transpose_b == Transpose::yes ? "T" : "N") + " ld " + number(gemm.lda) + "," +
                    number(gemm.ldb) + "," + number(gemm.ldd) + " skew " + number(skew);
    const gemm::Batch& all = gemm.batch;
    if (all.count != 1) {
        s += " batch " + number(all.count) + " at " + number(all.a) + "," + number(all.b) + "," + number(all.d) + "," +
             number(all.residual);
    }
    s += gemm.output == gemm::Output::bf16 ? " to bf16" : "";
    s += scale ? " scale" : "";
    s += std::string(bias ? " bias" : "") + activations[static_cast<int>(gemm.epilogue.activation)];
    s += residual ? " residual" : "";
    s += activations[static_cast<int>(gemm.epilogue.last_activation)];
    s += gemm.variant == gemm::Variant::plain ? " plain" : "";
    if (gemm.plan)
        s += std::string(gemm.plan->tile == gemm::Tile::m64n64 ? " 64" : " 128") + "/" + number(gemm.plan->splits);
    return s + " seed " + number(seed);
}

GemmData make_data(const GemmCase& c, Fill fill) {
    RandomStream random(c.seed, hash_name("gemm data", 9));
    const bool low = c.gemm.math == gemm::Math::bf16;
    GemmData data;
    data.a = filled(layout_a(c.gemm).elements(), fill, low, random);
    data.b = filled(layout_b(c.gemm).elements(), fill, low, random);
    if (c.scale) data.scale = filled(size(c.gemm.n), fill, false, random);
    if (c.bias) data.bias = filled(size(c.gemm.n), fill, false, random);
    if (c.residual) {
        data.residual = filled(layout_residual(c.gemm).elements(), fill, c.gemm.output == gemm::Output::bf16, random);
    }
    return data;
}

Exact exact_product(const GemmCase& c, const GemmData& data) {
    Exact exact{product<double>(c, data, [](float x) { return x; })};
    GemmCase magnitudes = c;
    magnitudes.gemm.epilogue.activation = magnitudes.gemm.epilogue.last_activation = gemm::Activation::none;
    GemmData absolute = data;
    for (auto* values : {&absolute.a, &absolute.b, &absolute.scale, &absolute.bias, &absolute.residual}) {
        for (float& x : *values) x = std::fabs(x);
    }
    for (const float x : product<float>(magnitudes, absolute, [](float y) { return y; })) {
        exact.magnitude = std::max(exact.magnitude, static_cast<double>(x));
    }
    return exact;
}

std::vector<float> low_precision_product(const GemmCase& c, const GemmData& data) {
    const bool tf32 = c.gemm.math == gemm::Math::tf32;
    std::vector<float> result = product<float>(c, data, [&](float x) { return tf32 ? round_to_tf32(x) : x; });
    for (float& x : result) x = round_to(c.gemm.output == gemm::Output::bf16, x);
    return result;
}

std::vector<float> run_on_device(const GemmCase& c, const GemmData& data) {
    if (c.gemm.math != gemm::Math::bf16) return run_typed<float, float>(c, data);
    return c.gemm.output == gemm::Output::f32 ? run_typed<bf16, float>(c, data) : run_typed<bf16, bf16>(c, data);
}

GemmCase random_case(int number, int largest) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("gemm case", 9));
    GemmCase c;
    gemm::Gemm& g = c.gemm;
    g.m = random_size(random, largest);
    g.n = random_size(random, largest);
    g.k = random_size(random, largest);
    g.math = static_cast<gemm::Math>(number % 3);
    g.transpose_a = static_cast<Transpose>(number / 3 % 2);
    g.transpose_b = static_cast<Transpose>(number / 6 % 2);
    const int gaps[] = {0, 0, 0, 1, 2, 8, 13};
    const auto with_gap = [&](std::int64_t columns) { return columns + gaps[random.below(7)]; };
    g.lda = with_gap(layout_a(g).columns);
    g.ldb = with_gap(layout_b(g).columns);
    g.ldd = with_gap(g.n);
    c.skew = random.below(4) == 0 ? static_cast<int>(1 + random.below(8)) : 0;
    g.output = g.math == gemm::Math::bf16 && random.below(2) == 0 ? gemm::Output::bf16 : gemm::Output::f32;
    g.epilogue.activation = static_cast<gemm::Activation>(random.below(3));
    c.bias = random.below(2) == 0;
    c.residual = random.below(3) == 0;
    g.epilogue.residual_stride = with_gap(g.n);
    if (random.below(4) != 0) {
        g.plan = {.tile = static_cast<gemm::Tile>(random.below(2)), .splits = static_cast<int>(1 + random.below(5))};
        if (random.below(2) == 0) g.plan->splits = 1;
    }
    c.scale = random.below(3) == 0;
    if (random.below(3) == 0) g.epilogue.last_activation = gemm::Activation::relu;
    if (random.below(4) == 0) make_batch(c, random);
    c.seed = static_cast<std::uint32_t>(number);
    return c;
}

}  // namespace cambium::test
