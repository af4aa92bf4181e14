// The sample as a data set: species x numbers, each drawn from a random sequence of its own.
#include "data/leaves/leaves.h"

#include <fstream>

#include "data/leaves/png.h"
#include "data/leaves/scene.h"
#include "data/leaves/species.h"
#include "engine/base/fail.h"
#include "engine/base/philox.h"

namespace cambium {
namespace {

constexpr std::string_view stream_name = "leaves";

void require(double distance, Size size) {
    if (!(distance >= 0 && distance <= 2)) {
        fail_usage("leaves cannot be drawn at the distance {}: the dial goes from 0 (photos) to 2 (far)", distance);
    }
    for (const int side : {size.width, size.height}) {
        if (side < 16 || side > 4096) {
            fail_usage("leaves cannot be drawn at {} x {} pixels: each side must be from 16 to 4096", size.width,
                       size.height);
        }
    }
}

int first_species(LeafSet set) { return set == LeafSet::source ? 0 : leaves::source_species; }
int species_count(LeafSet set) { return set == LeafSet::source ? leaves::source_species : leaves::target_species; }

constexpr std::string_view folder_of(LeafSplit split) {
    constexpr std::string_view names[] = {"train", "val", "test"};
    return names[static_cast<std::size_t>(split)];
}

}  // namespace

Image draw_leaf(int species, LeafSplit split, std::uint32_t number, std::uint64_t seed, double distance, Size size) {
    require(distance, size);
    const auto all = leaves::all_species();
    if (species < 0 || static_cast<std::size_t>(species) >= all.size()) {
        fail("there is no species {} of leaves: they are numbered 0 to {}", species, all.size() - 1);
    }
    // Splits and species are bits of the index, so no two pictures share a random sequence.
    const std::uint64_t index =
        (static_cast<std::uint64_t>(split) << 48) | (static_cast<std::uint64_t>(species) << 32) | number;
    RandomStream random(seed, hash_name(stream_name.data(), stream_name.size()), index);
    return leaves::draw_scene(all[static_cast<std::size_t>(species)], random, distance, size);
}

LeafSample::LeafSample(LeafDomain domain, LeafCounts counts, std::uint64_t seed, Size size)
    : domain_(domain), counts_(counts), seed_(seed), size_(size) {
    require(domain.distance, size);
    for (const int count : {counts.train, counts.validation, counts.test}) {
        if (count < 0) fail_usage("a sample of leaves cannot have {} pictures of a species", count);
    }
    for (int i = 0; i < species_count(domain.set); ++i) {
        class_names_.emplace_back(leaves::all_species()[static_cast<std::size_t>(first_species(domain.set) + i)].name);
    }
}

LeafSample LeafSample::source(std::uint64_t seed) {
    return LeafSample({LeafSet::source, 0.0}, {.train = 500, .validation = 50, .test = 50}, seed);
}

LeafSample LeafSample::target(std::uint64_t seed) {
    return LeafSample({LeafSet::target, 0.3}, {.train = 20, .validation = 20, .test = 50}, seed);
}

int LeafSample::per_class(LeafSplit split) const {
    switch (split) {
        case LeafSplit::train:
            return counts_.train;
        case LeafSplit::validation:
            return counts_.validation;
        case LeafSplit::test:
            return counts_.test;
    }
    return 0;
}

std::int64_t LeafSample::count(LeafSplit split) const {
    return std::int64_t{per_class(split)} * species_count(domain_.set);
}

int LeafSample::label(LeafSplit split, std::int64_t index) const {
    if (index < 0 || index >= count(split)) {
        fail("the sample of leaves has no {} picture {}: there are {}", folder_of(split), index, count(split));
    }
    return static_cast<int>(index % species_count(domain_.set));
}

Image LeafSample::draw(LeafSplit split, std::int64_t index) const {
    const int species = first_species(domain_.set) + label(split, index);
    const auto number = static_cast<std::uint32_t>(index / species_count(domain_.set));
    return draw_leaf(species, split, number, seed_, domain_.distance, size_);
}

void LeafSample::write(const std::filesystem::path& folder) const {
    for (const LeafSplit split : {LeafSplit::train, LeafSplit::validation, LeafSplit::test}) {
        for (std::int64_t index = 0; index < count(split); ++index) {
            const std::string& name = class_names_[static_cast<std::size_t>(label(split, index))];
            const std::filesystem::path place = folder / folder_of(split) / name;
            const std::filesystem::path path = place / fmt::format("{:04}.png", index / species_count(domain_.set));
            std::error_code error;
            std::filesystem::create_directories(place, error);
            if (error) fail("cannot make the folder {} for the sample of leaves: {}", place.string(), error.message());
            const std::vector<std::byte> bytes = encode_png(draw(split, index));
            std::ofstream file(path, std::ios::binary);
            file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
            if (!file.flush()) fail("cannot write {}: is the disk full, or the folder read-only?", path.string());
        }
    }
}

}  // namespace cambium
