// Axis orders of weight files, element by element and there and back.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "engine/base/error.h"
#include "engine/tensor/tensor.h"

using namespace cambium;

namespace {

Tensor counting(Shape shape) {
    Tensor tensor(shape, DType::f32);
    std::iota(tensor.values<float>().begin(), tensor.values<float>().end(), 0.0f);
    return tensor;
}

bool equal(const Tensor& a, const Tensor& b) {
    return a.spec() == b.spec() && std::ranges::equal(a.bytes(), b.bytes());
}

}  // namespace

TEST_CASE("a filter is [K, C, R, S] in the file and [K, R, S, C] in the engine") {
    const FileLayout layout{.kind = FileLayout::Kind::oihw};
    const Tensor file = counting({2, 3, 4, 5});
    const Tensor engine = layout.to_engine(file);
    REQUIRE(engine.shape() == Shape({2, 4, 5, 3}));
    CHECK(layout.file_shape(engine.shape()) == file.shape());
    for (std::int64_t k = 0; k < 2; ++k) {
        for (std::int64_t c = 0; c < 3; ++c) {
            for (std::int64_t r = 0; r < 4; ++r) {
                for (std::int64_t s = 0; s < 5; ++s) {
                    const auto from = static_cast<std::size_t>(((k * 3 + c) * 4 + r) * 5 + s);
                    const auto to = static_cast<std::size_t>(((k * 4 + r) * 5 + s) * 3 + c);
                    REQUIRE(engine.values<float>()[to] == file.values<float>()[from]);
                }
            }
        }
    }
    CHECK(equal(layout.to_file(engine), file));
}

TEST_CASE("a linear weight over a flattened image has its columns in C, H, W in the file and H, W, C in the engine") {
    const FileLayout layout{.kind = FileLayout::Kind::chw_columns, .channels = 3, .height = 2, .width = 4};
    const Tensor file = counting({5, 24});
    const Tensor engine = layout.to_engine(file);
    REQUIRE(engine.shape() == file.shape());
    for (std::int64_t row = 0; row < 5; ++row) {
        for (std::int64_t c = 0; c < 3; ++c) {
            for (std::int64_t p = 0; p < 8; ++p) {
                const auto from = static_cast<std::size_t>(row * 24 + c * 8 + p);
                const auto to = static_cast<std::size_t>(row * 24 + p * 3 + c);
                REQUIRE(engine.values<float>()[to] == file.values<float>()[from]);
            }
        }
    }
    CHECK(equal(layout.to_file(engine), file));
}

TEST_CASE("layouts move elements of any size") {
    const FileLayout layout{.kind = FileLayout::Kind::oihw};
    for (const DType dtype : {DType::f64, DType::f16, DType::u8}) {
        const Tensor file = counting({3, 2, 3, 3}).converted(DType::f64).converted(dtype);
        CHECK(equal(layout.to_file(layout.to_engine(file)), file));
    }
}

TEST_CASE("a plain layout changes nothing") {
    const Tensor tensor = counting({7});
    CHECK(equal(FileLayout{}.to_engine(tensor), tensor));
    CHECK(equal(FileLayout{}.to_file(tensor), tensor));
}

TEST_CASE("what does not fit a layout is refused by shape") {
    const FileLayout filter{.kind = FileLayout::Kind::oihw};
    CHECK_THROWS_WITH_AS(filter.to_engine(counting({2, 3})), "a convolution filter has 4 axes, not f32 [2, 3]", Error);
    const FileLayout columns{.kind = FileLayout::Kind::chw_columns, .channels = 3, .height = 2, .width = 2};
    CHECK_THROWS_WITH_AS(columns.to_engine(counting({5, 13})),
                         "a linear weight over 3 x 2 x 2 inputs cannot be f32 [5, 13]", Error);
    CHECK_THROWS_AS(columns.to_engine(counting({12})), Error);
    CHECK_THROWS_AS(columns.to_file(counting({5, 13})), Error);
    CHECK_THROWS_AS(filter.to_file(counting({2, 3})), Error);
}
