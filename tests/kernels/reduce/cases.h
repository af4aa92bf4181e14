// Cases of the three sums: descriptor, data, exact result, and a run on the device. All tests of the family are built
// from them.
#pragma once

#include <string>
#include <vector>

#include "kernels/reduce/reduce.h"

namespace cambium::test {

enum class Fill { integers, uniform };  // small integers, whose sums are exact; or uniform in [-1, 1)

// What is summed: x, or for a dot product also b; for a norm the tensors one after the other.
struct SumData {
    std::vector<float> x, b;
};

struct SumCase {
    reduce::Sum sum;
    std::uint32_t seed = 0;
    std::string text() const;
};
struct DotCase {
    reduce::Dot dot;
    std::uint32_t seed = 0;
    std::string text() const;
};
struct NormCase {
    std::vector<std::int64_t> elements;
    reduce::Variant variant = reduce::Variant::tuned;
    std::uint32_t seed = 0;
    std::string text() const;
};

SumData make_data(const SumCase& c, Fill fill);
SumData make_data(const DotCase& c, Fill fill);
SumData make_data(const NormCase& c, Fill fill);

std::vector<double> exact_sums(const SumCase& c, const SumData& data);
std::vector<double> exact_sums(const DotCase& c, const SumData& data);
std::vector<double> exact_sums(const NormCase& c, const SumData& data);
// The same in f32, one term after the other: a plain implementation.
std::vector<float> low_precision_sums(const SumCase& c, const SumData& data);
std::vector<float> low_precision_sums(const DotCase& c, const SumData& data);
std::vector<float> low_precision_sums(const NormCase& c, const SumData& data);

std::vector<float> run_on_device(const SumCase& c, const SumData& data);
std::vector<float> run_on_device(const DotCase& c, const SumData& data);
std::vector<float> run_on_device(const NormCase& c, const SumData& data);

// The number-th random case of each kind: extents 0, 1, odd and large, rows and columns, one and several parts.
SumCase random_sum(int number);
DotCase random_dot(int number);
NormCase random_norm(int number);

}  // namespace cambium::test
