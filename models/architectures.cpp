#include "models/architectures.h"

#include <vector>

#include "engine/base/fail.h"
#include "models/alexnet.h"
#include "models/nearest.h"
#include "models/resnet.h"
#include "models/squeezenet.h"
#include "models/vit.h"

namespace cambium {
namespace {

using Block = ResNet::Block;

constexpr std::string_view resnet_paper = "He et al. 2016, Deep Residual Learning for Image Recognition";
constexpr std::string_view alexnet_paper =
    "Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks";
constexpr std::string_view squeezenet_paper =
    "Iandola et al. 2016, SqueezeNet: AlexNet-level accuracy with 50x fewer parameters";

constexpr std::string_view vit_paper =
    "Dosovitskiy et al. 2021, An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale";

// torchvision's block of two linear layers had names of its own before version 0.14.
constexpr Renaming vit_renamings[] = {{".mlp.linear_1.", ".mlp.0."}, {".mlp.linear_2.", ".mlp.3."}};

// Blue, green, red in 0..255 minus the mean of the training images.
constexpr Preprocessing caffe{
    .mean = {103.939f, 116.779f, 123.68f}, .std = {1, 1, 1}, .scale = PixelScale::byte, .order = ChannelOrder::bgr};
constexpr Preprocessing cifar{.resize = 0, .crop = 32};
constexpr Preprocessing leaves{.resize = 64, .crop = 64};

template <Block block, int b1, int b2, int b3, int b4>
void imagenet_resnet(Builder& b, Value x) {
    resnet(b, x, {.block = block, .blocks = {b1, b2, b3, b4}});
}

void caffe_resnet50(Builder& b, Value x) {
    resnet(
        b, x,
        {.block = Block::bottleneck, .blocks = {3, 4, 6, 3}, .stride = ResNet::Stride::in_first_1x1, .epsilon = 1e-3});
}

template <int n>
void cifar_resnet(Builder& b, Value x) {
    resnet_cifar(b, x, n);
}

constexpr Architecture imagenet(std::string_view name, std::string_view paper, void (*backbone)(Builder&, Value),
                                Value (*head)(Builder&, Value), std::string_view head_name,
                                const Preprocessing& preprocessing = {}) {
    return {.name = name,
            .paper = paper,
            .backbone = backbone,
            .head = head,
            .head_name = head_name,
            .class_set = ClassSet::imagenet,
            .classes = 1000,
            .preprocessing = preprocessing};
}

constexpr Architecture imagenet_resnet(std::string_view name, void (*backbone)(Builder&, Value),
                                       const Preprocessing& preprocessing = {}) {
    return imagenet(name, resnet_paper, backbone, resnet_head, "fc", preprocessing);
}

constexpr Architecture cifar_resnet(std::string_view name, void (*backbone)(Builder&, Value)) {
    return {.name = name,
            .paper = resnet_paper,
            .backbone = backbone,
            .head = resnet_cifar_head,
            .head_name = "linear",
            .class_set = ClassSet::cifar10,
            .classes = 10,
            .preprocessing = cifar};
}

constexpr Architecture known[] = {
    imagenet("alexnet", alexnet_paper, alexnet, alexnet_head, "classifier.6"),
    imagenet("squeezenet1_1", squeezenet_paper, squeezenet1_1, squeezenet_head, "classifier.1"),
    imagenet_resnet("resnet18", imagenet_resnet<Block::basic, 2, 2, 2, 2>),
    imagenet_resnet("resnet34", imagenet_resnet<Block::basic, 3, 4, 6, 3>),
    imagenet_resnet("resnet50", imagenet_resnet<Block::bottleneck, 3, 4, 6, 3>),
    imagenet_resnet("resnet101", imagenet_resnet<Block::bottleneck, 3, 4, 23, 3>),
    imagenet_resnet("resnet152", imagenet_resnet<Block::bottleneck, 3, 8, 36, 3>),
    imagenet_resnet("resnet50_caffe", caffe_resnet50, caffe),
    cifar_resnet("resnet20_cifar", cifar_resnet<3>),
    cifar_resnet("resnet56_cifar", cifar_resnet<9>),
    {.name = "vit_b_16",
     .paper = vit_paper,
     .backbone = vit_b_16,
     .head = vit_head,
     .head_name = "heads.head",
     .class_set = ClassSet::imagenet,
     .classes = 1000,
     .renamings = vit_renamings},
    {.name = "leafnet",
     .paper = "a small residual network for the built-in sample",
     .backbone = leafnet,
     .head = resnet_head,
     .head_name = "fc",
     .classes = 0,
     .preprocessing = leaves},
};

NetworkOptions with_classes(const Architecture& architecture, NetworkOptions options) {
    if (options.classes == 0) options.classes = architecture.classes;
    if (options.classes < 1) fail("{} has no head of its own; say how many classes it is to have", architecture.name);
    return options;
}

}  // namespace

std::span<const Architecture> architectures() { return known; }

const Architecture& architecture(std::string_view name) {
    std::vector<std::string_view> names;
    for (const Architecture& candidate : known) {
        if (candidate.name == name) return candidate;
        names.push_back(candidate.name);
    }
    fail_usage("there is no model '{}'; {}", name, did_you_mean(name, names));
}

bool in_head(const Architecture& architecture, std::string_view parameter) {
    const std::size_t size = architecture.head_name.size();
    return parameter.starts_with(architecture.head_name) && parameter.size() > size && parameter[size] == '.';
}

ops::Normalize normalization(const Preprocessing& preprocessing) {
    ops::Normalize result;
    const double unit = preprocessing.scale == PixelScale::unit ? 255 : 1;
    for (std::size_t c = 0; c < 3; ++c) {
        const double mean = static_cast<double>(preprocessing.mean[c]), std = static_cast<double>(preprocessing.std[c]);
        result.scale[c] = static_cast<float>(1 / (unit * std));
        result.shift[c] = static_cast<float>(-mean / std);
    }
    result.order = preprocessing.order == ChannelOrder::rgb ? ops::ChannelOrder::rgb : ops::ChannelOrder::bgr;
    return result;
}

Value image_input(Graph& graph, std::int64_t batch, const Preprocessing& preprocessing) {
    const std::int64_t side = preprocessing.crop;
    return normalize(graph.input("images", {batch, side, side, 3}, DType::u8), normalization(preprocessing));
}

Network build_network(const Architecture& architecture, Value images, NetworkOptions options) {
    Builder b(*images.graph, with_classes(architecture, std::move(options)));
    architecture.backbone(b, images);
    return b.finish(architecture.head(b, b.last_tap()));
}

Value build_head(const Architecture& architecture, Value features, NetworkOptions options) {
    Builder b(*features.graph, with_classes(architecture, std::move(options)));
    return architecture.head(b, features);
}

}  // namespace cambium
