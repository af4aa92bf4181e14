// The sample as a data set: the same bits everywhere, no picture twice, and a dial that does what it says.
#include "data/leaves/leaves.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "data/images/decode.h"
#include "engine/base/error.h"
#include "engine/base/parallel.h"

using namespace cambium;

namespace {

// FNV-1a with 64 bits.
std::uint64_t hash_of(const Image& image) {
    std::uint64_t hash = 14695981039346656037u;
    for (const std::uint8_t byte : image.pixels()) hash = (hash ^ byte) * 1099511628211u;
    return hash;
}

// Mean absolute difference, in grey levels.
double difference(const Image& a, const Image& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.pixels().size(); ++i) sum += std::abs(a.pixels()[i] - b.pixels()[i]);
    return sum / static_cast<double>(a.pixels().size());
}

Image plain(int species, std::uint32_t number, double distance) {
    return draw_leaf(species, LeafSplit::train, number, 0, distance, {64, 64});
}

}  // namespace

// The bits are promised for every machine; these were taken from an AVX-512 machine, GCC 12, -O2.
TEST_CASE("pictures have the bits they were released with") {
    CHECK(hash_of(plain(0, 0, 0.0)) == 12511484490052347733u);
    CHECK(hash_of(plain(5, 1, 0.0)) == 15214891676216913877u);
    CHECK(hash_of(plain(19, 2, 0.3)) == 12283602993736164853u);
    CHECK(hash_of(plain(24, 3, 1.0)) == 12162424304451416660u);
    CHECK(hash_of(plain(29, 4, 1.6)) == 8127230289546725910u);
    CHECK(hash_of(draw_leaf(21, LeafSplit::test, 7, 0x123456789abcdef0u, 0.0, {100, 75})) == 7388694095887766731u);
}

TEST_CASE("a picture depends neither on threads nor on order") {
    const LeafSample sample({LeafSet::source, 0.5}, {.train = 2}, 9, {32, 32});
    std::vector<std::uint64_t> forwards, threaded(48);
    for (std::int64_t i = 0; i < 48; ++i) forwards.push_back(hash_of(sample.draw(LeafSplit::train, i)));
    parallel_for(48, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = end; i-- > begin;) {
            threaded[static_cast<std::size_t>(i)] = hash_of(sample.draw(LeafSplit::train, i));
        }
    });
    CHECK(threaded == forwards);
}

TEST_CASE("no picture occurs twice, within a split, across splits, species or seeds") {
    std::set<std::uint64_t> hashes;
    std::size_t drawn = 0;
    for (const std::uint64_t seed : {0u, 1u}) {
        for (const LeafSet set : {LeafSet::source, LeafSet::target}) {
            const LeafSample sample({set, 0.0}, {.train = 3, .validation = 3, .test = 3}, seed, {32, 32});
            for (const LeafSplit split : {LeafSplit::train, LeafSplit::validation, LeafSplit::test}) {
                for (std::int64_t i = 0; i < sample.count(split); ++i, ++drawn) {
                    hashes.insert(hash_of(sample.draw(split, i)));
                }
            }
        }
    }
    CHECK(hashes.size() == drawn);
}

TEST_CASE("source and target share no species") {
    const LeafSample source = LeafSample::source(), target = LeafSample::target();
    CHECK(source.class_names().size() == 24);
    CHECK(target.class_names().size() == 6);
    for (const std::string& name : target.class_names()) CHECK(std::ranges::count(source.class_names(), name) == 0);
}

TEST_CASE("classes are balanced and labels name the species that is drawn") {
    const LeafSample sample({LeafSet::target, 0.2}, {.train = 4, .validation = 1, .test = 2}, 3);
    CHECK(sample.count(LeafSplit::train) == 24);
    CHECK(sample.count(LeafSplit::validation) == 6);
    std::array<int, 6> counts{};
    for (std::int64_t i = 0; i < 24; ++i) ++counts[static_cast<std::size_t>(sample.label(LeafSplit::train, i))];
    CHECK(counts == std::array<int, 6>{4, 4, 4, 4, 4, 4});
    const Image direct = draw_leaf(24 + sample.label(LeafSplit::test, 8), LeafSplit::test, 8 / 6, 3, 0.2, {64, 64});
    CHECK(hash_of(sample.draw(LeafSplit::test, 8)) == hash_of(direct));
}

