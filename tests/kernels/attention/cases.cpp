#include "tests/kernels/attention/cases.h"

#include <algorithm>
#include <cmath>

#include "engine/base/philox.h"
#include "tests/kernels/rule.h"

namespace cambium::test {
namespace {

using gemm::Math;

std::size_t size(std::int64_t value) { return static_cast<std::size_t>(value); }

float round_to_tf32(float x) { return bits::to_float((bits::of(x) + 0x1000u) & ~0x1fffu); }

// How an operand of a product, and a result, is rounded.
struct Rounding {
    Math math;
    float operand(float x) const {
        if (math == Math::bf16) return static_cast<float>(bf16(x));
        return math == Math::tf32 ? round_to_tf32(x) : x;
    }
    float result(float x) const { return math == Math::bf16 ? static_cast<float>(bf16(x)) : x; }
};
struct NoRounding {
    double operand(double x) const { return x; }
    double result(double x) const { return x; }
};

template <class Real, class Round>
class Reference {
  public:
    Reference(const AttentionCase& c, const AttentionData& data, Round round)
        : a_(c.attention), data_(data), round_(round), scale_(1 / std::sqrt(static_cast<Real>(a_.size))) {}

    AttentionResult<Real> run(bool gradient) {
        const std::int64_t vectors = a_.batch * a_.tokens * a_.heads;
        result_.y.resize(size(vectors * a_.size));
        result_.lse.resize(size(vectors));
        result_.dqkv.resize(size(gradient ? 3 * vectors * a_.size : 0));
        terms_.resize(result_.dqkv.size());
        for (std::int64_t n = 0; n < a_.batch; ++n) {
            const std::int64_t present =
                data_.count.empty() ? a_.tokens : std::clamp<std::int64_t>(data_.count[size(n)], 0, a_.tokens);
            for (std::int64_t h = 0; h < a_.heads; ++h) {
                for (std::int64_t i = 0; i < present; ++i) {
                    const std::int64_t keys = a_.mask == attention::Mask::causal ? i + 1 : present;
                    query(n, h, i, keys);
                    if (gradient) query_gradient(n, h, i, keys);
                }
            }
        }
        for (Real& x : result_.dqkv) x = static_cast<Real>(round_.result(x));
        for (const double x : terms_) result_.dqkv_terms = std::max(result_.dqkv_terms, x);
        return std::move(result_);
    }

  private:
    std::size_t qkv(int part, std::int64_t n, std::int64_t i, std::int64_t h) const {
        return size((((n * a_.tokens + i) * 3 + part) * a_.heads + h) * a_.size);
    }
    std::size_t y(std::int64_t n, std::int64_t i, std::int64_t h) const {
        return size(((n * a_.tokens + i) * a_.heads + h) * a_.size);
    }
    std::size_t lse(std::int64_t n, std::int64_t i, std::int64_t h) const {
        return size((n * a_.heads + h) * a_.tokens + i);
    }
    Real operand(float x) const { return static_cast<Real>(round_.operand(x)); }
    Real dot(const float* a, const float* b) const {
        Real sum = 0;
        for (std::int64_t d = 0; d < a_.size; ++d) sum += operand(a[d]) * operand(b[d]);
        return sum;
    }

