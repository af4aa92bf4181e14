// Class lists of published weights, and which of their classes a folder of photos means: people name folders by WordNet
// id
// ("n01440764"), by name ("tench"), or both ("n01440764_tench").
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/architectures.h"

namespace cambium {

// ImageNet-1k in index order: the names of "simple ImageNet labels", unique and lower case except for proper names.
struct ImageNetClass {
    std::string_view wordnet_id;    // "n01440764"
    std::string_view wordnet_name;  // "tench"; as in the folders of the training set, blanks as "_"
    std::string_view name;          // "tench"
};
std::span<const ImageNetClass> imagenet_classes();

// Names of the classes in index order; empty for ClassSet::none.
std::vector<std::string> class_names(ClassSet set);

// The index that `folder` means among `names`, which are those of `set` or, with ClassSet::none, a network's own.
// Letter case, "_", "-" and blanks do not matter. Nothing if no class or, as for the two cranes, more than one bears
// the name.
std::optional<std::int64_t> find_class(std::string_view folder, std::span<const std::string> names, ClassSet set);

}  // namespace cambium
