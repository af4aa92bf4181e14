// Philox against the published vectors, and the draws made from it.
#include "engine/base/philox.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <set>

using namespace cambium;

namespace {

void check_block(const Philox& philox, std::uint64_t low, std::uint64_t high,
                 const std::array<std::uint32_t, 4>& expected) {
    const Philox::Block block = philox(low, high);
    for (std::size_t i = 0; i < 4; ++i) CHECK(block.word[i] == expected[i]);
}

}  // namespace

// The three vectors of philox4x32-10 published with the paper (Random123, kat_vectors).
TEST_CASE("Philox4x32-10 gives the published words") {
    check_block(Philox(0, 0), 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    check_block(Philox(0xffffffff, 0xffffffff), ~std::uint64_t{0}, ~std::uint64_t{0},
                {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    check_block(Philox(0xa4093822, 0x299f31d0), 0x85a308d3243f6a88, 0x0370734413198a2e,
                {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream is its blocks in order") {
    RandomStream stream(7, 11, 3);
    const Philox philox(7, 11);
    for (std::uint64_t block = 0; block < 3; ++block) {
        for (const std::uint32_t word : philox(block, 3).word) CHECK(stream.bits() == word);
    }
}

TEST_CASE("seed, both of its halves, stream and index each give another sequence") {
    std::set<std::uint32_t> first;
    for (const auto& [seed, stream, index] : {std::array<std::uint64_t, 3>{1, 1, 1},
                                              {2, 1, 1},
                                              {1, 2, 1},
                                              {1, 1, 2},
                                              {(std::uint64_t{1} << 32) + 1, 1, 1}}) {
        first.insert(RandomStream(seed, static_cast<std::uint32_t>(stream), index).bits());
    }
    CHECK(first.size() == 5);
}

TEST_CASE("uniform numbers stay in [0, 1) and fill it") {
    CHECK(uniform01(0) == 0.0f);
    CHECK(uniform01(0xffffffffu) < 1.0f);
    RandomStream stream(1, 0);
    std::array<int, 10> bins{};
    for (int i = 0; i < 100'000; ++i) {
        const double u = stream.uniform();
        REQUIRE(u >= 0.0);
        REQUIRE(u < 1.0);
        ++bins[static_cast<std::size_t>(u * 10)];
    }
    for (const int bin : bins) CHECK(std::abs(bin - 10'000) < 600);  // six standard deviations, sqrt(9000) = 95 each
}

TEST_CASE("below(n) gives each of 0 to n-1, equally often") {
    RandomStream stream(2, 0);
    CHECK(stream.below(1) == 0);
    std::array<int, 7> bins{};
    for (int i = 0; i < 70'000; ++i) ++bins[stream.below(7)];
    for (const int bin : bins) CHECK(std::abs(bin - 10'000) < 600);
    // A bound just above 2^31, where taking the remainder would prefer small values twofold.
    const std::uint32_t bound = (1u << 31) + 1;
    int small = 0;
    for (int i = 0; i < 10'000; ++i) small += stream.below(bound) < bound / 2 ? 1 : 0;
    CHECK(std::abs(small - 5'000) < 300);
}

TEST_CASE("normal numbers have mean 0, variance 1 and no infinity") {
    RandomStream stream(3, 0);
    double sum = 0, squares = 0;
    const int count = 100'000;
    for (int i = 0; i < count; ++i) {
        const double x = stream.normal();
        REQUIRE(std::isfinite(x));
        sum += x;
        squares += x * x;
    }
    CHECK(std::abs(sum / count) < 0.02);            // six standard errors
    CHECK(std::abs(squares / count - 1.0) < 0.03);  // likewise
}

TEST_CASE("names hash as FNV-1a") {
    CHECK(hash_name("", 0) == 0x811c9dc5u);
    CHECK(hash_name("a", 1) == 0xe40c292cu);
    CHECK(hash_name("foobar", 6) == 0xbf9cf968u);
}
