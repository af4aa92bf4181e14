// Real networks through the CUDA kernels on the CPU: published weights give the published classes, and training follows
// the cpu backend, with the same bits however many workers run the blocks.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/images/decode.h"
#include "data/images/transforms.h"
#include "data/leaves/leaves.h"
#include "engine/graph/gradients.h"
#include "engine/optim/optimizer.h"
#include "kernels/simt/simt.h"
#include "models/load.h"
#include "tests/compare.h"
#include "tests/real_data.h"
#include "tools/common/classifier.h"

namespace cambium {
namespace {

using Json = nlohmann::json;

using Fusion = CompileOptions::Fusion;

constexpr std::int64_t steps = 20;
constexpr std::int64_t batch = 8;

// What steps of SGD leave: the loss of each, and every parameter, statistic and momentum.
struct Training {
    std::vector<double> losses;
    std::vector<Tensor> entries;
};

Training train_on_leaves(std::string_view device_name, int workers, std::int64_t count = steps,
                         Fusion fusion = Fusion::on) {
    simt::set_workers(workers);
    Device device = open_device(device_name, "f32");
    const LeafSample sample = LeafSample::target();
    const Architecture& leafnet = architecture("leafnet");
    Graph graph;
    const Value images = image_input(graph, batch, leafnet.preprocessing);
    const Value labels = graph.input("labels", {batch}, DType::i32);
    const Network network = build_network(
        leafnet, images, {.mode = Mode::training, .classes = static_cast<std::int64_t>(sample.class_names().size())});
    const Loss loss = softmax_cross_entropy(network.logits, labels);
    assign_statistics(network, sgd(graph, parameter_gradients(loss.sum), loss, {.momentum = 0.9}).scale);
    graph.output("loss", scale(loss.sum, 1.0 / static_cast<double>(batch)));
    Store store(device.backend->memory());
    declare_entries(graph, store);
    load_weights(WeightsFile::open("data/leaves/leafnet.safetensors"), graph, store, leafnet, HeadPolicy::renew);
    Program program = compile(graph, store, *device.backend, {.fusion = fusion});
    for (const char* fused : {"+add relu", "moments", "batch_norm_relu_gradient"}) {
        const bool gpu_only = std::string_view(fused) == "moments";
        const bool expected = fusion == Fusion::on && (!gpu_only || device.backend->name() == "simt");
        CHECK((program.text().find(fused) != std::string::npos) == expected);
    }
    program.set("learning_rate", 0.01);

    Training training;
    for (std::int64_t step = 0; step < count; ++step) {
        std::vector<Image> drawn;
        Tensor classes(Shape{batch}, DType::i32);
        for (std::int64_t i = 0; i < batch; ++i) {
            const std::int64_t index = (step * batch + i) % sample.count(LeafSplit::train);
            drawn.push_back(sample.draw(LeafSplit::train, index));
            classes.values<std::int32_t>()[static_cast<std::size_t>(i)] = sample.label(LeafSplit::train, index);
        }
        program.set("images", prepare_for_evaluation(drawn, leafnet.preprocessing));
        program.set("labels", classes);
        program.run();
        training.losses.push_back(program.scalar("loss"));
    }
    for (const std::string& name : store.names()) training.entries.push_back(store.read_file(name));
    return training;
}

void check_equal_bits(const Training& a, const Training& b) {
    CHECK(a.losses == b.losses);
    REQUIRE(a.entries.size() == b.entries.size());
    for (std::size_t i = 0; i < a.entries.size(); ++i) {
        CHECK(std::ranges::equal(a.entries[i].bytes(), b.entries[i].bytes()));
    }
}

}  // namespace

TEST_CASE("simt: ResNet-50 gives PyTorch's five best classes on eight photos") {
    const auto data = test::real_data();
    if (!data) return;
    const Source source = open_source(*data / "weights/resnet50_caffe_msra_fp16w.safetensors", "resnet50_caffe");
    Device device = open_device("simt", "f32");
    Classifier classifier(source, device, 1);
    const Json golden = Json::parse(std::ifstream(*data / "weights/golden_resnet50_top5.json")).at("images");
    REQUIRE(golden.size() == 200);
    int photos = 0, of_photo = 0;
    double worst = 0;
    for (const auto& [name, expected] : golden.items()) {
        if (of_photo++ % 25 != 0) continue;  // eight of them, over all classes
        CAPTURE(name);
        std::vector<Image> photo;
        photo.push_back(decode(*data / "images/imagenet_sample200" / name));
        const Tensor logits = classifier.run(prepare_for_evaluation(photo, source.preprocessing));
        const auto best = expected.at("top5").get<std::vector<std::int64_t>>();
        const auto values = expected.at("logits").get<std::vector<double>>();
        CHECK(top_k(logits.values<float>(), 5) == best);
        for (std::size_t i = 0; i < best.size(); ++i) {
            const double logit = static_cast<double>(logits.values<float>()[static_cast<std::size_t>(best[i])]);
            REQUIRE(std::isfinite(logit));
            worst = std::max(worst, std::abs(logit - values[i]));
        }
        ++photos;
    }
    CHECK(photos == 8);
    CHECK(worst <= 5e-4);  // as for the cpu backend: f32 through 50 layers
    std::printf("resnet50_caffe on simt: %d photos, largest logit difference %.2g\n", photos, worst);
}

TEST_CASE("simt: twenty training steps on leaves follow the cpu backend and do not depend on the workers") {
    const Training expected = train_on_leaves("cpu", 2), two = train_on_leaves("simt", 2);
    double worst = 0;
    for (std::size_t i = 0; i < expected.losses.size(); ++i) {
        CAPTURE(i);
        CHECK(test::compare(two.losses[i], expected.losses[i], test::absolute(1e-3, "f32 over up to twenty steps")));
        worst = std::max(worst, std::abs(two.losses[i] - expected.losses[i]));
    }
    CHECK(expected.losses.back() < expected.losses.front());
    std::printf("leafnet on simt: loss %.4f to %.4f, at most %.2g from the cpu backend's\n", two.losses.front(),
                two.losses.back(), worst);
    check_equal_bits(two, train_on_leaves("simt", 2));
    check_equal_bits(two, train_on_leaves("simt", 1));
}

TEST_CASE("simt: fused batch norms train as batch norm, add, relu and their gradients one by one") {
    const Training fused = train_on_leaves("simt", 2, 2), single = train_on_leaves("simt", 2, 2, Fusion::off);
    for (std::size_t i = 0; i < single.losses.size(); ++i) {
        CHECK(test::compare(fused.losses[i], single.losses[i], test::absolute(1e-5, "moments in another order")));
    }
    REQUIRE(fused.entries.size() == single.entries.size());
    for (std::size_t i = 0; i < single.entries.size(); ++i) {
        CAPTURE(i);
        CHECK(test::compare(fused.entries[i], single.entries[i],
                            test::relative_to_largest(1e-4, "moments in another order, in f32, over two steps")));
    }
}

}  // namespace cambium
