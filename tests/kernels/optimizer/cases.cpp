#include "tests/kernels/optimizer/cases.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "engine/base/philox.h"
#include "tests/kernels/rule.h"

namespace cambium::test {
namespace {

using optimizer::Adam, optimizer::Sgd;

template <class Real>
Real real(double x) {
    return static_cast<Real>(x);
}
template <class Real>
Real real(float x) {
    return static_cast<Real>(x);
}

// One element's step in the given arithmetic, straight from the formulas of optimizer.h.
template <class Real>
struct Stepper {
    const OptimizerCase& c;

    void sgd(const ParameterCase& p, Real gradient, Real excess, Real& w, Real& buffer) const {
        const Real rate = real<Real>(p.rate_factor) * real<Real>(c.rate), momentum = real<Real>(c.sgd.momentum);
        const Real g = real<Real>(c.scale) * gradient + real<Real>(p.weight_decay) * excess;
        buffer = momentum * buffer + g;
        w -= rate * (c.sgd.kind == Sgd::Kind::nesterov ? g + momentum * buffer : buffer);
    }
    void adam(const ParameterCase& p, Real gradient, Real excess, Real& w, Real& m, Real& v) const {
        const Adam& rule = c.adam_rule;
        const Real rate = real<Real>(p.rate_factor) * real<Real>(c.rate), decay = real<Real>(p.weight_decay);
        const bool coupled = rule.decay == Adam::Decay::coupled;
        const Real g = real<Real>(c.scale) * gradient + (coupled ? decay * excess : 0);
        m = real<Real>(rule.beta1) * m + real<Real>(1 - rule.beta1) * g;
        v = real<Real>(rule.beta2) * v + real<Real>(1 - rule.beta2) * g * g;
        const Real first = m / real<Real>(1 - std::pow(rule.beta1, c.step));
        const Real second = v / real<Real>(1 - std::pow(rule.beta2, c.step));
        if (!coupled) w -= rate * decay * excess;
        w -= rate * first / (std::sqrt(second) + real<Real>(rule.epsilon));
    }
};

template <class Real>
std::vector<Real> as(const std::vector<float>& values) {
    return {values.begin(), values.end()};
}

template <class Real>
Values<Real> step_of(const OptimizerCase& c, const ParameterCase& p, const Values<float>& before) {
    Values<Real> after{as<Real>(before.w),      as<Real>(before.gradient), as<Real>(before.first),
                       as<Real>(before.second), as<Real>(before.anchor),   {},
                       as<Real>(before.average)};
    if (std::isfinite(c.scale)) {
        const Stepper<Real> stepper{c};
        for (std::size_t i = 0; i < after.w.size(); ++i) {
            const Real excess = after.w[i] - (p.anchor ? after.anchor[i] : 0);
            Real unused = 0;
            if (c.adam) {
                stepper.adam(p, after.gradient[i], excess, after.w[i], after.first[i], after.second[i]);
            } else {
                stepper.sgd(p, after.gradient[i], excess, after.w[i], c.has_first() ? after.first[i] : unused);
            }
            if (p.average) after.average[i] += real<Real>(c.average_rate) * (after.w[i] - after.average[i]);
        }
    }
    if (p.copy) after.copy = after.w;
    return after;
}

Data filled(const OptimizerCase& c, bool integers) {
    RandomStream random(c.seed, hash_name("optimizer data", 14));
    const auto fill = [&](std::int64_t count, bool positive) {
        std::vector<float> values(static_cast<std::size_t>(count));
        for (float& x : values) {
            x = integers ? static_cast<float>(random.below(9)) - 4.0f : 2.0f * uniform01(random.bits()) - 1.0f;
            if (positive) x = std::fabs(x) + 0.25f;
        }
        return values;
    };
    Data data;
    for (const ParameterCase& p : c.parameters) {
        data.push_back({.w = fill(p.count, false),
                        .gradient = fill(p.count, false),
                        .first = fill(c.has_first() ? p.count : 0, false),
                        .second = fill(c.adam ? p.count : 0, true),
                        .anchor = fill(p.anchor ? p.count : 0, false),
                        .copy = {},
                        .average = fill(p.average ? p.count : 0, false)});
    }
    return data;
}

// A parameter's tensors on the device, each `skew` elements beyond a boundary; absent ones are null.
class OnDevice {
  public:
    OnDevice(const OptimizerCase& c, const ParameterCase& p, const Values<float>& v, dev::Stream& stream)
        : case_(p),
          w_(placed(v.w, stream, "w")),
          gradient_(placed(v.gradient, stream, "gradient")),
          first_(placed(v.first, stream, "first")),
          second_(placed(v.second, stream, "second")),
          anchor_(placed(v.anchor, stream, "anchor")),
          average_(placed(v.average, stream, "average")),
          new_w_(elsewhere(v.w, stream, "new w")),
          new_first_(elsewhere(v.first, stream, "new first")),
          new_second_(elsewhere(v.second, stream, "new second")),
          copy_(static_cast<std::size_t>(p.copy ? p.count + p.skew : 0), "copy") {
        parameter.count = p.count;
        parameter.w = at(w_), parameter.gradient = at(gradient_);
        parameter.new_w = p.in_place ? at(w_) : at(new_w_);
        if (c.has_first()) parameter.first = at(first_), parameter.new_first = p.in_place ? at(first_) : at(new_first_);
        if (c.adam) parameter.second = at(second_), parameter.new_second = p.in_place ? at(second_) : at(new_second_);
        if (p.anchor) parameter.anchor = at(anchor_);
        if (p.average) parameter.average = at(average_);
        if (p.copy) parameter.copy = copy_.data() + p.skew;
        parameter.weight_decay = p.weight_decay, parameter.rate_factor = p.rate_factor;
    }

