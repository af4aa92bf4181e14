// The architectures Cambium knows, by name: how to build each and how it wants its photos. To add one: its function in
// a file of its own, and a row in architectures.cpp.
#pragma once

#include <span>
#include <string_view>

#include "data/images/preprocessing.h"
#include "models/network.h"

namespace cambium {

// The classes that an architecture's published weights tell apart (classes.h).
enum class ClassSet : std::uint8_t { none, imagenet, cifar10 };

// A part of names that torchvision has changed: older files have `former` where `now` stands.
struct Renaming {
    std::string_view former, now;
};

struct Architecture {
    std::string_view name;  // "resnet50"
    std::string_view paper;
    void (*backbone)(Builder& b, Value x);  // x f32 [N, H, W, 3], normalised; taps "features" at its end
    Value (*head)(Builder& b, Value features);
    std::string_view head_name;  // "fc": its parameters are fc.weight and fc.bias
    ClassSet class_set = ClassSet::none;
    std::int64_t classes = 0;       // in published weights
    Preprocessing preprocessing{};  // of published weights
    std::span<const Renaming> renamings{};
};

std::span<const Architecture> architectures();
const Architecture& architecture(std::string_view name);  // throws UsageError naming the nearest
bool in_head(const Architecture& architecture, std::string_view parameter);

// u8 images [batch, crop, crop, 3] named "images", normalised as `preprocessing` says: f32 [batch, crop, crop, 3].
Value image_input(Graph& graph, std::int64_t batch, const Preprocessing& preprocessing);
ops::Normalize normalization(const Preprocessing& preprocessing);

// The whole network on normalised images.
Network build_network(const Architecture& architecture, Value images, NetworkOptions options = {});
// Its head alone on features that were computed before.
Value build_head(const Architecture& architecture, Value features, NetworkOptions options = {});

}  // namespace cambium
