#include "tests/kernels/elementwise/cases.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "engine/base/philox.h"
#include "tests/kernels/rule.h"

namespace cambium::test {
namespace {

constexpr const char* kNames[kOperators] = {
    "convert_to_bf16", "convert_from_bf16", "convert_from_i32", "convert_from_u8", "relu", "gelu",     "add",
    "multiply",        "relu_gradient",     "gelu_gradient",    "scale",           "lerp", "add_bias", "scale_channels",
    "scale_shift",     "dropout",           "normalize_rgb",    "normalize_bgr",   "guard"};

bool reads_pixels(Operator op) {
    return op == Operator::normalize_rgb || op == Operator::normalize_bgr || op == Operator::convert_from_u8;
}
DType input_type(const ElementwiseCase& c) {
    if (reads_pixels(c.op)) return DType::u8;
    if (c.op == Operator::convert_from_i32) return DType::i32;
    if (c.op == Operator::convert_to_bf16) return DType::f32;
    return c.op == Operator::convert_from_bf16 ? DType::bf16 : c.dtype;
}
DType output_type(const ElementwiseCase& c) {
    if (c.op == Operator::convert_to_bf16) return DType::bf16;
    return c.op <= Operator::convert_from_u8 || c.op == Operator::lerp ? DType::f32 : c.dtype;
}

constexpr std::uint32_t kStream = 77;

// One definition of every operator, in the given arithmetic.
template <class Real>
Real element(const ElementwiseCase& c, const ElementwiseData& data, std::int64_t i) {
    const auto at = static_cast<std::size_t>(i), channel = static_cast<std::size_t>(i % c.channels);
    const Real a = static_cast<Real>(data.a[at]), b = static_cast<Real>(data.b[at]), t = static_cast<Real>(c.scalar);
    const Real scale = static_cast<Real>(data.scale[channel]), shift = static_cast<Real>(data.shift[channel]);
    const auto phi = [](Real x) { return Real(0.5) * (1 + std::erf(x * static_cast<Real>(0.70710678118654752440))); };
    switch (c.op) {
        case Operator::relu:
            return a < 0 ? 0 : a;
        case Operator::gelu:
            return a * phi(a);
        case Operator::add:
            return a + b;
        case Operator::multiply:
            return a * b;
        case Operator::relu_gradient:
            return b > 0 ? a : 0;
        case Operator::gelu_gradient:
            return a * (phi(b) + b * static_cast<Real>(0.39894228040143267794) * std::exp(b * b / -2));
        case Operator::scale:
            return t * a;
        case Operator::lerp:
            return a + t * (b - a);
        case Operator::add_bias:
            return a + shift;
        case Operator::scale_channels:
            return scale * a;
        case Operator::scale_shift:
        case Operator::normalize_rgb:
            return scale * a + shift;
        case Operator::normalize_bgr:
            return scale * static_cast<Real>(data.a[at - channel + 2 - channel]) + shift;
        case Operator::dropout: {
            const Philox::Block block = Philox(c.seed, kStream)(static_cast<std::uint64_t>(i) / 4,
                                                                static_cast<std::uint64_t>(std::int64_t{c.step}));
            return static_cast<double>(uniform01(block.word[i % 4])) >= c.rate ? a / static_cast<Real>(1 - c.rate) : 0;
        }
        case Operator::guard:
            return std::isfinite(c.scalar) ? b : a;
        default:
            return a;
    }
}

template <class Real>
std::vector<Real> all_elements(const ElementwiseCase& c, const ElementwiseData& data) {
    std::vector<Real> result;
    for (std::int64_t i = 0; i < c.count(); ++i) result.push_back(element<Real>(c, data, i));
    return result;
}

float stored(DType dtype, float x) { return dtype == DType::bf16 ? static_cast<float>(bf16(x)) : x; }

ElementwiseData filled(const ElementwiseCase& c, bool integers) {
    RandomStream random(c.seed, hash_name("elementwise data", 16));
    const auto fill = [&](std::int64_t count, DType dtype) {
        std::vector<float> values(static_cast<std::size_t>(count));
        for (float& x : values) {
            if (dtype == DType::u8 || dtype == DType::i32) {
                x = static_cast<float>(random.below(256)) - (dtype == DType::i32 ? 100.0f : 0.0f);
            } else {
                x = integers ? static_cast<float>(random.below(9)) - 4.0f
                             : stored(dtype, 6.0f * uniform01(random.bits()) - 3.0f);
            }
        }
        return values;
    };
    return {.a = fill(c.count(), input_type(c)),
            .b = fill(c.count(), input_type(c)),
            .scale = fill(c.channels, DType::f32),
            .shift = fill(c.channels, DType::f32)};
}

// A tensor on the device, `skew` elements beyond a 256-byte boundary, with elements of another value on both sides.
template <class T>
class Placed {
  public:
    static constexpr int kMargin = 16;
    Placed(const std::vector<float>& values, int skew, dev::Stream& stream, const char* name)
        : skew_(static_cast<std::size_t>(skew)), host_(margin(skew_)), buffer_(0) {
        for (const float x : values) host_.push_back(T(x));
        host_.insert(host_.end(), kMargin, T(77.0f));
        buffer_ = dev::Buffer<T>(host_, stream, name);
    }
    T* data() { return buffer_.data() + skew_; }
    std::vector<float> downloaded(dev::Stream& stream) {
        std::vector<T> found(host_.size());
        buffer_.download(found, stream);
        for (std::size_t i = 0; i < found.size(); ++i) {
            const bool inside = i >= skew_ && i + kMargin < found.size();
            if (!inside && static_cast<float>(found[i]) != 77.0f) throw std::runtime_error("written beside y");
        }
        return widened(std::vector<T>(found.begin() + static_cast<std::ptrdiff_t>(skew_), found.end() - kMargin));
    }

