#include "models/alexnet.h"

#include <fmt/format.h>

namespace cambium {
namespace {

Value conv_relu(Builder& b, int index, Value x, std::int64_t channels, std::int64_t kernel, std::int64_t stride,
                std::int64_t padding) {
    return b.relu(b.convolution(fmt::format("features.{}", index), x,
                                {.channels = channels,
                                 .kernel = {kernel, kernel},
                                 .stride = {stride, stride},
                                 .padding = {padding, padding},
                                 .bias = Bias::pytorch,
                                 .init = Init::pytorch}));
}

Value pool(Value x) { return max_pool2d(x, {.kernel = {3, 3}, .stride = {2, 2}}); }

}  // namespace

void alexnet(Builder& b, Value x) {
    x = pool(conv_relu(b, 0, x, 64, 11, 4, 2));
    b.tap("stem", x);
    x = pool(conv_relu(b, 3, x, 192, 5, 1, 2));
    x = conv_relu(b, 6, x, 384, 3, 1, 1);
    x = conv_relu(b, 8, x, 256, 3, 1, 1);
    x = conv_relu(b, 10, x, 256, 3, 1, 1);
    b.tap("conv5", x);
    x = adaptive_avg_pool2d(pool(x), {6, 6});
    b.tap("pool5", x);
    x = b.dropout("classifier.0", flatten(x), 0.5, "classifier.1");
    // The file's columns follow torch.flatten of [N, C, H, W].
    x = b.relu(b.dense("classifier.1", x,
                       {.outputs = 4096,
                        .layout = {.kind = FileLayout::Kind::chw_columns, .channels = 256, .height = 6, .width = 6}}));
    x = b.dropout("classifier.3", x, 0.5, "classifier.4");
    x = b.relu(b.dense("classifier.4", x, {.outputs = 4096}));
    b.tap("features", x);
}

Value alexnet_head(Builder& b, Value features) { return b.dense("classifier.6", features, {.outputs = b.classes()}); }

}  // namespace cambium
