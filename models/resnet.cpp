#include "models/resnet.h"

#include <fmt/format.h>

namespace cambium {
namespace {

struct Stage {
    std::string name;
    std::int64_t width = 0;
    int blocks = 1;
    std::int64_t stride = 1;  // of its first block
};

ops::Pair square(std::int64_t side) { return {side, side}; }

Convolution conv1x1(std::int64_t channels, std::int64_t stride = 1) {
    return {.channels = channels, .kernel = square(1), .stride = square(stride)};
}

Convolution conv3x3(std::int64_t channels, std::int64_t stride = 1, Init init = Init::he_normal_fan_out) {
    return {.channels = channels, .kernel = square(3), .stride = square(stride), .padding = square(1), .init = init};
}

// The identity, or a 1x1 convolution where the block changes size or width ("option B").
Value projection(Builder& b, const std::string& name, Value x, std::int64_t channels, std::int64_t stride,
                 double epsilon) {
    if (stride == 1 && x.shape()[3] == channels) return x;
    x = b.convolution(name + ".downsample.0", x, conv1x1(channels, stride));
    return b.batch_norm(name + ".downsample.1", x, epsilon);
}

Value basic_block(Builder& b, const std::string& name, Value x, std::int64_t width, std::int64_t stride,
                  const ResNet& config) {
    Value y = b.convolution(name + ".conv1", x, conv3x3(width, stride));
    y = b.relu(b.batch_norm(name + ".bn1", y, config.epsilon));
    y = b.convolution(name + ".conv2", y, conv3x3(width));
    y = b.batch_norm(name + ".bn2", y, config.epsilon);
    return b.relu(add(y, projection(b, name, x, width, stride, config.epsilon)));
}

Value bottleneck(Builder& b, const std::string& name, Value x, std::int64_t width, std::int64_t stride,
                 const ResNet& config) {
    const bool first = config.stride == ResNet::Stride::in_first_1x1;
    Value y = b.convolution(name + ".conv1", x, conv1x1(width, first ? stride : 1));
    y = b.relu(b.batch_norm(name + ".bn1", y, config.epsilon));
    y = b.convolution(name + ".conv2", y, conv3x3(width, first ? 1 : stride));
    y = b.relu(b.batch_norm(name + ".bn2", y, config.epsilon));
    y = b.convolution(name + ".conv3", y, conv1x1(4 * width));
    y = b.batch_norm(name + ".bn3", y, config.epsilon);
    return b.relu(add(y, projection(b, name, x, 4 * width, stride, config.epsilon)));
}

Value stage(Builder& b, Value x, const Stage& stage, const ResNet& config) {
    for (int i = 0; i < stage.blocks; ++i) {
        const std::string name = fmt::format("{}.{}", stage.name, i);
        const std::int64_t stride = i == 0 ? stage.stride : 1;
        x = config.block == ResNet::Block::basic ? basic_block(b, name, x, stage.width, stride, config)
                                                 : bottleneck(b, name, x, stage.width, stride, config);
    }
    b.tap(stage.name, x);
    return x;
}

// "Option A" of section 3.3: every second pixel, and zeros for the new channels, half of them on either side.
Value parameterless_shortcut(Value x, std::int64_t channels) {
    const Shape s = x.shape();
    const std::int64_t zeros = (channels - s[3]) / 2;
    if (zeros == 0) return x;
    x = slice(x, {.begin = {0, 0, 0, 0}, .end = {s[0], s[1], s[2], s[3]}, .step = {1, 2, 2, 1}});
    return pad(x, {.before = {0, 0, 0, zeros}, .after = {0, 0, 0, zeros}, .step = {1, 1, 1, 1}});
}

Value cifar_block(Builder& b, const std::string& name, Value x, std::int64_t width, std::int64_t stride) {
    Value y = b.convolution(name + ".conv1", x, conv3x3(width, stride, Init::he_normal_fan_in));
    y = b.relu(b.batch_norm(name + ".bn1", y));
    y = b.convolution(name + ".conv2", y, conv3x3(width, 1, Init::he_normal_fan_in));
    y = b.batch_norm(name + ".bn2", y);
    return b.relu(add(y, parameterless_shortcut(x, width)));
}

}  // namespace

void resnet(Builder& b, Value x, const ResNet& config) {
    x = b.convolution("conv1", x, {.channels = 64, .kernel = square(7), .stride = square(2), .padding = square(3)});
    x = b.relu(b.batch_norm("bn1", x, config.epsilon));
    b.graph().label("maxpool");
    x = max_pool2d(x, {.kernel = square(3), .stride = square(2), .padding = square(1)});
    b.tap("stem", x);
    x = stage(b, x, {.name = "layer1", .width = 64, .blocks = config.blocks[0], .stride = 1}, config);
    x = stage(b, x, {.name = "layer2", .width = 128, .blocks = config.blocks[1], .stride = 2}, config);
    x = stage(b, x, {.name = "layer3", .width = 256, .blocks = config.blocks[2], .stride = 2}, config);
    x = stage(b, x, {.name = "layer4", .width = 512, .blocks = config.blocks[3], .stride = 2}, config);
    b.graph().label("avgpool");
    b.tap("features", global_avg_pool2d(x));
}

Value resnet_head(Builder& b, Value features) { return b.dense("fc", features, {.outputs = b.classes()}); }

void resnet_cifar(Builder& b, Value x, int n) {
    x = b.convolution("conv1", x, conv3x3(16, 1, Init::he_normal_fan_in));
    x = b.relu(b.batch_norm("bn1", x));
    b.tap("stem", x);
    for (const Stage& stage : {Stage{"layer1", 16, n, 1}, Stage{"layer2", 32, n, 2}, Stage{"layer3", 64, n, 2}}) {
        for (int i = 0; i < stage.blocks; ++i) {
            x = cifar_block(b, fmt::format("{}.{}", stage.name, i), x, stage.width, i == 0 ? stage.stride : 1);
        }
        b.tap(stage.name, x);
    }
    b.graph().label("avgpool");
    b.tap("features", global_avg_pool2d(x));
}

Value resnet_cifar_head(Builder& b, Value features) {
    return b.dense("linear", features, {.outputs = b.classes(), .init = Init::he_normal_fan_in});
}

void leafnet(Builder& b, Value x) {
    const ResNet config{.block = ResNet::Block::basic};
    x = b.convolution("conv1", x, conv3x3(16, 2));
    x = b.relu(b.batch_norm("bn1", x));
    b.tap("stem", x);
    x = stage(b, x, {.name = "layer1", .width = 16, .blocks = 2, .stride = 1}, config);
    x = stage(b, x, {.name = "layer2", .width = 32, .blocks = 2, .stride = 2}, config);
    x = stage(b, x, {.name = "layer3", .width = 64, .blocks = 2, .stride = 2}, config);
    b.graph().label("avgpool");
    b.tap("features", global_avg_pool2d(x));
}

}  // namespace cambium
