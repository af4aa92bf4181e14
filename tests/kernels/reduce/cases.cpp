#include "tests/kernels/reduce/cases.h"

#include <cmath>

#include "engine/base/philox.h"
#include "tests/kernels/rule.h"

namespace cambium::test {
namespace {

using i64 = std::int64_t;

std::size_t size(i64 value) { return static_cast<std::size_t>(value); }

std::vector<float> filled(i64 count, Fill fill, DType dtype, RandomStream& random) {
    std::vector<float> values(size(count));
    for (float& x : values) {
        x = fill == Fill::integers ? static_cast<float>(random.below(9)) - 4.0f
                                   : static_cast<float>(random.uniform(-1, 1));
        if (dtype == DType::bf16) x = static_cast<float>(bf16(x));
    }
    return values;
}

template <class Real>
std::vector<Real> sums(const reduce::Sum& s, const SumData& data) {
    std::vector<Real> result(size(s.outer * s.inner));
    for (i64 o = 0; o < s.outer; ++o)
        for (i64 r = 0; r < s.reduced; ++r)
            for (i64 i = 0; i < s.inner; ++i)
                result[size(o * s.inner + i)] += static_cast<Real>(data.x[size((o * s.reduced + r) * s.inner + i)]);
    return result;
}

template <class Real>
std::vector<Real> dots(const reduce::Dot& d, const SumData& data) {
    std::vector<Real> result(size(d.channels));
    for (std::size_t i = 0; i < data.x.size(); ++i) {
        result[i % result.size()] += static_cast<Real>(data.x[i]) * static_cast<Real>(data.b[i]);
    }
    return result;
}

template <class Real>
std::vector<Real> norm(const SumData& data) {
    Real squares = 0;
    for (const float x : data.x) squares += static_cast<Real>(x) * static_cast<Real>(x);
    return {std::sqrt(squares)};
}

template <class T>
std::vector<float> run_typed(const SumCase& c, const SumData& data) {
    dev::Stream stream;
    const dev::Buffer<T> x(converted<T>(data.x), stream, "x");
    dev::Buffer<float> y(size(c.sum.outer * c.sum.inner), "y");
    dev::Buffer<std::byte> workspace(reduce::workspace_bytes(c.sum), "workspace");
    reduce::sum(c.sum, x.data(), y.data(), {workspace.data(), workspace.size()}, stream);
    std::vector<float> found(y.size());
    y.download(found, stream);
    return found;
}

template <class T>
std::vector<float> run_typed(const DotCase& c, const SumData& data) {
    dev::Stream stream;
    const dev::Buffer<T> a(converted<T>(data.x), stream, "a"), b(converted<T>(data.b), stream, "b");
    dev::Buffer<float> y(size(c.dot.channels), "y");
    dev::Buffer<std::byte> workspace(reduce::workspace_bytes(c.dot), "workspace");
    reduce::dot(c.dot, a.data(), b.data(), y.data(), {workspace.data(), workspace.size()}, stream);
    std::vector<float> found(y.size());
    y.download(found, stream);
    return found;
}

i64 one_of(RandomStream& random, std::initializer_list<i64> choices) {
    return choices.begin()[random.below(static_cast<std::uint32_t>(choices.size()))];
}

std::string type_and(DType dtype, reduce::Variant variant) {
    return std::string(name_of(dtype)) + (variant == reduce::Variant::plain ? " plain" : "");
}

}  // namespace

std::string SumCase::text() const {
    return "sum of [" + std::to_string(sum.outer) + ", " + std::to_string(sum.reduced) + ", " +
           std::to_string(sum.inner) + "] " + type_and(sum.dtype, sum.variant) + " seed " + std::to_string(seed);
}
std::string DotCase::text() const {
    return "dot of [" + std::to_string(dot.rows) + ", " + std::to_string(dot.channels) + "] " +
           type_and(dot.dtype, dot.variant) + " seed " + std::to_string(seed);
}
std::string NormCase::text() const {
    std::string s = "norm of";
    for (const i64 n : elements) s += " " + std::to_string(n);
    return s + (variant == reduce::Variant::plain ? " plain" : "") + " seed " + std::to_string(seed);
}

SumData make_data(const SumCase& c, Fill fill) {
    RandomStream random(c.seed, hash_name("sum data", 8));
    return {filled(c.sum.outer * c.sum.reduced * c.sum.inner, fill, c.sum.dtype, random), {}};
}
SumData make_data(const DotCase& c, Fill fill) {
    RandomStream random(c.seed, hash_name("dot data", 8));
    std::vector<float> a = filled(c.dot.rows * c.dot.channels, fill, c.dot.dtype, random);
    return {std::move(a), filled(c.dot.rows * c.dot.channels, fill, c.dot.dtype, random)};
}
SumData make_data(const NormCase& c, Fill fill) {
    RandomStream random(c.seed, hash_name("norm data", 9));
    i64 count = 0;
    for (const i64 n : c.elements) count += n;
    return {filled(count, fill, DType::f32, random), {}};
}

std::vector<double> exact_sums(const SumCase& c, const SumData& data) { return sums<double>(c.sum, data); }
std::vector<double> exact_sums(const DotCase& c, const SumData& data) { return dots<double>(c.dot, data); }
std::vector<double> exact_sums(const NormCase&, const SumData& data) { return norm<double>(data); }
std::vector<float> low_precision_sums(const SumCase& c, const SumData& data) { return sums<float>(c.sum, data); }
std::vector<float> low_precision_sums(const DotCase& c, const SumData& data) { return dots<float>(c.dot, data); }
std::vector<float> low_precision_sums(const NormCase&, const SumData& data) { return norm<float>(data); }

std::vector<float> run_on_device(const SumCase& c, const SumData& data) {
    return c.sum.dtype == DType::bf16 ? run_typed<bf16>(c, data) : run_typed<float>(c, data);
}
std::vector<float> run_on_device(const DotCase& c, const SumData& data) {
    return c.dot.dtype == DType::bf16 ? run_typed<bf16>(c, data) : run_typed<float>(c, data);
}

std::vector<float> run_on_device(const NormCase& c, const SumData& data) {
    dev::Stream stream;
    std::vector<dev::Buffer<float>> tensors;
    std::vector<reduce::NormPart> parts;
    std::size_t at = 0;
    for (const i64 n : c.elements) {
        tensors.emplace_back(std::span(data.x).subspan(at, size(n)), stream, "tensor");
        parts.push_back({tensors.back().data(), n});
        at += size(n);
    }
    dev::Buffer<float> y(1, "y");
    dev::Buffer<std::byte> workspace(reduce::workspace_bytes(parts), "workspace");
    reduce::global_norm(parts, c.variant, y.data(), {workspace.data(), workspace.size()}, stream);
    std::vector<float> found(1);
    y.download(found, stream);
    return found;
}

SumCase random_sum(int number) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("sum case", 8));
    SumCase c;
    c.sum.dtype = number % 2 == 0 ? DType::f32 : DType::bf16;
    c.seed = static_cast<std::uint32_t>(number);
    c.sum.outer = one_of(random, {1, 1, 2, 5, 9});
    c.sum.inner = one_of(random, {1, 2, 3, 8, 16, 33, 64, 102});
    c.sum.reduced = one_of(random, {0, 1, 2, 7, 31, 64, 100, 300});
    if (number % 3 == 0) {  // along rows
        c.sum.inner = 1;
        c.sum.outer = one_of(random, {0, 1, 3, 8, 17});
        c.sum.reduced = one_of(random, {1, 5, 31, 32, 40, 1000, 1024, 1025, 4000, 9000, 20000});
    }
    return c;
}

DotCase random_dot(int number) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("dot case", 8));
    DotCase c;
    c.dot.dtype = number % 2 == 0 ? DType::f32 : DType::bf16;
    c.dot.rows = one_of(random, {0, 1, 7, 64, 100, 300, 700});
    c.dot.channels = one_of(random, {0, 1, 3, 8, 20, 33, 64, 128});
    c.seed = static_cast<std::uint32_t>(number);
    return c;
}

NormCase random_norm(int number) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("norm case", 9));
    NormCase c;
    const std::uint32_t tensors = number % 5 == 0 ? 130 + random.below(10) : 1 + random.below(6);
    for (std::uint32_t i = 0; i < tensors; ++i) {
        c.elements.push_back(tensors > 100 ? one_of(random, {0, 1, 2, 3, 5, 64})
                                           : one_of(random, {0, 1, 3, 64, 1000, 8191, 8192, 8193, 20000}));
    }
    c.seed = static_cast<std::uint32_t>(number);
    return c;
}

}  // namespace cambium::test
