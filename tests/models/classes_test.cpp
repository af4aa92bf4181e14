#include "models/classes.h"

#include <doctest/doctest.h>

#include <set>

#include "models/known_weights.h"

namespace cambium {

TEST_CASE("the table of ImageNet classes has its thousand rows in index order") {
    const auto classes = imagenet_classes();
    REQUIRE(classes.size() == 1000);
    CHECK(classes[0].wordnet_id == "n01440764");
    CHECK(classes[0].name == "tench");
    CHECK(classes[9].wordnet_name == "ostrich");
    CHECK(classes[296].wordnet_name == "ice_bear");
    CHECK(classes[296].name == "polar bear");
    CHECK(classes[999].wordnet_id == "n15075141");
    std::set<std::string_view> ids, names;
    for (const ImageNetClass& c : classes) {
        ids.insert(c.wordnet_id);
        names.insert(c.name);
    }
    CHECK(ids.size() == 1000);
    CHECK(names.size() == 1000);
}

TEST_CASE("folders are matched by WordNet id, by either name, or by both") {
    const std::vector<std::string> names = class_names(ClassSet::imagenet);
    const auto find = [&](std::string_view folder) {
        return find_class(folder, names, ClassSet::imagenet).value_or(-1);
    };
    for (const char* folder : {"n01440764", "n01440764_tench", "n01440764-carp", "tench", "Tench"}) {
        CHECK_MESSAGE(find(folder) == 0, folder);
    }
    CHECK(find("n00000000") == -1);
    CHECK(find("ice_bear") == 296);
    CHECK(find("Polar Bear") == 296);
    CHECK(find("crane") == -1);  // the bird or the machine
    CHECK(find("n03126707_crane") == 517);
    CHECK(find("crane (machine)") == 517);
    CHECK(find("my cat") == -1);
}

TEST_CASE("a network's own classes are matched by name; two that differ only in case stay apart") {
    const std::vector<std::string> own{"Ants", "ants", "big_bees"};
    CHECK(find_class("ants", own, ClassSet::none) == 1);
    CHECK(find_class("Ants", own, ClassSet::none) == 0);
    CHECK_FALSE(find_class("ANTS", own, ClassSet::none));
    CHECK(find_class("big bees", own, ClassSet::none) == 2);
    CHECK_FALSE(find_class("n01440764", own, ClassSet::none));
    CHECK(find_class("truck", class_names(ClassSet::cifar10), ClassSet::cifar10) == 9);
}

TEST_CASE("known weights name an architecture, a whole digest and an address") {
    for (const KnownWeights& known : known_weights()) {
        CAPTURE(std::string(known.name));
        CHECK(architecture(known.architecture).class_set != ClassSet::none);
        CHECK(known.sha256.size() == 64);
        CHECK(known.address.starts_with("https://"));
        // torchvision and akamaster put the first digits of the digest into the name.
        CHECK(known.file_name().find(known.sha256.substr(0, 8)) != std::string_view::npos);
        CHECK(known.bytes > 0);
        CHECK(find_weights(known.name) == &known);
    }
    CHECK(find_weights("resnet5") == nullptr);
    CHECK(suggest_weights("resnet51") == "did you mean resnet50?");
}

}  // namespace cambium
