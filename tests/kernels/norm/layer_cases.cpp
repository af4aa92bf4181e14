#include "tests/kernels/norm/layer_cases.h"

#include <algorithm>
#include <cmath>

#include "engine/base/philox.h"
#include "tests/kernels/rule.h"

namespace cambium::test {
namespace {

std::size_t size(std::int64_t value) { return static_cast<std::size_t>(value); }

float stored(const LayerCase& c, double x) {
    const auto value = static_cast<float>(x);
    return c.norm.dtype == DType::bf16 ? static_cast<float>(bf16(value)) : value;
}

template <class Real>
class Reference {
  public:
    Reference(const LayerCase& c, const LayerData& data)
        : data_(data),
          epsilon_(static_cast<Real>(c.norm.epsilon)),
          rows_(size(c.norm.rows)),
          C_(size(c.norm.channels)) {
        result_.dgamma.resize(C_);
        result_.dbeta.resize(C_);
    }
    LayerResult<Real> run() {
        for (std::size_t row = 0; row < rows_; ++row) {
            forward(row);
            backward(row);
        }
        return result_;
    }

  private:
    Real at(const std::vector<float>& values, std::size_t row, std::size_t c) const {
        return static_cast<Real>(values[row * C_ + c]);
    }
    Real gamma(std::size_t c) const { return static_cast<Real>(data_.gamma[c]); }

    void forward(std::size_t row) {
        const auto count = static_cast<Real>(C_);
        Real mean = 0, variance = 0;
        for (std::size_t c = 0; c < C_; ++c) mean += at(data_.x, row, c);
        mean /= count;
        for (std::size_t c = 0; c < C_; ++c) variance += (at(data_.x, row, c) - mean) * (at(data_.x, row, c) - mean);
        const Real rstd = 1 / std::sqrt(variance / count + epsilon_);
        result_.mean.push_back(mean);
        result_.rstd.push_back(rstd);
        for (std::size_t c = 0; c < C_; ++c) {
            result_.y.push_back((at(data_.x, row, c) - mean) * rstd * gamma(c) + static_cast<Real>(data_.beta[c]));
        }
    }
    void backward(std::size_t row) {
        const Real mean = static_cast<Real>(data_.mean[row]), rstd = static_cast<Real>(data_.rstd[row]);
        const auto count = static_cast<Real>(C_);
        const auto normalised = [&](std::size_t c) { return (at(data_.x, row, c) - mean) * rstd; };
        Real offset = 0, slope = 0;
        for (std::size_t c = 0; c < C_; ++c) {
            const Real dy = at(data_.dy, row, c);
            offset += gamma(c) * dy;
            slope += gamma(c) * dy * normalised(c);
            result_.dgamma[c] += dy * normalised(c);
            result_.dbeta[c] += dy;
        }
        for (std::size_t c = 0; c < C_; ++c) {
            const Real g = gamma(c) * at(data_.dy, row, c);
            result_.dx.push_back(rstd * (g - offset / count - normalised(c) * (slope / count)));
        }
    }