  private:
    static std::vector<T> margin(std::size_t skew) { return std::vector<T>(skew, T(77.0f)); }
    std::size_t skew_;
    std::vector<T> host_;
    dev::Buffer<T> buffer_;
};

struct Vectors {
    const float *scale, *shift, *scalar;
    const std::int32_t* step;
};

void enqueue(const ElementwiseCase& c, const void* a, const void* b, void* y, const Vectors& v, dev::Stream& stream) {
    using elementwise::Binary, elementwise::Unary;
    const elementwise::Elements e{c.count(), output_type(c), c.variant};
    switch (c.op) {
        case Operator::relu:
            return elementwise::unary(Unary::relu, e, a, y, stream);
        case Operator::gelu:
            return elementwise::unary(Unary::gelu, e, a, y, stream);
        case Operator::add:
        case Operator::multiply:
        case Operator::relu_gradient:
        case Operator::gelu_gradient: {
            const int index = static_cast<int>(c.op) - static_cast<int>(Operator::add);
            return elementwise::binary(static_cast<Binary>(index), e, a, b, y, stream);
        }
        case Operator::scale:
            return elementwise::scale(e, a, c.scalar, y, stream);
        case Operator::lerp:
            return elementwise::lerp(e, a, b, v.scalar, y, stream);
        case Operator::add_bias:
            return elementwise::add_bias(e, c.channels, a, v.shift, y, stream);
        case Operator::scale_channels:
            return elementwise::scale_shift(e, c.channels, a, v.scale, nullptr, y, stream);
        case Operator::scale_shift:
            return elementwise::scale_shift(e, c.channels, a, v.scale, v.shift, y, stream);
        case Operator::dropout:
            return elementwise::dropout({.rate = c.rate, .seed = c.seed, .stream = kStream}, e, a, v.step, y, stream);
        case Operator::guard:
            return elementwise::guard(c.count() * static_cast<std::int64_t>(size_of(c.dtype)), a, b, v.scalar, y,
                                      stream);
        default:
            return elementwise::convert({c.count(), input_type(c), output_type(c), c.variant}, a, y, stream);
    }
}

void enqueue_normalize(const ElementwiseCase& c, const ElementwiseData& data, const std::uint8_t* pixels, void* y,
                       dev::Stream& stream) {
    elementwise::Normalization n;
    std::copy_n(data.scale.begin(), 3, n.scale.begin());
    std::copy_n(data.shift.begin(), 3, n.shift.begin());
    n.order = c.op == Operator::normalize_bgr ? elementwise::ChannelOrder::bgr : elementwise::ChannelOrder::rgb;
    elementwise::normalize(n, {c.count(), c.dtype, c.variant}, pixels, y, stream);
}

template <class In, class Out>
std::vector<float> run_typed(const ElementwiseCase& c, const ElementwiseData& data) {
    dev::Stream stream;
    Placed<In> a(data.a, c.skew, stream, "a"), b(data.b, c.skew, stream, "b");
    const dev::Buffer<float> scale(data.scale, stream, "scale"), shift(data.shift, stream, "shift");
    const dev::Buffer<float> scalar(std::vector<float>{c.scalar}, stream, "scalar");
    const dev::Buffer<std::int32_t> step(std::vector<std::int32_t>{c.step}, stream, "step");
    const Vectors vectors{scale.data(), shift.data(), scalar.data(), step.data()};
    if constexpr (std::is_same_v<In, Out>) {
        if (c.in_place) {
            enqueue(c, a.data(), b.data(), a.data(), vectors, stream);
            return a.downloaded(stream);
        }
    }
    Placed<Out> y(std::vector<float>(data.a.size(), -12345.0f), c.skew, stream, "y");
    if constexpr (std::is_same_v<In, std::uint8_t>) {
        if (c.op != Operator::convert_from_u8) {
            enqueue_normalize(c, data, a.data(), y.data(), stream);
            return y.downloaded(stream);
        }
    }
    enqueue(c, a.data(), b.data(), y.data(), vectors, stream);
    return y.downloaded(stream);
}

}  // namespace

std::string ElementwiseCase::text() const {
    return std::string(kNames[static_cast<int>(op)]) + " [" + std::to_string(rows) + ", " + std::to_string(channels) +
           "] " + std::string(name_of(dtype)) + (variant == elementwise::Variant::plain ? " plain" : "") +
           (in_place ? " in place" : "") + " skew " + std::to_string(skew) + " scalar " + std::to_string(scalar) +
           " rate " + std::to_string(rate) + " seed " + std::to_string(seed);
}

ElementwiseData uniform_data(const ElementwiseCase& c) { return filled(c, false); }
ElementwiseData integer_data(const ElementwiseCase& c) { return filled(c, true); }

std::vector<double> exact_result(const ElementwiseCase& c, const ElementwiseData& data) {
    return all_elements<double>(c, data);
}

std::vector<float> low_precision_result(const ElementwiseCase& c, const ElementwiseData& data) {
    std::vector<float> result = all_elements<float>(c, data);
    for (float& x : result) x = stored(output_type(c), x);
    return result;
}

std::vector<float> run_on_device(const ElementwiseCase& c, const ElementwiseData& data) {
    switch (input_type(c)) {
        case DType::u8:
            return output_type(c) == DType::f32 ? run_typed<std::uint8_t, float>(c, data)
                                                : run_typed<std::uint8_t, bf16>(c, data);
        case DType::i32:
            return run_typed<std::int32_t, float>(c, data);
        case DType::bf16:
            return output_type(c) == DType::f32 ? run_typed<bf16, float>(c, data) : run_typed<bf16, bf16>(c, data);
        default:
            return output_type(c) == DType::f32 ? run_typed<float, float>(c, data) : run_typed<float, bf16>(c, data);
    }
}

ElementwiseCase random_case(int number, int largest_count) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("elementwise case", 16));
    ElementwiseCase c;
    c.op = static_cast<Operator>(number % kOperators);
    c.dtype = c.op != Operator::lerp && random.below(2) == 0 ? DType::bf16 : DType::f32;
    const std::int64_t channels[] = {1, 2, 3, 5, 8, 16, 31, 64, 102, 300};
    c.channels = channels[random.below(10)];
    if (reads_pixels(c.op)) c.channels = 3;
    const std::uint32_t kind = random.below(10);
    std::int64_t count = 1 + random.below(200);
    if (kind == 0) count = 0;
    if (kind > 5) count = 1 + random.below(static_cast<std::uint32_t>(largest_count));
    c.rows = count == 0 ? 0 : std::max<std::int64_t>(count / c.channels, 1);
    c.in_place = random.below(3) == 0;
    c.skew = random.below(4) == 0 ? static_cast<int>(1 + random.below(8)) : 0;
    const float scalars[] = {2.0f, -0.5f, 0.25f};
    c.scalar = scalars[random.below(3)];
    const double rates[] = {0.0, 0.5, 0.75};
    c.rate = rates[random.below(3)];
    if (c.op == Operator::guard && random.below(2) == 0) c.scalar = random.below(2) == 0 ? INFINITY : NAN;
    c.step = static_cast<std::int32_t>(random.below(1000));
    c.seed = static_cast<std::uint32_t>(number);
    return c;
}

}  // namespace cambium::test
