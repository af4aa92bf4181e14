// Published weights against published outputs: ResNet-50 on 200 ImageNet photos, SqueezeNet on three recorded inputs.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/images/decode.h"
#include "data/images/transforms.h"
#include "engine/base/fail.h"
#include "models/load.h"
#include "models/source.h"
#include "tests/compare.h"
#include "tests/real_data.h"
#include "tools/common/classifier.h"

namespace cambium {
namespace {

using Json = nlohmann::json;
using std::filesystem::path;

// Logits [1, classes] of one photo after the other.
class Photos {
  public:
    Photos(const path& data, std::string_view precision)
        : folder_(data / "images/imagenet_sample200"),
          source_(open_source(data / "weights/resnet50_caffe_msra_fp16w.safetensors", "resnet50_caffe")),
          device_(open_device("cpu", precision)),
          classifier_(source_, device_, 1) {}

    Tensor logits(const std::string& name) {
        std::vector<Image> images;
        images.push_back(decode(folder_ / name));
        return classifier_.run(prepare_for_evaluation(images, source_.preprocessing));
    }

  private:
    path folder_;
    Source source_;
    Device device_;
    Classifier classifier_;
};

Json golden(const path& data) {
    return Json::parse(std::ifstream(data / "weights/golden_resnet50_top5.json")).at("images");
}

// A little-endian C-ordered f32 .npy file, version 1 (numpy.lib.format).
Tensor read_npy(const path& file, const Shape& shape) {
    std::ifstream stream(file, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    const std::size_t header =
        10 + static_cast<unsigned char>(bytes.at(8)) + 256u * static_cast<unsigned char>(bytes.at(9));
    Tensor tensor(shape, DType::f32);
    if (bytes.find("'<f4'") > header || bytes.size() != header + tensor.bytes().size())
        fail("unexpected {}", file.string());
    std::memcpy(tensor.bytes().data(), bytes.data() + header, tensor.bytes().size());
    return tensor;
}

}  // namespace

TEST_CASE("ResNet-50 gives PyTorch's five best classes on 200 photos, in their order, and its logits") {
    const auto data = test::real_data();
    if (!data) return;
    Photos photos(*data, "f32");
    double worst = 0;
    int lists = 0, near_ties = 0;
    const Json images = golden(*data);
    for (const auto& [name, expected] : images.items()) {
        CAPTURE(name);
        const auto indices = expected.at("top5").get<std::vector<std::int64_t>>();
        const auto values = expected.at("logits").get<std::vector<double>>();
        const Tensor logits = photos.logits(name);
        const auto row = logits.values<float>();
        const auto found = top_k(row, 5);
        for (std::size_t i = 0; i < 5; ++i) {
            const double logit = static_cast<double>(row[static_cast<std::size_t>(indices[i])]);
            REQUIRE(std::isfinite(logit));
            worst = std::max(worst, std::abs(logit - values[i]));
            if (found[i] == indices[i]) continue;
            ++near_ties;
            CHECK(std::abs(static_cast<double>(row[static_cast<std::size_t>(found[i])]) - logit) < 5e-4);
        }
        ++lists;
    }
    CHECK(lists == 200);
    CHECK(worst <= 5e-4);
    std::printf("resnet50_caffe f32: %d lists, %d places in near-ties, largest logit difference %.2g\n", lists,
                near_ties, worst);
}

TEST_CASE("ResNet-50 in bf16 names the same class on at least 98.5 % of them") {
    const auto data = test::real_data();
    if (!data) return;
    Photos photos(*data, "bf16");
    int same = 0, count = 0;
    const Json images = golden(*data);
    for (const auto& [name, expected] : images.items()) {
        const Tensor logits = photos.logits(name);
        same += top_k(logits.values<float>(), 1)[0] == expected.at("top5").at(0).get<std::int64_t>() ? 1 : 0;
        ++count;
    }
    CHECK(count == 200);
    CHECK(same >= 197);
    std::printf("resnet50_caffe bf16: top-1 as in f32 on %d of %d\n", same, count);
}

TEST_CASE("SqueezeNet gives the recorded outputs of three recorded inputs") {
    const auto data = test::real_data();
    if (!data) return;
    const WeightsFile weights = WeightsFile::open(*data / "weights/squeezenet1_1_onnxzoo_fp32.pth");
    const Architecture& squeezenet = architecture("squeezenet1_1");
    const auto backend = make_cpu_backend();
    Graph graph;
    const Value nchw = graph.input("x", {1, 3, 224, 224}, DType::f32);
    graph.output("logits", build_network(squeezenet, transpose(nchw, {0, 2, 3, 1})).logits);
    Store store(backend->memory());
    declare_entries(graph, store, 0, FirstValue::zero);
    load_weights(weights, graph, store, squeezenet);
    Program program = compile(graph, store, *backend);
    for (const char* pair : {"0", "1", "2"}) {
        const path folder = *data / "weights/squeezenet11_golden" / pair;
        program.set("x", read_npy(folder / "input_0.npy", {1, 3, 224, 224}));
        program.run();
        const Tensor expected = read_npy(folder / "output_0.npy", {1, 1000, 1, 1}).reshaped({1, 1000});
        const auto result = test::compare(program.get("logits"), expected,
                                          test::relative_to_largest(1e-4, "f32 sums in another order, 26 layers deep"));
        CHECK(result);
        std::printf("squeezenet1_1, pair %s: %.2g of the largest output\n", pair, result.error);
    }
}

}  // namespace cambium