TEST_CASE("any two species differ, drawn alike") {
    std::vector<Image> drawings;
    for (int species = 0; species < 30; ++species) drawings.push_back(plain(species, 0, 1.0));
    double least = 255;
    for (std::size_t a = 0; a < drawings.size(); ++a) {
        for (std::size_t b = 0; b < a; ++b) least = std::min(least, difference(drawings[a], drawings[b]));
    }
    CHECK(least > 3.0);  // of 255: about one pixel in seventy from white to black
}

TEST_CASE("the near half of the dial leads from the photo, in proportion") {
    for (int species = 0; species < 30; species += 3) {
        const Image photo = plain(species, 0, 0.0);
        const double whole = difference(plain(species, 0, 1.0), photo);
        CHECK(whole > 25);
        for (const double distance : {0.1, 0.25, 0.5, 0.75, 0.9}) {
            // Each channel is rounded to a grey level, hence half a level of tolerance.
            CHECK(difference(plain(species, 0, distance), photo) ==
                  doctest::Approx(distance * whole).epsilon(0.5 / whole));
        }
    }
}

TEST_CASE("the far half of the dial leads on from the drawing") {
    for (int species = 0; species < 30; species += 3) {
        const Image drawing = plain(species, 0, 1.0);
        double before = 0;
        for (const double distance : {1.1, 1.25, 1.5, 1.75, 2.0}) {
            const double now = difference(plain(species, 0, distance), drawing);
            CHECK(now > before);
            before = now;
        }
    }
}

TEST_CASE("pictures of any size and shape are drawn") {
    for (const Size size : {Size{16, 16}, Size{17, 200}, Size{224, 224}}) {
        const Image image = draw_leaf(7, LeafSplit::train, 0, 0, 0.5, size);
        CHECK(image.size() == size);
    }
}

TEST_CASE("impossible wishes are refused") {
    CHECK_THROWS_WITH_AS(plain(30, 0, 0.0), "there is no species 30 of leaves: they are numbered 0 to 29", Error);
    CHECK_THROWS_AS(plain(-1, 0, 0.0), Error);
    CHECK_THROWS_AS(plain(0, 0, 2.5), UsageError);
    CHECK_THROWS_AS(plain(0, 0, std::nan("")), UsageError);
    CHECK_THROWS_AS(draw_leaf(0, LeafSplit::train, 0, 0, 0, {8, 64}), UsageError);
    CHECK_THROWS_AS(LeafSample({}, {.train = -1}), UsageError);
    const LeafSample sample({}, {.train = 1});
    CHECK_THROWS_AS(sample.draw(LeafSplit::train, 24), Error);
    CHECK_THROWS_AS(sample.draw(LeafSplit::test, 0), Error);
}

TEST_CASE("a written sample is an image folder that reads back to the same pixels") {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / "cambium_leaves_test";
    std::filesystem::remove_all(folder);
    const LeafSample sample({LeafSet::target, 0.0}, {.train = 2, .test = 1}, 5, {48, 32});
    sample.write(folder);
    for (const LeafSplit split : {LeafSplit::train, LeafSplit::test}) {
        for (std::int64_t i = 0; i < sample.count(split); ++i) {
            const std::string& name = sample.class_names()[static_cast<std::size_t>(sample.label(split, i))];
            const std::string file = "000" + std::to_string(i / 6) + ".png";
            const Image read = decode(folder / (split == LeafSplit::train ? "train" : "test") / name / file);
            CHECK(hash_of(read) == hash_of(sample.draw(split, i)));
        }
    }
    CHECK_FALSE(std::filesystem::exists(folder / "val"));
    std::filesystem::remove_all(folder);

    std::ofstream(folder).put('x');  // a file where the folder should be
    CHECK_THROWS_AS(sample.write(folder), Error);
    std::filesystem::remove(folder);
}
