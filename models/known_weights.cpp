#include "models/known_weights.h"

#include <vector>

#include "models/nearest.h"

namespace cambium {
namespace {

constexpr std::string_view imagenet = "ImageNet-1k validation, single crop";
constexpr std::string_view cifar10 = "CIFAR-10 test";
constexpr std::string_view torchvision = "torchvision, IMAGENET1K_V1, BSD-3-Clause";
constexpr std::string_view akamaster = "akamaster/pytorch_resnet_cifar10, BSD-2-Clause";

// Accuracies: torchvision's documentation ("Table of all available classification weights") and akamaster's README.
constexpr KnownWeights weights[] = {
    {"alexnet", "alexnet", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", 244408911,
     "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02", 0.56522, 0.79066, imagenet, torchvision},
    {"squeezenet1_1", "squeezenet1_1", "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth", 4958839,
     "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b", 0.58178, 0.80624, imagenet, torchvision},
    {"resnet18", "resnet18", "https://download.pytorch.org/models/resnet18-f37072fd.pth", 46830571,
     "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec", 0.69758, 0.89078, imagenet, torchvision},
    {"resnet34", "resnet34", "https://download.pytorch.org/models/resnet34-b627a593.pth", 87319819,
     "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f", 0.73314, 0.91420, imagenet, torchvision},
    {"resnet50", "resnet50", "https://download.pytorch.org/models/resnet50-0676ba61.pth", 102530333,
     "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a", 0.76130, 0.92862, imagenet, torchvision},
    {"resnet101", "resnet101", "https://download.pytorch.org/models/resnet101-63fe2227.pth", 178793939,
     "63fe2227b86e8f1f2063f43a75c84d195911b6a0eace650907dd3dc62dd49a0a", 0.77374, 0.93546, imagenet, torchvision},
    {"resnet152", "resnet152", "https://download.pytorch.org/models/resnet152-394f9c45.pth", 241627721,
     "394f9c45966e3651a89bbb78a48410a6755854ce4a5ab64927cf1c7247f85e58", 0.78312, 0.94046, imagenet, torchvision},
    {"vit_b_16", "vit_b_16", "https://download.pytorch.org/models/vit_b_16-c867db91.pth", 346328529,
     "c867db91d3e12c6cbadabb610d73c24a546bf82d8c03a9fea34f43a712ddb0e9", 0.81072, 0.95318, imagenet, torchvision},
    {"resnet20_cifar", "resnet20_cifar",
     "https://raw.githubusercontent.com/akamaster/pytorch_resnet_cifar10/master/pretrained_models/resnet20-12fca82f.th",
     1099231, "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8", 0.9173, 0, cifar10, akamaster},
    {"resnet56_cifar", "resnet56_cifar",
     "https://raw.githubusercontent.com/akamaster/pytorch_resnet_cifar10/master/pretrained_models/resnet56-4bfd9763.th",
     3471733, "4bfd97631478d6b638d2764fd2baff3edb1d7d82252d54439343b6596b9b5367", 0.9339, 0, cifar10, akamaster},
};

}  // namespace

std::span<const KnownWeights> known_weights() { return weights; }

const KnownWeights* find_weights(std::string_view name) {
    for (const KnownWeights& known : weights) {
        if (known.name == name) return &known;
    }
    return nullptr;
}

std::string suggest_weights(std::string_view name) {
    std::vector<std::string_view> names;
    for (const KnownWeights& known : weights) names.push_back(known.name);
    return did_you_mean(name, names);
}

}  // namespace cambium
