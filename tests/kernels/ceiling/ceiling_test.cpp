// The loop of mma.sync sums what its operands say, and differing words are counted to the last byte.
#include <doctest/doctest.h>

#include <bit>

#include "engine/base/error.h"
#include "engine/base/numeric.h"
#include "kernels/ceiling/ceiling.h"

using namespace cambium;

TEST_CASE("a loop of mma.sync over ones counts its products") {
    dev::Stream stream;
    for (const auto operand : {ceiling::Operand::bf16, ceiling::Operand::tf32}) {
        const bool low = operand == ceiling::Operand::bf16;
        const std::uint32_t one = low ? 0x3f803f80u : std::bit_cast<std::uint32_t>(1.0f);
        const dev::Buffer<std::uint32_t> operands(std::vector<std::uint32_t>(ceiling::kOperandWords, one), stream);
        const ceiling::MmaLoop loop{.operand = operand, .blocks = 2, .steps = 3};
        dev::Buffer<float> sums(2 * ceiling::kMmaThreads);
        ceiling::run(loop, operands.data(), sums.data(), stream);
        std::vector<float> found(sums.size());
        sums.download(found, stream);
        const float depth = low ? 16 : 8;
        CHECK(found == std::vector<float>(found.size(), 64 * 3 * depth));
        CHECK(loop.flops() == 2.0 * 64 * 32 * static_cast<double>(depth) * 8 * 2 * 3);
    }
}

TEST_CASE("differing words are counted, and bytes behind the last whole word are one") {
    dev::Stream stream;
    for (const std::size_t bytes :
         {std::size_t{0}, std::size_t{1}, std::size_t{4}, std::size_t{4099}, std::size_t{70002}}) {
        std::vector<std::uint8_t> host(bytes + 4, 7);
        const dev::Buffer<std::uint8_t> a(host, stream);
        unsigned expected = 0;
        for (const std::size_t at : {std::size_t{0}, std::size_t{3}, std::size_t{4}, bytes - 1}) {
            if (at < bytes) host[at] = 8;
        }
        for (std::size_t word = 0; word * 4 < bytes; ++word) {
            bool same = true;
            for (std::size_t i = word * 4; i < std::min(bytes, word * 4 + 4); ++i) same = same && host[i] == 7;
            expected += same ? 0 : 1;
        }
        const dev::Buffer<std::uint8_t> b(host, stream);
        dev::Buffer<unsigned> differing(1);
        differing.fill(0, stream);
        ceiling::count_differences(a.data(), b.data(), bytes, differing.data(), stream);
        ceiling::count_differences(a.data(), a.data(), bytes, differing.data(), stream);
        unsigned found = 0;
        differing.download({&found, 1}, stream);
        CHECK(found == expected);
    }
    dev::Buffer<std::uint8_t> memory(16);
    CHECK_THROWS_AS(ceiling::count_differences(memory.data() + 1, memory.data(), 4, nullptr, stream), UsageError);
    CHECK_THROWS_AS(ceiling::run({.blocks = 0}, nullptr, nullptr, stream), UsageError);
}
