#include "tests/kernels/loss/cases.h"

#include <algorithm>
#include <cmath>

#include "engine/base/philox.h"

namespace cambium::test {
namespace {

std::size_t size(std::int64_t value) { return static_cast<std::size_t>(value); }

template <class Real>
class Reference {
  public:
    Reference(const LossCase& c, const LossData& data)
        : case_(c), data_(data), classes_(size(c.matrix.classes)), rows_(size(c.matrix.rows)) {}

    LossResult<Real> run(const std::vector<float>& softmax_of_gradient) {
        result_.sum = result_.denominator = result_.count = {0};
        for (std::size_t row = 0; row < rows_; ++row) {
            const std::vector<Real> log_p = log_softmax(row);
            for (const Real x : log_p) result_.softmax.push_back(std::exp(x));
            softmax_gradient(row, softmax_of_gradient);
            cross_entropy(row, log_p);
            count(row);
        }
        return result_;
    }

  private:
    Real at(const std::vector<float>& values, std::size_t row, std::size_t c) const {
        return static_cast<Real>(values[row * classes_ + c]);
    }
    std::vector<Real> log_softmax(std::size_t row) const {
        Real largest = at(data_.logits, row, 0), sum = 0;
        for (std::size_t c = 1; c < classes_; ++c) largest = std::max(largest, at(data_.logits, row, c));
        for (std::size_t c = 0; c < classes_; ++c) sum += std::exp(at(data_.logits, row, c) - largest);
        std::vector<Real> result;
        for (std::size_t c = 0; c < classes_; ++c) result.push_back(at(data_.logits, row, c) - largest - std::log(sum));
        return result;
    }
    void softmax_gradient(std::size_t row, const std::vector<float>& y) {
        Real dot = 0;
        for (std::size_t c = 0; c < classes_; ++c) dot += at(data_.dy, row, c) * at(y, row, c);
        for (std::size_t c = 0; c < classes_; ++c)
            result_.softmax_gradient.push_back(at(y, row, c) * (at(data_.dy, row, c) - dot));
    }
    Real weight(std::size_t c) const { return case_.weights ? static_cast<Real>(data_.weights[c]) : 1; }
    void cross_entropy(std::size_t row, const std::vector<Real>& log_p) {
        const std::int32_t label = data_.labels[row];
        if (!case_.probabilities && label < 0) {
            result_.dlogits.insert(result_.dlogits.end(), classes_, 0);
            return;
        }
        const auto e = static_cast<Real>(case_.label_smoothing);
        std::vector<Real> t;
        Real total = 0;
        for (std::size_t c = 0; c < classes_; ++c) {
            const Real q = case_.probabilities ? at(data_.probabilities, row, c) : size(label) == c ? 1 : 0;
            t.push_back(weight(c) * ((1 - e) * q + e / static_cast<Real>(classes_)));
            total += t.back();
            result_.sum[0] -= t.back() * log_p[c];
        }
        result_.denominator[0] += case_.probabilities ? 1 : weight(size(label));
        for (std::size_t c = 0; c < classes_; ++c) {
            result_.dlogits.push_back(static_cast<Real>(data_.dsum) * (std::exp(log_p[c]) * total - t[c]));
        }
    }
    void count(std::size_t row) {
        const std::int32_t label = data_.labels[row];
        if (label < 0) return;
        const float of_label = data_.logits[row * classes_ + size(label)];
        std::int64_t before = 0;
        for (std::size_t c = 0; c < classes_; ++c) {
            const float x = data_.logits[row * classes_ + c];
            before += !(x < of_label || (x == of_label && c >= size(label))) ? 1 : 0;
        }
        result_.count[0] += before < case_.k ? 1 : 0;
    }

    const LossCase& case_;
    const LossData& data_;
    std::size_t classes_, rows_;
    LossResult<Real> result_;
};

// What the softmax's gradient is given as y: one f32 rounding of the softmax.
std::vector<float> given_softmax(const LossCase& c, const LossData& data) {
    std::vector<float> result;
    for (const double y : Reference<double>(c, data).run(data.dy).softmax) result.push_back(static_cast<float>(y));
    return result;
}

std::int64_t one_of(RandomStream& random, std::initializer_list<std::int64_t> choices) {
    return choices.begin()[random.below(static_cast<std::uint32_t>(choices.size()))];
}

// Buffers and calls of one run on the device.
class DeviceRun {
  public:
    DeviceRun(const LossCase& c, const LossData& data) : case_(c), data_(data) {}

    LossResult<float> run() {
        LossResult<float> result;
        const dev::Buffer<float> logits(data_.logits, stream_, "logits");
        dev::Buffer<float> y(logits.size(), "y");
        loss::softmax(case_.matrix, logits.data(), y.data(), stream_);
        result.softmax = downloaded(y);
        result.softmax_gradient = softmax_gradient();
        cross_entropy(logits, result);
        return result;
    }