    void query(std::int64_t n, std::int64_t h, std::int64_t i, std::int64_t keys) {
        std::vector<Real> weights;
        for (std::int64_t j = 0; j < keys; ++j)
            weights.push_back(scale_ * dot(&data_.qkv[qkv(0, n, i, h)], &data_.qkv[qkv(1, n, j, h)]));
        const Real largest = *std::ranges::max_element(weights);
        Real total = 0;
        for (Real& w : weights) total += w = std::exp(w - largest);
        result_.lse[lse(n, i, h)] = largest + std::log(total);
        for (std::int64_t d = 0; d < a_.size; ++d) {
            Real sum = 0;
            double terms = 0;
            for (std::int64_t j = 0; j < keys; ++j) {
                const float v = data_.qkv[qkv(2, n, j, h) + size(d)];
                sum += static_cast<Real>(round_.operand(weights[size(j)])) * operand(v);
                terms += std::fabs(static_cast<double>(weights[size(j)] / total * static_cast<Real>(v)));
            }
            result_.y[y(n, i, h) + size(d)] = static_cast<Real>(round_.result(sum / total));
            result_.y_terms = std::max(result_.y_terms, terms);
        }
    }
    void query_gradient(std::int64_t n, std::int64_t h, std::int64_t i, std::int64_t keys) {
        const std::size_t q = qkv(0, n, i, h), at = y(n, i, h);
        Real delta = 0;
        for (std::size_t d = 0; d < size(a_.size); ++d)
            delta += static_cast<Real>(data_.dy[at + d]) * static_cast<Real>(data_.y[at + d]);
        for (std::int64_t j = 0; j < keys; ++j) {
            const std::size_t k = qkv(1, n, j, h), v = qkv(2, n, j, h);
            const Real p =
                std::exp(scale_ * dot(&data_.qkv[q], &data_.qkv[k]) - static_cast<Real>(data_.lse[lse(n, i, h)]));
            const Real ds = p * (dot(&data_.dy[at], &data_.qkv[v]) - delta);
            for (std::size_t d = 0; d < size(a_.size); ++d) {
                add(v + d, p, data_.dy[at + d], 1);
                add(q + d, ds, data_.qkv[k + d], scale_);
                add(k + d, ds, data_.qkv[q + d], scale_);
            }
        }
    }
    void add(std::size_t at, Real weight, float x, Real factor) {
        const Real term = factor * static_cast<Real>(round_.operand(weight)) * operand(x);
        result_.dqkv[at] += term;
        terms_[at] += std::fabs(static_cast<double>(term));
    }

    const attention::Attention& a_;
    const AttentionData& data_;
    Round round_;
    Real scale_;
    AttentionResult<Real> result_;
    std::vector<double> terms_;
};

template <class Choices>
auto one_of(RandomStream& random, const Choices& choices) {
    return choices[random.below(static_cast<std::uint32_t>(std::size(choices)))];
}

// An operand that begins `skew` elements beyond where it is allocated.
template <class T>
class Skewed {
  public:
    Skewed(const std::vector<float>& values, int skew, dev::Stream& stream, std::string_view name)
        : skew_(size(skew)), buffer_(padded(values, skew_), stream, name) {}
    Skewed(std::size_t count, int skew, std::string_view name) : skew_(size(skew)), buffer_(count + skew_, name) {}
    T* data() { return buffer_.data() + skew_; }
    std::vector<float> values(dev::Stream& stream) {
        std::vector<T> all(buffer_.size() - skew_);
        dev::copy_to_host(all.data(), data(), all.size() * sizeof(T), stream);
        return widened(all);
    }

