// Source: a network as it stands in a file, with everything needed to use it: architecture, classes, preprocessing. A
// run's model.safetensors carries the three in its metadata; published weights get them from the registry of
// architectures.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/formats/weights.h"
#include "data/images/preprocessing.h"
#include "models/architectures.h"
#include "models/classes.h"

namespace cambium {

// Keys of a file's metadata.
inline constexpr const char* architecture_key = "cambium.architecture";    // "resnet50"
inline constexpr const char* classes_key = "cambium.classes";              // JSON array of names in index order
inline constexpr const char* preprocessing_key = "cambium.preprocessing";  // JSON object, to_json() below

struct Source {
    WeightsFile weights;
    const Architecture* architecture = nullptr;
    Preprocessing preprocessing;
    std::vector<std::string> classes;  // in index order, as many as the head has outputs
    // Which published classes these are; none where the network has classes of its own.
    ClassSet class_set = ClassSet::none;
    std::vector<std::string> notes;  // what a person should know: what was guessed, what the file said
};

// `path` is a weights file, or a run's folder, which holds model.safetensors. `model` names the architecture; it may be
// empty where the file's metadata say it or its tensors fit only one. Throws Error: no such file, an unreadable one,
// metadata that contradict the tensors; UsageError: an unknown model, one that contradicts the file, or none where one
// is needed.
Source open_source(const std::filesystem::path& path, std::string_view model);

// The metadata that make a weights file a source.
Metadata source_metadata(const Architecture& architecture, const std::vector<std::string>& classes,
                         const Preprocessing& preprocessing);

// {"resize": 256, "crop": 224, "interpolation": "bilinear", "mean": [...], "std": [...], "scale": "unit", "order":
// "rgb"}
std::string to_json(const Preprocessing& preprocessing);
Preprocessing preprocessing_from_json(std::string_view text);  // throws Error naming the field

}  // namespace cambium
