#include <doctest/doctest.h>

#include <map>

#include "engine/base/error.h"
#include "models/architectures.h"
#include "models/nearest.h"

namespace cambium {
namespace {

std::int64_t parameters(const Graph& graph) {
    std::int64_t total = 0;
    for (const auto& [name, entry] : graph.entries()) {
        if (entry.role == Role::parameter) total += entry.spec.shape.count();
    }
    return total;
}

Network build(Graph& graph, std::string_view name, NetworkOptions options = {}) {
    const Architecture& chosen = architecture(name);
    if (options.classes == 0 && chosen.classes == 0) options.classes = 10;
    return build_network(chosen, image_input(graph, 2, chosen.preprocessing), std::move(options));
}

std::size_t count_nodes(const Graph& graph, std::string_view op) {
    std::size_t count = 0;
    for (const Node& node : graph.nodes()) {
        if (name_of(node.op) == op) ++count;
    }
    return count;
}

}  // namespace

TEST_CASE("every network has as many parameters as torchvision's (num_params), or its paper's") {
    const std::map<std::string, std::int64_t> expected{
        {"alexnet", 61'100'840},     {"squeezenet1_1", 1'235'496},   {"resnet18", 11'689'512},
        {"resnet34", 21'797'672},    {"resnet50", 25'557'032},       {"resnet101", 44'549'160},
        {"resnet152", 60'192'808},   {"resnet50_caffe", 25'557'032}, {"resnet20_cifar", 269'722},
        {"resnet56_cifar", 853'018}, {"vit_b_16", 86'567'656},       {"leafnet", 175'258},
    };
    CHECK(architectures().size() == expected.size());
    for (const auto& [name, count] : expected) {
        CAPTURE(name);
        Graph graph;
        const Network network = build(graph, name);
        CHECK(parameters(graph) == count);
        CHECK(network.logits.shape() == Shape{2, architecture(name).classes == 0 ? 10 : architecture(name).classes});
        CHECK(network.taps.back().name == "logits");
        CHECK(network.tap("features") == network.features);
        CHECK(network.statistics.empty());
    }
}

TEST_CASE("taps of a residual network are its stages") {
    Graph graph;
    const Network network = build(graph, "resnet50");
    CHECK(network.tap("stem").shape() == Shape{2, 56, 56, 64});
    CHECK(network.tap("layer1").shape() == Shape{2, 56, 56, 256});
    CHECK(network.tap("layer4").shape() == Shape{2, 7, 7, 2048});
    CHECK(network.features.shape() == Shape{2, 2048});
    CHECK_THROWS_WITH_AS(network.tap("layer5"), doctest::Contains("layer1, layer2, layer3, layer4"), UsageError);
}

TEST_CASE("the Caffe network halves the image in the first 1x1 convolution of a stage, torchvision's in the 3x3") {
    for (const auto& [name, strided] :
         {std::pair{"resnet50", "layer2.0.conv2"}, {"resnet50_caffe", "layer2.0.conv1"}}) {
        Graph graph;
        build(graph, name);
        for (const Node& node : graph.nodes()) {
            const auto* conv = std::get_if<ops::Conv2d>(&node.op);
            if (conv == nullptr || !node.label.starts_with("layer2.0.conv")) continue;
            CHECK_MESSAGE((conv->stride[0] == 2) == (node.label == strided), name, " ", node.label);
        }
    }
}

TEST_CASE("a vision transformer has a token for each patch and one for the class, at any size of whole patches") {
    const Architecture& vit = architecture("vit_b_16");
    for (const auto& [side, tokens] : {std::pair{224, 197}, {64, 17}}) {
        Graph graph;
        const Value images = graph.input("x", {2, side, side, 3}, DType::f32);
        const Network network = build_network(vit, images, {.mode = Mode::training});
        CHECK(network.tap("stem").shape() == Shape{2, tokens, 768});
        CHECK(network.tap("block12").shape() == Shape{2, tokens, 768});
        CHECK(network.features.shape() == Shape{2, 768});
        CHECK(graph.entries().at("encoder.pos_embedding").spec.shape == Shape{1, tokens, 768});
        CHECK(count_nodes(graph, "attention") == 12);
        CHECK(network.statistics.empty());
    }
    Graph graph;
    const Value images = graph.input("x", {2, 100, 96, 3}, DType::f32);
    CHECK_THROWS_WITH_AS(build_network(vit, images), doctest::Contains("100x96"), UsageError);
}

TEST_CASE("training appends an update for every running statistic; frozen norms have none") {
    Graph all, partly;
    CHECK(build(all, "resnet18", {.mode = Mode::training}).statistics.size() == 2 * 20);
    CHECK(count_nodes(all, "batch_norm") == 20);

    const auto trainable = [](std::string_view name) { return name.starts_with("layer4") || name.starts_with("fc"); };
    const Network network = build(partly, "resnet18", {.mode = Mode::training, .trainable = trainable});
    CHECK(network.statistics.size() == 2 * 5);
    CHECK(count_nodes(partly, "batch_norm") == 5);
    CHECK_FALSE(partly.entries().at("layer3.0.conv1.weight").trainable);
    CHECK(partly.entries().at("layer4.0.conv1.weight").trainable);

    assign_statistics(network, partly.constant({}, 1));
    CHECK(partly.assigned().size() == 2 * 5);
    CHECK(partly.assigned().contains("layer4.0.bn1.running_var"));
}

TEST_CASE("dropout is active where the layer that reads it trains, and needs a counter") {
    Graph graph, frozen, without;
    CHECK_THROWS_WITH_AS(build(without, "alexnet", {.mode = Mode::training}), doctest::Contains("step counter"), Error);
    build(graph, "alexnet", {.mode = Mode::training, .step = graph.constant({}, 0, DType::i32)});
    CHECK(count_nodes(graph, "dropout") == 2);
    build(frozen, "alexnet",
          {.mode = Mode::training,
           .trainable = [](std::string_view name) { return name.starts_with("classifier.6"); },
           .step = frozen.constant({}, 0, DType::i32)});
    CHECK(count_nodes(frozen, "dropout") == 0);
}

TEST_CASE("a head can stand alone on features") {
    Graph graph;
    const Value features = graph.input("features", {4, 2048}, DType::f32);
    const Value logits = build_head(architecture("resnet50"), features, {.mode = Mode::training, .classes = 7});
    CHECK(logits.shape() == Shape{4, 7});
    CHECK(graph.entries().size() == 2);
    CHECK(in_head(architecture("resnet50"), "fc.weight"));
    CHECK_FALSE(in_head(architecture("resnet50"), "fc2.weight"));
}

TEST_CASE("normalisation is (pixel / 255 - mean) / std, or bytes minus the mean in blue, green, red") {
    const ops::Normalize unit = normalization(architecture("resnet50").preprocessing);
    CHECK(unit.scale[0] == doctest::Approx(1 / (255 * 0.229)));
    CHECK(unit.shift[2] == doctest::Approx(-0.406 / 0.225));
    const ops::Normalize caffe = normalization(architecture("resnet50_caffe").preprocessing);
    CHECK(caffe.order == ops::ChannelOrder::bgr);
    CHECK(caffe.scale[1] == 1.0f);
    CHECK(caffe.shift[0] == -103.939f);
}

TEST_CASE("a mistyped name is answered with the nearest") {
    CHECK_THROWS_WITH_AS(architecture("resnt50"), "there is no model 'resnt50'; did you mean resnet50?", UsageError);
    CHECK_THROWS_WITH_AS(architecture("transformer"), doctest::Contains("known are alexnet, "), UsageError);
    const std::string_view names[] = {"--freeze", "--seed"};
    CHECK(nearest("--freze", names) == "--freeze");
    CHECK(nearest("--sede", names) == "--seed");
    CHECK_FALSE(nearest("--output-directory", names));
}

}  // namespace cambium