    // Values after the step; the gradient and the anchor as they were.
    Values<float> after(const Values<float>& before, dev::Stream& stream) const {
        Values<float> v = before;
        read(v.w, case_.in_place ? w_ : new_w_, stream);
        read(v.first, case_.in_place ? first_ : new_first_, stream);
        read(v.second, case_.in_place ? second_ : new_second_, stream);
        read(v.average, average_, stream);
        if (case_.copy) {
            std::vector<bf16> host(static_cast<std::size_t>(case_.count));
            dev::copy_to_host(host.data(), copy_.data() + case_.skew, host.size() * sizeof(bf16), stream);
            v.copy = widened(host);
        }
        return v;
    }

    optimizer::Parameter parameter;

  private:
    using Tensor = dev::Buffer<float>;
    float* at(Tensor& tensor) const { return tensor.data() + case_.skew; }
    Tensor placed(std::vector<float> values, dev::Stream& stream, const char* name) const {
        values.insert(values.begin(), static_cast<std::size_t>(case_.skew), 0.0f);
        return Tensor(values, stream, name);
    }
    Tensor elsewhere(const std::vector<float>& values, dev::Stream& stream, const char* name) const {
        return placed(case_.in_place ? std::vector<float>() : std::vector<float>(values.size(), -7.0f), stream, name);
    }
    void read(std::vector<float>& values, const Tensor& tensor, dev::Stream& stream) const {
        if (values.empty()) return;
        dev::copy_to_host(values.data(), tensor.data() + case_.skew, values.size() * sizeof(float), stream);
    }

