// The registry of pretrained weights that `cambium fetch NAME` can get and `--weights NAME` means.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cambium {

struct KnownWeights {
    std::string_view name;          // "resnet50"
    std::string_view architecture;  // its preprocessing and classes are those of these weights
    std::string_view address;       // https
    std::int64_t bytes = 0;
    std::string_view sha256;    // 64 hexadecimal digits
    double top1 = 0, top5 = 0;  // published accuracy on the data set's test images, as fractions; 0 where not published
    std::string_view measured_on;  // "ImageNet-1k validation, single crop"
    std::string_view source;       // who published them, and under which licence

    std::string_view file_name() const { return address.substr(address.rfind('/') + 1); }
};

std::span<const KnownWeights> known_weights();
const KnownWeights* find_weights(std::string_view name);  // nullptr if there are none of that name
std::string suggest_weights(std::string_view name);       // "did you mean resnet50?" or the list of names

}  // namespace cambium
