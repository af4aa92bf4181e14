#include "tests/kernels/norm/cases.h"

#include <algorithm>
#include <cmath>

#include "engine/base/philox.h"
#include "tests/kernels/rule.h"

namespace cambium::test {
namespace {

std::size_t size(std::int64_t value) { return static_cast<std::size_t>(value); }
std::size_t elements(const NormCase& c) { return size(c.norm.rows * c.norm.channels); }

float stored(const NormCase& c, double x) {
    const auto value = static_cast<float>(x);
    return c.norm.dtype == DType::bf16 ? static_cast<float>(bf16(value)) : value;
}

template <class Draw>
std::vector<float> filled(std::size_t count, Draw&& draw) {
    std::vector<float> values(count);
    for (float& x : values) x = draw();
    return values;
}

// Sum over a channel's rows of value(index).
template <class Real, class Value>
Real channel_sum(const NormCase& c, std::size_t channel, Value&& value) {
    Real sum = 0;
    for (std::size_t i = channel; i < elements(c); i += size(c.norm.channels)) sum += value(i);
    return sum;
}

template <class Real>
void forward(const NormCase& c, const NormData& data, NormResult<Real>& result) {
    const auto count = static_cast<Real>(c.norm.rows);
    for (std::size_t k = 0; k < size(c.norm.channels); ++k) {
        const Real mean = channel_sum<Real>(c, k, [&](std::size_t i) { return static_cast<Real>(data.x[i]); }) / count;
        const Real variance = channel_sum<Real>(c, k,
                                                [&](std::size_t i) {
                                                    const Real deviation = static_cast<Real>(data.x[i]) - mean;
                                                    return deviation * deviation;
                                                }) /
                              count;
        result.mean.push_back(mean);
        result.variance.push_back(variance);
        const Real scale = static_cast<Real>(data.gamma[k]) / std::sqrt(variance + static_cast<Real>(c.norm.epsilon));
        for (std::size_t i = k; i < elements(c); i += size(c.norm.channels)) {
            Real y = (static_cast<Real>(data.x[i]) - mean) * scale + static_cast<Real>(data.beta[k]);
            if (c.residual) y += static_cast<Real>(data.residual[i]);
            result.y[i] = c.norm.activation == norm::Activation::relu && y < 0 ? 0 : y;
        }
    }
}

template <class Real>
void backward(const NormCase& c, const NormData& data, NormResult<Real>& result) {
    const auto count = static_cast<Real>(c.norm.rows);
    for (std::size_t k = 0; k < size(c.norm.channels); ++k) {
        const Real rstd = 1 / std::sqrt(static_cast<Real>(data.variance[k]) + static_cast<Real>(c.norm.epsilon));
        const auto dy = [&](std::size_t i) {
            return c.has_relu() && data.relu[i] <= 0 ? Real(0) : static_cast<Real>(data.dy[i]);
        };
        const auto normalised = [&](std::size_t i) {
            return (static_cast<Real>(data.x[i]) - static_cast<Real>(data.mean[k])) * rstd;
        };
        const Real sum = channel_sum<Real>(c, k, dy);
        const Real product = channel_sum<Real>(c, k, [&](std::size_t i) { return dy(i) * normalised(i); });
        result.dbeta.push_back(sum);
        result.dgamma.push_back(product);
        for (std::size_t i = k; i < elements(c); i += size(c.norm.channels)) {
            if (c.wants_ds()) result.ds[i] = dy(i);
            result.dx[i] =
                static_cast<Real>(data.gamma[k]) * rstd * (dy(i) - sum / count - normalised(i) * (product / count));
        }
    }
}

template <class Real>
NormResult<Real> computed(const NormCase& c, const NormData& data) {
    NormResult<Real> result;
    result.y.resize(elements(c));
    result.dx.resize(elements(c));
    if (c.wants_ds()) result.ds.resize(elements(c));
    forward(c, data, result);
    backward(c, data, result);
    return result;
}

template <class T>
NormResult<float> run_typed(const NormCase& c, const NormData& data) {
    dev::Stream stream;
    const norm::BatchNorm& n = c.norm;
    const auto device = [&](const std::vector<float>& values, const char* name) {
        return dev::Buffer<T>(converted<T>(values), stream, name);
    };
    const dev::Buffer<T> x = device(data.x, "x"), relu = device(data.relu, "relu");
    dev::Buffer<T> residual = device(data.residual, "residual"), dy = device(data.dy, "dy");
    const dev::Buffer<float> gamma(data.gamma, stream), beta(data.beta, stream), mean(data.mean, stream),
        variance(data.variance, stream);
    dev::Buffer<T> y(elements(c)), dx(elements(c)), ds(elements(c));
    dev::Buffer<float> vectors(4 * size(n.channels) + 64, "results [C]");
    // Each of them aligned to 16 bytes.
    const auto vector = [&](std::int64_t i) { return vectors.data() + i * ((n.channels + 3) / 4 * 4); };
    dev::Buffer<std::byte> workspace(norm::workspace_bytes(n), "workspace");
    T* y_at = c.in_place && c.residual ? residual.data() : y.data();
    T* dx_at = c.in_place && !c.wants_ds() ? dy.data() : dx.data();
    T* ds_at = c.in_place ? dy.data() : ds.data();
    norm::forward(n,
                  {.x = x.data(),
                   .gamma = gamma.data(),
                   .beta = beta.data(),
                   .residual = c.residual ? residual.data() : nullptr,
                   .y = y_at,
                   .mean = vector(0),
                   .variance = vector(1)},
                  {workspace.data(), workspace.size()}, stream);
    norm::backward(n,
                   {.dy = dy.data(),
                    .x = x.data(),
                    .gamma = gamma.data(),
                    .mean = mean.data(),
                    .variance = variance.data(),
                    .relu = c.has_relu() ? relu.data() : nullptr,
                    .dx = dx_at,
                    .dgamma = vector(2),
                    .dbeta = vector(3),
                    .ds = c.wants_ds() ? ds_at : nullptr},
                   {workspace.data(), workspace.size()}, stream);
    const auto host = [&](const T* pointer) {
        std::vector<T> values(elements(c));
        dev::copy_to_host(values.data(), pointer, values.size() * sizeof(T), stream);
        return widened(values);
    };
    const auto host_vector = [&](std::int64_t i) {
        std::vector<float> values(size(n.channels));
        dev::copy_to_host(values.data(), vector(i), values.size() * sizeof(float), stream);
        return values;
    };
    return {.y = host(y_at),
            .mean = host_vector(0),
            .variance = host_vector(1),
            .dx = host(dx_at),
            .dgamma = host_vector(2),
            .dbeta = host_vector(3),
            .ds = c.wants_ds() ? host(ds_at) : std::vector<float>()};
}

}  // namespace

std::string NormCase::text() const {
    return std::string(norm.dtype == DType::bf16 ? "bf16 [" : "f32 [") + std::to_string(norm.rows) + ", " +
           std::to_string(norm.channels) + "]" + (norm.variant == norm::Variant::plain ? " plain" : "") +
           (norm.activation == norm::Activation::relu ? " relu" : "") + (residual ? " residual" : "") +
           (in_place ? " in place" : "") + " mean " + std::to_string(mean) + " seed " + std::to_string(seed);
}

NormData uniform_data(const NormCase& c) {
    RandomStream random(c.seed, hash_name("norm data", 9));
    const auto activation = [&](double centre) {
        return filled(elements(c), [&] { return stored(c, centre + random.uniform(-1, 1)); });
    };
    const auto vector = [&](double low, double high) {
        return filled(size(c.norm.channels), [&] { return static_cast<float>(random.uniform(low, high)); });
    };
    NormData data;
    data.x = activation(c.mean);
    data.dy = activation(0);
    data.residual = activation(0);
    data.gamma = vector(-1, 1);
    data.beta = vector(-1, 1);
    data.mean = vector(c.mean - 0.1, c.mean + 0.1);
    data.variance = vector(0.2, 1.5);
    data.relu = activation(0);
    return data;
}

NormCase with_exact_gradient(NormCase c) {
    std::int64_t rows = 1;
    while (2 * rows <= std::min<std::int64_t>(c.norm.rows, 256)) rows *= 2;
    c.norm.rows = rows;
    c.norm.epsilon = 0.0f;
    return c;
}

NormData integer_data(const NormCase& c) {
    RandomStream random(c.seed, hash_name("norm integers", 13));
    const auto integers = [&](std::size_t count) {
        return filled(count, [&] { return static_cast<float>(random.below(5)) - 2.0f; });
    };
    NormData data;
    data.x = integers(elements(c));
    data.dy = integers(elements(c));
    data.residual = integers(elements(c));
    data.gamma = integers(size(c.norm.channels));
    data.beta = integers(size(c.norm.channels));
    data.mean = integers(size(c.norm.channels));
    data.variance.assign(size(c.norm.channels), 1.0f);
    data.relu = integers(elements(c));
    return data;
}

NormResult<double> exact_norm(const NormCase& c, const NormData& data) { return computed<double>(c, data); }

NormResult<float> low_precision_norm(const NormCase& c, const NormData& data) {
    NormResult<float> result = computed<float>(c, data);
    for (auto* values : {&result.y, &result.dx}) {
        for (float& x : *values) x = stored(c, static_cast<double>(x));
    }
    return result;
}

NormResult<float> run_on_device(const NormCase& c, const NormData& data) {
    return c.norm.dtype == DType::bf16 ? run_typed<bf16>(c, data) : run_typed<float>(c, data);
}

NormCase random_case(int number, int largest_rows) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("norm case", 9));
    const std::int64_t rows[] = {2, 3, 4, 7, 31, 64, 65, 100, 200, 257, 300, 700};
    const std::int64_t channels[] = {1, 2, 3, 4, 7, 8, 12, 16, 20, 33, 64, 96, 102, 128, 256, 264};
    NormCase c;
    c.norm.rows = std::min<std::int64_t>(rows[random.below(12)], largest_rows);
    c.norm.channels = channels[random.below(16)];
    c.norm.dtype = number % 2 == 0 ? DType::f32 : DType::bf16;
    c.norm.activation = random.below(2) == 0 ? norm::Activation::relu : norm::Activation::none;
    c.norm.epsilon = random.below(2) == 0 ? 1e-5f : 1e-3f;
    c.residual = random.below(2) == 0;
    c.in_place = random.below(3) == 0;
    c.mean = random.below(3) == 0 ? 4.0 : 0.0;
    c.seed = static_cast<std::uint32_t>(number);
    return c;
}

}  // namespace cambium::test