    const LayerData& data_;
    Real epsilon_;
    std::size_t rows_, C_;
    LayerResult<Real> result_;
};

template <class T>
LayerResult<float> run_typed(const LayerCase& c, const LayerData& data) {
    dev::Stream stream;
    const norm::LayerNorm& n = c.norm;
    dev::Buffer<T> x(converted<T>(data.x), stream, "x"), dy(converted<T>(data.dy), stream, "dy");
    const dev::Buffer<T> x_again(converted<T>(data.x), stream, "x");
    const dev::Buffer<float> gamma(data.gamma, stream, "gamma"), beta(data.beta, stream, "beta"),
        given_mean(data.mean, stream, "mean"), given_rstd(data.rstd, stream, "rstd");
    dev::Buffer<T> y(x.size(), "y"), dx(x.size(), "dx");
    dev::Buffer<float> mean(size(n.rows), "mean"), rstd(size(n.rows), "rstd"), dgamma(size(n.channels), "dgamma"),
        dbeta(size(n.channels), "dbeta");
    dev::Buffer<std::byte> workspace(norm::workspace_bytes(n), "workspace");
    dev::Buffer<T>&y_at = c.in_place ? x : y, &dx_at = c.in_place ? dy : dx;
    norm::layer_norm(n,
                     {.x = x.data(),
                      .gamma = gamma.data(),
                      .beta = beta.data(),
                      .y = y_at.data(),
                      .mean = mean.data(),
                      .rstd = rstd.data()},
                     stream);
    norm::layer_norm_gradient(n,
                              {.dy = dy.data(),
                               .x = x_again.data(),
                               .gamma = gamma.data(),
                               .mean = given_mean.data(),
                               .rstd = given_rstd.data(),
                               .dx = dx_at.data(),
                               .dgamma = dgamma.data(),
                               .dbeta = dbeta.data()},
                              {workspace.data(), workspace.size()}, stream);
    const auto host = [&](const auto& buffer) {
        std::vector<std::remove_cvref_t<decltype(*buffer.data())>> values(buffer.size());
        buffer.download(values, stream);
        return widened(values);
    };
    return {.y = host(y_at),
            .mean = host(mean),
            .rstd = host(rstd),
            .dx = host(dx_at),
            .dgamma = host(dgamma),
            .dbeta = host(dbeta)};
}

}  // namespace

std::string LayerCase::text() const {
    return "layer norm " + std::string(norm.dtype == DType::bf16 ? "bf16 [" : "f32 [") + std::to_string(norm.rows) +
           ", " + std::to_string(norm.channels) + "]" + (norm.variant == norm::Variant::plain ? " plain" : "") +
           (in_place ? " in place" : "") + " mean " + std::to_string(mean) + " seed " + std::to_string(seed);
}

LayerData uniform_data(const LayerCase& c) {
    RandomStream random(c.seed, hash_name("layer norm data", 15));
    const auto filled = [&](std::int64_t count, double low, double high, bool is_activation) {
        std::vector<float> values(size(count));
        for (float& x : values) {
            const double value = random.uniform(low, high);
            x = is_activation ? stored(c, value) : static_cast<float>(value);
        }
        return values;
    };
    const std::int64_t rows = c.norm.rows, channels = c.norm.channels;
    LayerData data;
    data.x = filled(rows * channels, c.mean - 1, c.mean + 1, true);
    data.dy = filled(rows * channels, -1, 1, true);
    data.gamma = filled(channels, -1, 1, false);
    data.beta = filled(channels, -1, 1, false);
    data.mean = filled(rows, c.mean - 0.1, c.mean + 0.1, false);
    data.rstd = filled(rows, 0.5, 2, false);
    return data;
}

LayerData integer_data(LayerCase& c) {
    std::int64_t channels = 1;
    while (2 * channels <= std::min<std::int64_t>(c.norm.channels, 256)) channels *= 2;
    c.norm.channels = channels;
    RandomStream random(c.seed, hash_name("layer norm integers", 19));
    const auto integers = [&](std::int64_t count) {
        std::vector<float> values(size(count));
        for (float& x : values) x = static_cast<float>(random.below(5)) - 2.0f;
        return values;
    };
    LayerData data;
    data.x = integers(c.norm.rows * channels);
    data.dy = integers(c.norm.rows * channels);
    data.gamma = integers(channels);
    data.beta = integers(channels);
    data.mean = integers(c.norm.rows);
    data.rstd.assign(size(c.norm.rows), 1.0f);
    return data;
}

LayerResult<double> exact_layer_norm(const LayerCase& c, const LayerData& data) {
    return Reference<double>(c, data).run();
}

LayerResult<float> low_precision_layer_norm(const LayerCase& c, const LayerData& data) {
    LayerResult<float> result = Reference<float>(c, data).run();
    for (auto* values : {&result.y, &result.dx}) {
        for (float& x : *values) x = stored(c, static_cast<double>(x));
    }
    return result;
}

LayerResult<float> run_on_device(const LayerCase& c, const LayerData& data) {
    return c.norm.dtype == DType::bf16 ? run_typed<bf16>(c, data) : run_typed<float>(c, data);
}

LayerCase random_layer_case(int number, int largest_rows) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("layer norm case", 15));
    const std::int64_t rows[] = {1, 2, 7, 9, 33, 100, 150};
    const std::int64_t channels[] = {2, 3, 8, 16, 31, 64, 100, 256, 260, 768, 1030, 2056, 3072};
    LayerCase c;
    c.norm.rows = std::min<std::int64_t>(rows[random.below(7)], largest_rows);
    c.norm.channels = channels[random.below(13)];
    c.norm.dtype = number % 2 == 0 ? DType::f32 : DType::bf16;
    c.norm.epsilon = random.below(2) == 0 ? 1e-5f : 1e-3f;
    c.in_place = random.below(2) == 0;
    c.mean = random.below(3) == 0 ? 4.0 : 0.0;
    c.seed = static_cast<std::uint32_t>(number);
    return c;
}

}  // namespace cambium::test
