#include "models/squeezenet.h"

#include <fmt/format.h>

#include <array>

namespace cambium {
namespace {

Convolution conv(std::int64_t channels, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
    return {.channels = channels,
            .kernel = {kernel, kernel},
            .stride = {stride, stride},
            .padding = {padding, padding},
            .bias = Bias::zero,
            .init = Init::he_uniform_fan_in};
}

// A squeeze layer of 1x1 filters feeds an expand layer of 1x1 and 3x3 filters, half of the output each.
Value fire(Builder& b, int index, Value x, std::int64_t squeeze, std::int64_t expand) {
    const std::string name = fmt::format("features.{}", index);
    x = b.relu(b.convolution(name + ".squeeze", x, conv(squeeze, 1, 1, 0)));
    const std::array halves{b.relu(b.convolution(name + ".expand1x1", x, conv(expand, 1, 1, 0))),
                            b.relu(b.convolution(name + ".expand3x3", x, conv(expand, 3, 1, 1)))};
    return concat(halves, 3);
}

Value pool(Value x) { return max_pool2d(x, {.kernel = {3, 3}, .stride = {2, 2}, .rounding = ops::Rounding::ceil}); }

}  // namespace

void squeezenet1_1(Builder& b, Value x) {
    x = pool(b.relu(b.convolution("features.0", x, conv(64, 3, 2, 0))));
    b.tap("stem", x);
    x = fire(b, 3, x, 16, 64);
    x = pool(fire(b, 4, x, 16, 64));
    x = fire(b, 6, x, 32, 128);
    b.tap("fire4", x);
    x = pool(fire(b, 7, x, 32, 128));
    x = fire(b, 9, x, 48, 192);
    x = fire(b, 10, x, 48, 192);
    x = fire(b, 11, x, 64, 256);
    b.tap("fire8", x);
    x = fire(b, 12, x, 64, 256);
    b.tap("features", x);
}

Value squeezenet_head(Builder& b, Value features) {
    Value x = b.dropout("classifier.0", features, 0.5, "classifier.1");
    Convolution attributes = conv(b.classes(), 1, 1, 0);
    attributes.init = Init::normal_001;
    return global_avg_pool2d(b.relu(b.convolution("classifier.1", x, attributes)));
}

}  // namespace cambium
