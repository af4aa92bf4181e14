// What the CPU backend's attention, GELU and layer norm promise beyond agreement on small numbers: accuracy in the
// tails, no overflow, no bits that depend on threads.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/base/parallel.h"
#include "tests/compare.h"
#include "tests/engine/cpu_harness.h"
#include "tests/hash_fill.h"

using namespace cambium;
using namespace cambium::test;

namespace {

Tensor filled(const Shape& shape, std::uint32_t seed, int k = 15) {
    Tensor tensor(shape, DType::f32);
    hash_fill(tensor.values<float>(), seed, k);
    return tensor;
}

template <class... Tensors>
std::vector<Tensor> run(const Op& op, Tensors... tensors) {
    std::vector<Tensor> inputs;
    (inputs.push_back(std::move(tensors)), ...);
    const std::unique_ptr<Backend> backend = cpu::make_backend({});
    return run_node(*backend, node_of(op, inputs, {}, {}), inputs).outputs;
}

class Threads {
  public:
    explicit Threads(int count) { set_thread_count(count); }
    ~Threads() { set_thread_count(before_); }
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;

  private:
    int before_ = thread_count();
};

bool same_bits(const Tensor& a, const Tensor& b) { return std::ranges::equal(a.bytes(), b.bytes()); }

}  // namespace

TEST_CASE("gelu keeps its relative accuracy where it is tiny, and passes NaN on") {
    Tensor x(Shape{24001}, DType::f32);
    const std::span<float> values = x.values<float>();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) * 0.001f - 12.0f;
    const std::vector<Tensor> y = run(ops::Gelu{}, x.clone());
    double worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double exact = 0.5 * values[i] * std::erfc(-values[i] / std::numbers::sqrt2);
        if (exact != 0) worst = std::max(worst, std::abs(y[0].values<float>()[i] / exact - 1));
    }
    CHECK(worst < 5e-6);  // of e^(-x^2 / 2), whose argument reaches 72 and is rounded to f32
    values[7] = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(run(ops::Gelu{}, x.clone())[0].values<float>()[7]));
    CHECK(std::isnan(run(ops::GeluGradient{}, filled({24001}, 1), x.clone())[0].values<float>()[7]));
}

TEST_CASE("attention to scores of thousands neither overflows nor loses the largest") {
    Tensor qkv(Shape{1, 3, 3, 1, 1}, DType::f32);  // one head of size 1: scores are products of numbers
    const float q[] = {100, -100, 1}, k[] = {-80, 80, 81}, v[] = {1, 2, 3};
    for (std::size_t i = 0; i < 3; ++i) {
        qkv.values<float>()[3 * i] = q[i];
        qkv.values<float>()[3 * i + 1] = k[i];
        qkv.values<float>()[3 * i + 2] = v[i];
    }
    const std::vector<Tensor> outputs = run(ops::Attention{}, std::move(qkv));
    CHECK(outputs[0].values<float>()[0] == 3);
    CHECK(outputs[1].values<float>()[0] == 8100);
    CHECK(outputs[0].values<float>()[1] == 1);
    CHECK(outputs[1].values<float>()[1] == 8000);
    CHECK(outputs[1].values<float>()[2] == doctest::Approx(81.3132617));
}

TEST_CASE("attention, layer norm and embedding give the same bits with any number of threads") {
    const Shape qkv{1, 211, 3, 2, 33}, y{1, 211, 2, 33}, lse{1, 2, 211}, rows{700, 48};
    Tensor index(Shape{700}, DType::i32);
    for (std::size_t i = 0; i < 700; ++i) index.values<std::int32_t>()[i] = static_cast<std::int32_t>(i * i % 11);
    std::vector<std::vector<Tensor>> results;
    for (const int count : {1, 2, 5}) {
        const Threads threads(count);
        results.emplace_back();
        const auto keep = [&](std::vector<Tensor> outputs) {
            for (Tensor& output : outputs) results.back().push_back(std::move(output));
        };
        keep(run(ops::Attention{ops::AttentionMask::causal}, filled(qkv, 1)));
        keep(run(ops::AttentionGradient{}, filled(y, 2), filled(qkv, 1), filled(y, 3), filled(lse, 4)));
        keep(run(ops::LayerNorm{}, filled(rows, 5), filled({48}, 6), filled({48}, 7)));
        keep(run(ops::LayerNormGradient{}, filled(rows, 5), filled(rows, 8), filled({48}, 6), filled({700}, 9),
                 filled({700}, 10)));
        keep(run(ops::EmbeddingGradient{11}, filled(rows, 5), index.clone()));
    }
    for (std::size_t i = 0; i < results[0].size(); ++i) {
        CAPTURE(i);
        CHECK(same_bits(results[0][i], results[1][i]));
        CHECK(same_bits(results[0][i], results[2][i]));
    }
}

TEST_CASE("long sequences pass through panels in pieces") {
    const Shape qkv{1, 1200, 3, 1, 8};
    std::vector<Tensor> inputs;
    inputs.push_back(filled(qkv, 1, 14));
    const std::unique_ptr<Backend> fast = cpu::make_backend({}), exact = make_reference_backend();
    const NodeRun found = run_node(*fast, node_of(ops::Attention{}, inputs, {}, {}), inputs);
    std::vector<Tensor> wide;
    wide.push_back(inputs[0].converted(DType::f64));
    const NodeRun expected = run_node(*exact, node_of(ops::Attention{}, wide, {}, {}), wide);
    for (const std::size_t i : {0u, 1u})
        CHECK(compare(found.outputs[i], expected.outputs[i], relative_to_largest(1e-5, "f32 sums of 1200 terms")));
}