  private:
    std::vector<float> downloaded(const dev::Buffer<float>& buffer) {
        std::vector<float> values(buffer.size());
        buffer.download(values, stream_);
        return values;
    }
    std::vector<float> softmax_gradient() {
        const dev::Buffer<float> y(given_softmax(case_, data_), stream_, "y");
        dev::Buffer<float> dy(data_.dy, stream_, "dy"), dx(dy.size(), "dx");
        dev::Buffer<float>& result = case_.in_place ? dy : dx;
        loss::softmax_gradient(case_.matrix, dy.data(), y.data(), result.data(), stream_);
        return downloaded(result);
    }
    void cross_entropy(const dev::Buffer<float>& logits, LossResult<float>& result) {
        const dev::Buffer<float> probabilities(data_.probabilities, stream_), weights(data_.weights, stream_),
            dsum(std::vector<float>{data_.dsum}, stream_);
        const dev::Buffer<std::int32_t> labels(data_.labels, stream_);
        loss::Targets targets{.label_smoothing = case_.label_smoothing};
        if (case_.probabilities) targets.probabilities = probabilities.data();
        if (!case_.probabilities) targets.labels = labels.data();
        if (case_.weights) targets.weights = weights.data();
        dev::Buffer<float> sum(1, "sum"), denominator(1, "denominator"), count(1, "count");
        dev::Buffer<std::byte> workspace(loss::workspace_bytes(case_.matrix), "workspace");
        const std::span<std::byte> memory(workspace.data(), workspace.size());
        loss::cross_entropy(case_.matrix, targets, logits.data(), sum.data(), denominator.data(), memory, stream_);
        loss::top_k_count(case_.matrix, case_.k, labels.data(), logits.data(), count.data(), memory, stream_);
        dev::Buffer<float> overwritten(data_.logits, stream_, "logits"), apart(logits.size(), "dlogits");
        dev::Buffer<float>& dlogits = case_.in_place ? overwritten : apart;
        loss::cross_entropy_gradient(case_.matrix, targets, dsum.data(), overwritten.data(), dlogits.data(), stream_);
        result.sum = downloaded(sum);
        result.denominator = downloaded(denominator);
        result.count = downloaded(count);
        result.dlogits = downloaded(dlogits);
    }

    const LossCase& case_;
    const LossData& data_;
    dev::Stream stream_;
};

}  // namespace

std::string LossCase::text() const {
    return "[" + std::to_string(matrix.rows) + ", " + std::to_string(matrix.classes) + "]" +
           (matrix.variant == loss::Variant::plain ? " plain" : "") + (probabilities ? " probabilities" : " labels") +
           (weights ? " weights" : "") + (in_place ? " in place" : "") + " smoothing " +
           std::to_string(label_smoothing) + " spread " + std::to_string(spread) + " k " + std::to_string(k) +
           " seed " + std::to_string(seed);
}

LossData make_data(const LossCase& c) {
    RandomStream random(c.seed, hash_name("loss data", 9));
    const auto uniform = [&](std::int64_t count, double low, double high) {
        std::vector<float> values(size(count));
        for (float& x : values) x = static_cast<float>(random.uniform(low, high));
        return values;
    };
    const std::int64_t rows = c.matrix.rows, classes = c.matrix.classes;
    LossData data;
    data.logits = uniform(rows * classes, -static_cast<double>(c.spread), static_cast<double>(c.spread));
    // A third of the logits are whole numbers, of which many are equal.
    for (std::size_t i = 0; i < data.logits.size(); i += 3) data.logits[i] = std::round(data.logits[i]);
    data.dy = uniform(rows * classes, -1, 1);
    data.probabilities = uniform(rows * classes, 0, 1);
    for (std::size_t row = 0; row < size(rows); ++row) {
        float* q = data.probabilities.data() + row * size(classes);
        float sum = 0;
        for (std::int64_t i = 0; i < classes; ++i) sum += q[i];
        for (std::int64_t i = 0; i < classes; ++i) q[i] /= sum;
        data.labels.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(classes + 1))) - 1);
    }
    data.weights = uniform(classes, 0.5, 1.5);
    data.dsum = static_cast<float>(random.uniform(0.1, 1));
    return data;
}

LossResult<double> exact_losses(const LossCase& c, const LossData& data) {
    return Reference<double>(c, data).run(given_softmax(c, data));
}

LossResult<float> low_precision_losses(const LossCase& c, const LossData& data) {
    return Reference<float>(c, data).run(given_softmax(c, data));
}

LossResult<float> run_on_device(const LossCase& c, const LossData& data) { return DeviceRun(c, data).run(); }

LossCase random_case(int number, int largest_rows) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("loss case", 9));
    LossCase c;
    c.matrix.rows = std::min<std::int64_t>(one_of(random, {1, 2, 7, 8, 9, 33, 100}), largest_rows);
    c.matrix.classes = one_of(random, {1, 2, 3, 10, 31, 32, 33, 102, 256, 257, 1000});
    c.probabilities = random.below(3) == 0;
    c.weights = random.below(2) == 0;
    c.in_place = random.below(2) == 0;
    c.label_smoothing = random.below(2) == 0 ? 0.0f : 0.1f;
    c.spread = random.below(3) == 0 ? 30.0f : 2.0f;
    c.k = one_of(random, {1, 2, 5});
    c.seed = static_cast<std::uint32_t>(number);
    return c;
}

}  // namespace cambium::test
