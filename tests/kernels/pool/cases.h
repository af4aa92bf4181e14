// One case of pooling: what is pooled and how, its data, its exact result, and a run on the device. All tests of the
// family are built from it.
#pragma once

#include <string>
#include <vector>

#include "kernels/pool/pool.h"

namespace cambium::test {

enum class Pooling : std::uint8_t { max, average_padded, average_inside, adaptive };

struct PoolCase {
    pool::Images images;
    pool::Window window;  // of all but adaptive
    Pooling pooling = Pooling::max;
    std::uint32_t seed = 0;

    std::string text() const;
};

enum class Fill { integers, uniform };  // small integers, of which many are equal; or uniform in [-1, 1)

// Values as the device's storage type holds them.
struct PoolData {
    std::vector<float> x, dy;         // [N, H, W, C], [N, P, Q, C]
    std::vector<std::uint8_t> index;  // [N, P, Q, C], what the maximum's gradient is given
};
PoolData make_data(const PoolCase& c, Fill fill);

template <class Real>
struct PoolResult {
    std::vector<Real> y, dx;
    std::vector<std::uint8_t> index;  // empty where no maximum is taken
};
PoolResult<double> exact_pool(const PoolCase& c, const PoolData& data);
// The same in f32, stored as the case says: a plain implementation.
PoolResult<float> low_precision_pool(const PoolCase& c, const PoolData& data);
PoolResult<float> run_on_device(const PoolCase& c, const PoolData& data);

// The number-th random case: overlapping and gapped windows, padding, partial last windows, cells of uneven size, every
// remainder of channels, both types.
PoolCase random_case(int number);
// The same with windows of 1, 2 or 4 positions a side and no partial ones, so that means of integers do not round.
PoolCase random_dyadic_case(int number);

}  // namespace cambium::test
