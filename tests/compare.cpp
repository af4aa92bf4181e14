#include "tests/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <vector>

#include "engine/base/fail.h"

namespace cambium::test {
namespace {

Tolerance inexact(Tolerance::Kind kind, double bound, std::string_view reason) {
    if (!(bound > 0) || !std::isfinite(bound)) fail("a tolerance must be a positive number, not {}", bound);
    if (reason.empty()) fail("the tolerance {} gives no reason; say why such an error is expected", bound);
    return {kind, bound, std::string(reason)};
}

constexpr double infinity = std::numeric_limits<double>::infinity();

Comparison refused(std::string message) { return {.agrees = false, .error = infinity, .message = std::move(message)}; }

std::string position(std::size_t flat, const Shape& shape) {
    std::string text;
    auto rest = static_cast<std::int64_t>(flat);
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
        text = fmt::format(", {}{}", rest % shape[axis], text);
        rest /= shape[axis];
    }
    return text.empty() ? "[]" : fmt::format("[{}]", text.substr(2));
}

// In the tolerance's own measure.
double measure(Tolerance::Kind kind, double largest_difference, double largest, long double squared_difference,
               long double squared) {
    const auto ratio = [](double error, double size) { return error == 0 ? 0 : error / size; };  // x / 0 is infinite
    switch (kind) {
        case Tolerance::Kind::relative_to_largest:
            return ratio(largest_difference, largest);
        case Tolerance::Kind::relative_l2:
            return ratio(static_cast<double>(std::sqrt(squared_difference)), static_cast<double>(std::sqrt(squared)));
        case Tolerance::Kind::exact:
        case Tolerance::Kind::absolute:
            break;
    }
    return largest_difference;
}

std::string_view describe(Tolerance::Kind kind) {
    switch (kind) {
        case Tolerance::Kind::exact:
            return "absolute error, to be exact";
        case Tolerance::Kind::absolute:
            return "absolute error";
        case Tolerance::Kind::relative_to_largest:
            return "error relative to the largest entry";
        case Tolerance::Kind::relative_l2:
            return "relative L2 error";
    }
    return "";
}

// Both sides have the shape's element count.
Comparison compare_values(std::span<const double> actual, std::span<const double> expected, const Shape& shape,
                          const Tolerance& tolerance) {
    double largest = 0, largest_difference = 0;
    long double squared = 0, squared_difference = 0;  // whose range holds the square of every double
    std::size_t worst = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        if (!std::isfinite(expected[i]))
            return refused(fmt::format("expected {} at {}: not finite", expected[i], position(i, shape)));
        if (!std::isfinite(actual[i]))
            return refused(
                fmt::format("found {} at {}, expected {}: not finite", actual[i], position(i, shape), expected[i]));
        const double difference = std::abs(actual[i] - expected[i]);
        if (difference > largest_difference) {
            largest_difference = difference;
            worst = i;
        }
        largest = std::max(largest, std::abs(expected[i]));
        squared += static_cast<long double>(expected[i]) * expected[i];
        squared_difference += static_cast<long double>(difference) * difference;
    }
    const double error = measure(tolerance.kind, largest_difference, largest, squared_difference, squared);
    if (error <= tolerance.bound)
        return {.agrees = true, .error = error, .message = fmt::format("{} {}", describe(tolerance.kind), error)};
    return {.agrees = false,
            .error = error,
            .message = fmt::format("{} {} exceeds {} ({}); worst at {} of {}: found {}, expected {}",
                                   describe(tolerance.kind), error, tolerance.bound, tolerance.reason,
                                   position(worst, shape), to_string(shape), actual[worst], expected[worst])};
}

}  // namespace

Tolerance exact(std::string_view reason) {
    if (reason.empty()) fail("an exact comparison gives no reason; say why no rounding is expected");
    return {Tolerance::Kind::exact, 0, std::string(reason)};
}
Tolerance absolute(double bound, std::string_view reason) { return inexact(Tolerance::Kind::absolute, bound, reason); }
Tolerance relative_to_largest(double bound, std::string_view reason) {
    return inexact(Tolerance::Kind::relative_to_largest, bound, reason);
}
Tolerance relative_l2(double bound, std::string_view reason) {
    return inexact(Tolerance::Kind::relative_l2, bound, reason);
}

Tolerance twice_the_error_of(const Tensor& plain, const Tensor& expected, double least) {
    const Comparison found = compare(plain, expected, absolute(std::numeric_limits<double>::max(), "to measure it"));
    if (!found) fail("the plain implementation: {}", found.message);
    double largest = 1;
    const Tensor values = expected.converted(DType::f64);
    for (const double x : values.values<double>()) largest = std::max(largest, std::abs(x));
    return absolute(2 * found.error + least * largest,
                    fmt::format("twice the error of the plain implementation, {}", found.error));
}

std::ostream& operator<<(std::ostream& stream, const Comparison& comparison) { return stream << comparison.message; }

Comparison compare(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance) {
    if (actual.shape() != expected.shape())
        return refused(
            fmt::format("found shape {}, expected {}", to_string(actual.shape()), to_string(expected.shape())));
    const Tensor a = actual.converted(DType::f64), e = expected.converted(DType::f64);
    return compare_values(a.values<double>(), e.values<double>(), actual.shape(), tolerance);
}

Comparison compare(std::span<const double> actual, std::span<const double> expected, const Tolerance& tolerance) {
    if (actual.size() != expected.size())
        return refused(fmt::format("found {} values, expected {}", actual.size(), expected.size()));
    return compare_values(actual, expected, Shape{static_cast<std::int64_t>(actual.size())}, tolerance);
}

Comparison compare(std::span<const float> actual, std::span<const double> expected, const Tolerance& tolerance) {
    const std::vector<double> widened(actual.begin(), actual.end());
    return compare(std::span<const double>(widened), expected, tolerance);
}

Comparison compare(double actual, double expected, const Tolerance& tolerance) {
    return compare_values({&actual, 1}, {&expected, 1}, Shape{}, tolerance);
}

}  // namespace cambium::test