    const ParameterCase& case_;
    Tensor w_, gradient_, first_, second_, anchor_, average_, new_w_, new_first_, new_second_;
    dev::Buffer<bf16> copy_;
};

template <class Rule>
void run_rule(const Rule& rule, const OptimizerCase& c, const std::vector<std::unique_ptr<OnDevice>>& parameters,
              const optimizer::Scalars& scalars, Launches launches, dev::Stream& stream) {
    if (launches == Launches::one_each) {
        for (const auto& p : parameters) optimizer::update(rule, p->parameter, scalars, stream, c.variant);
        return;
    }
    std::vector<optimizer::Parameter> table;
    for (const auto& p : parameters) table.push_back(p->parameter);
    const std::vector<optimizer::Piece> pieces = optimizer::pieces_of(rule, table);
    const dev::Buffer<optimizer::Parameter> device_table(table, stream, "table");
    const dev::Buffer<optimizer::Piece> device_pieces(pieces, stream, "pieces");
    optimizer::update_all(rule,
                          {.parameters = device_table.data(),
                           .pieces = device_pieces.data(),
                           .piece_count = static_cast<std::int64_t>(pieces.size())},
                          scalars, stream, c.variant);
    stream.synchronize();
}

}  // namespace

std::string OptimizerCase::text() const {
    std::string s = adam ? "adam step " + std::to_string(step) : "sgd momentum " + std::to_string(sgd.momentum);
    s += sgd.kind == Sgd::Kind::nesterov ? " nesterov" : "";
    s += adam_rule.decay == Adam::Decay::decoupled ? " decoupled" : "";
    s += variant == optimizer::Variant::plain ? " plain" : "";
    for (const ParameterCase& p : parameters) {
        s += " (" + std::to_string(p.count) + (p.anchor ? " anchor" : "") + (p.copy ? " copy" : "") +
             (p.average ? " average" : "") + (p.in_place ? "" : " elsewhere") + " skew " + std::to_string(p.skew) + ")";
    }
    return s + " seed " + std::to_string(seed);
}

Data uniform_data(const OptimizerCase& c) { return filled(c, false); }
Data integer_data(const OptimizerCase& c) { return filled(c, true); }

std::vector<Values<double>> exact_step(const OptimizerCase& c, const Data& data) {
    std::vector<Values<double>> result;
    for (std::size_t i = 0; i < data.size(); ++i) result.push_back(step_of<double>(c, c.parameters[i], data[i]));
    return result;
}

Data low_precision_step(const OptimizerCase& c, const Data& data) {
    Data result;
    for (std::size_t i = 0; i < data.size(); ++i) {
        result.push_back(step_of<float>(c, c.parameters[i], data[i]));
        for (float& x : result.back().copy) x = static_cast<float>(bf16(x));
    }
    return result;
}

Data run_on_device(const OptimizerCase& c, const Data& data, Launches launches) {
    dev::Stream stream;
    std::vector<std::unique_ptr<OnDevice>> parameters;
    for (std::size_t i = 0; i < data.size(); ++i) {
        parameters.push_back(std::make_unique<OnDevice>(c, c.parameters[i], data[i], stream));
    }
    const dev::Buffer<float> numbers(std::vector<float>{c.rate, c.scale, c.average_rate}, stream, "rate and scale");
    const dev::Buffer<std::int32_t> step(std::vector<std::int32_t>{c.step}, stream, "step");
    const optimizer::Scalars scalars{
        .rate = numbers.data(), .scale = numbers.data() + 1, .step = step.data(), .average_rate = numbers.data() + 2};
    if (c.adam) {
        run_rule(c.adam_rule, c, parameters, scalars, launches, stream);
    } else {
        run_rule(c.sgd, c, parameters, scalars, launches, stream);
    }
    Data result;
    for (std::size_t i = 0; i < data.size(); ++i) result.push_back(parameters[i]->after(data[i], stream));
    return result;
}

OptimizerCase random_case(int number, std::int64_t largest_count) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("optimizer case", 14));
    const auto coin = [&] { return random.below(2) == 0; };
    OptimizerCase c;
    c.adam = number % 2 == 1;
    c.sgd.momentum = random.below(3) == 0 ? 0.0 : 0.5;
    c.sgd.kind = coin() ? Sgd::Kind::nesterov : Sgd::Kind::heavy_ball;
    c.adam_rule.decay = coin() ? Adam::Decay::decoupled : Adam::Decay::coupled;
    c.adam_rule.epsilon = coin() ? 1e-8 : 1e-3;
    const std::int32_t steps[] = {1, 2, 10, 1000, 1000000};
    c.step = steps[random.below(5)];
    if (random.below(8) == 0) c.scale = coin() ? INFINITY : NAN;
    const std::int64_t counts[] = {0, 1, 2, 3, 4, 5, 64, 127, 1000, 4095, 4096, 4097};
    for (std::uint32_t i = random.below(5) + 1; i > 0; --i) {
        ParameterCase p;
        p.count = std::min(random.below(6) == 0 ? largest_count : counts[random.below(12)], largest_count);
        p.weight_decay = coin() ? 0.0f : 0.25f;
        p.rate_factor = coin() ? 1.0f : 0.5f;
        p.anchor = coin(), p.copy = coin(), p.average = coin(), p.in_place = coin();
        p.skew = random.below(3) == 0 ? static_cast<int>(1 + random.below(3)) : 0;
        c.parameters.push_back(p);
    }
    c.seed = static_cast<std::uint32_t>(number);
    return c;
}

}  // namespace cambium::test
