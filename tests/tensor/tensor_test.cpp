#include "engine/tensor/tensor.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "engine/base/error.h"
#include "engine/tensor/memory.h"

using namespace cambium;

TEST_CASE("a new tensor is zero and aligned") {
    Tensor tensor({3, 5}, DType::f32);
    CHECK(tensor.bytes().size() == 60);
    CHECK(reinterpret_cast<std::uintptr_t>(tensor.bytes().data()) % 64 == 0);
    CHECK(std::ranges::all_of(tensor.values<float>(), [](float x) { return x == 0.0f; }));
    CHECK(to_string(tensor.spec()) == "f32 [3, 5]");
}

TEST_CASE("a default tensor is empty") {
    const Tensor tensor;
    CHECK(tensor.count() == 0);
    CHECK(tensor.values<float>().empty());
    CHECK(tensor.clone().spec() == tensor.spec());
}

TEST_CASE("values are read only as what they are") {
    const std::array<std::int64_t, 3> values{1, 2, 3};
    Tensor tensor({3}, std::span<const std::int64_t>(values));
    CHECK(tensor.values<std::int64_t>()[2] == 3);
    CHECK_THROWS_WITH_AS(tensor.values<float>(), "a tensor of i64 was read as f32", Error);
    CHECK_THROWS_WITH_AS(Tensor({4}, std::span<const std::int64_t>(values)),
                         "i64 [4] needs 32 bytes, but 24 were given", Error);
}

TEST_CASE("a clone is another tensor with the same bits") {
    Tensor tensor({2}, DType::u8);
    tensor.values<std::uint8_t>()[1] = 9;
    Tensor copy = tensor.clone();
    tensor.values<std::uint8_t>()[1] = 1;
    CHECK(copy.values<std::uint8_t>()[1] == 9);
}

TEST_CASE("conversion rounds reals to nearest even and keeps integers") {
    const std::array<float, 4> values{1.0f, -2.5f, 1.00390625f, 3.0e38f};  // the third lies between two bf16
    const Tensor tensor({4}, std::span<const float>(values));
    CHECK(tensor.converted(DType::f64).values<double>()[1] == -2.5);
    const Tensor low = tensor.converted(DType::bf16);
    CHECK(low.values<bf16>()[0].raw == 0x3f80);
    CHECK(low.values<bf16>()[2].raw == 0x3f80);  // down to even
    CHECK(tensor.converted(DType::f16).values<f16>()[3].raw == 0x7c00);
    CHECK(low.converted(DType::f32).values<float>()[1] == -2.5f);
    CHECK(tensor.converted(DType::f32).values<float>()[2] == values[2]);

    const std::array<std::int64_t, 2> large{(std::int64_t{1} << 40) + 1, -7};
    const Tensor integers({2}, std::span<const std::int64_t>(large));
    CHECK(integers.converted(DType::f64).values<double>()[0] == 1099511627777.0);
    CHECK(integers.converted(DType::i64).values<std::int64_t>()[0] == large[0]);
    CHECK(integers.converted(DType::f32).values<float>()[1] == -7.0f);
}

TEST_CASE("a reshaped tensor keeps its elements, and only as many") {
    Tensor tensor({2, 3}, DType::i32);
    tensor.values<std::int32_t>()[5] = 42;
    Tensor flat = std::move(tensor).reshaped({6});
    CHECK(flat.shape() == Shape({6}));
    CHECK(flat.values<std::int32_t>()[5] == 42);
    CHECK_THROWS_WITH_AS(std::move(flat).reshaped({7}), "cannot view i32 [6] as [7]", Error);
}

TEST_CASE("host memory copies, zeroes and is moved, not shared") {
    Memory& memory = host_memory();
    Buffer buffer(memory, 16);
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64 == 0);
    const std::array<std::uint8_t, 16> bytes{1, 2, 3};
    memory.upload(buffer.data(), bytes.data(), 16);
    Buffer other = std::move(buffer);
    CHECK(buffer.data() == nullptr);  // NOLINT(bugprone-use-after-move): what a moved-from buffer is, is the point
    std::array<std::uint8_t, 16> back{};
    memory.download(back.data(), other.data(), 16);
    CHECK(back == bytes);
    memory.zero(other.data(), 16);
    memory.download(back.data(), other.data(), 16);
    CHECK(back == std::array<std::uint8_t, 16>{});
    other = Buffer(memory, 0);
    CHECK(other.data() != nullptr);
    CHECK(other.bytes() == 0);
}

// AddressSanitizer ends the program at once when so much is asked for, so there is nothing to see there.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("more memory than there is, is an error that says how much") {
    CHECK_THROWS_AS(host_memory().allocate(std::size_t{1} << 60), Error);
    CHECK_THROWS_WITH_AS(Tensor({std::int64_t{1} << 57}, DType::f64),
                         "not enough memory for a tensor of f64 [144115188075855872]: 1099511627776 MB", Error);
}
#endif