  private:
    static std::vector<T> padded(const std::vector<float>& values, std::size_t skew) {
        std::vector<T> all(skew, T(0.0f));
        for (const float x : values) all.push_back(T(x));
        return all;
    }
    std::size_t skew_;
    dev::Buffer<T> buffer_;
};

template <class T>
AttentionResult<float> run_typed(const AttentionCase& c, const AttentionData& data) {
    dev::Stream stream;
    Skewed<T> qkv(data.qkv, c.skew, stream, "qkv"), dy(data.dy, c.skew, stream, "dy"), y(data.y, c.skew, stream, "y");
    const dev::Buffer<float> lse(data.lse, stream, "lse");
    const dev::Buffer<std::int32_t> count(data.count, stream, "count");
    Skewed<T> found_y(data.y.size(), c.skew, "y"), dqkv(data.qkv.size(), c.skew, "dqkv");
    dev::Buffer<float> found_lse(data.lse.size(), "lse");
    dev::Buffer<std::byte> workspace(attention::workspace_bytes(c.attention), "workspace");
    const std::int32_t* counts = c.padded ? count.data() : nullptr;
    attention::forward(c.attention, {.qkv = qkv.data(), .count = counts, .y = found_y.data(), .lse = found_lse.data()},
                       stream);
    attention::backward(
        c.attention,
        {.dy = dy.data(), .qkv = qkv.data(), .y = y.data(), .lse = lse.data(), .count = counts, .dqkv = dqkv.data()},
        {workspace.data(), workspace.size()}, stream);
    AttentionResult<float> result{.y = found_y.values(stream), .lse = {}, .dqkv = dqkv.values(stream)};
    result.lse.resize(found_lse.size());
    found_lse.download(result.lse, stream);
    return result;
}

}  // namespace

std::string AttentionCase::text() const {
    static constexpr const char *maths[] = {"bf16", "tf32", "f32"}, *variants[] = {" plain", "", " split"};
    return std::string(maths[static_cast<int>(attention.math)]) + " [" + std::to_string(attention.batch) + ", " +
           std::to_string(attention.tokens) + ", 3, " + std::to_string(attention.heads) + ", " +
           std::to_string(attention.size) + "]" + variants[static_cast<int>(attention.variant)] +
           (attention.mask == attention::Mask::causal ? " causal" : "") + (padded ? " padded" : "") + " skew " +
           std::to_string(skew) + " seed " + std::to_string(seed);
}

AttentionData make_data(const AttentionCase& c) {
    RandomStream random(c.seed, hash_name("attention data", 14));
    const Rounding round{c.attention.math};
    const auto uniform = [&](std::int64_t count) {
        std::vector<float> values(size(count));
        for (float& x : values) x = round.result(static_cast<float>(random.uniform(-1, 1)));
        return values;
    };
    const attention::Attention& a = c.attention;
    const std::int64_t values = a.batch * a.tokens * a.heads * a.size;
    AttentionData data{.qkv = uniform(3 * values), .dy = uniform(values), .y = {}, .lse = {}, .count = {}};
    for (std::int64_t n = 0; c.padded && n < a.batch; ++n)
        data.count.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(a.tokens + 2))));
    const AttentionResult<double> exact = Reference<double, NoRounding>(c, data, {}).run(false);
    for (const double x : exact.y) data.y.push_back(round.result(static_cast<float>(x)));
    for (const double x : exact.lse) data.lse.push_back(static_cast<float>(x));
    return data;
}

AttentionResult<double> exact_attention(const AttentionCase& c, const AttentionData& data) {
    return Reference<double, NoRounding>(c, data, {}).run(true);
}

AttentionResult<float> low_precision_attention(const AttentionCase& c, const AttentionData& data) {
    return Reference<float, Rounding>(c, data, {c.attention.math}).run(true);
}

AttentionResult<float> run_on_device(const AttentionCase& c, const AttentionData& data) {
    return c.attention.math == Math::bf16 ? run_typed<bf16>(c, data) : run_typed<float>(c, data);
}

AttentionCase random_case(int number, std::int64_t most_tokens) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("attention case", 14));
    static constexpr std::int64_t tokens[] = {1, 2, 15, 31, 32, 33, 64, 65, 97, 130, 200, 256},
                                  sizes[] = {1, 7, 8, 20, 32, 64, 65, 72, 128};
    static constexpr Math maths[] = {Math::bf16, Math::tf32, Math::f32};
    AttentionCase c;
    c.attention = {.batch = 1 + random.below(2),
                   .tokens = std::min(one_of(random, tokens), most_tokens),
                   .heads = 1 + random.below(2),
                   .size = one_of(random, sizes),
                   .mask = random.below(2) == 0 ? attention::Mask::none : attention::Mask::causal,
                   .math = one_of(random, maths)};
    c.padded = random.below(2) == 0;
    c.skew = random.below(4) == 0 ? 1 : 0;
    c.seed = static_cast<std::uint32_t>(number);
    return c;
}

}  // namespace cambium::test
