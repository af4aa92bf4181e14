// Published accuracies through the public command, `cambium evaluate --json`.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tests/real_data.h"
#include "tests/tools/program.h"

namespace cambium {
namespace {

using Json = nlohmann::json;

Json evaluate(const std::filesystem::path& weights, const std::string& data, const std::string& model) {
    const test::Outcome outcome =
        test::run_program({CAMBIUM_PROGRAM, "evaluate", weights.string(), data, "--model", model, "--json"});
    INFO(outcome.error);
    REQUIRE(outcome.status == 0);
    return Json::parse(outcome.out);
}

// How many photos a fraction stands for.
long right(const Json& result, const char* field) {
    return std::lround(result.at(field).get<double>() * result.at("count").get<double>());
}

}  // namespace

TEST_CASE("the two CIFAR-10 networks have their published accuracy on all 10,000 test images, one more or less") {
    const auto data = test::real_data();
    if (!data) return;
    const test::Scratch scratch;
    const std::string folder = scratch / "cifar10";
    REQUIRE(test::run_program({CIFAR10_FOLDER, (*data / "images/cifar10/test_batch.png").string(),
                               (*data / "images/cifar10/test_lables.json").string(), folder})
                .status == 0);
    for (const auto& [file, model, expected] : {std::tuple{"weights/resnet20-12fca82f.th", "resnet20_cifar", 9173L},
                                                std::tuple{"weights/resnet56-4bfd9763.th", "resnet56_cifar", 9339L}}) {
        const Json result = evaluate(*data / file, folder, model);
        CHECK(result.at("count") == 10000);
        CHECK(result.at("per_class").size() == 10);
        CHECK(std::abs(right(result, "top1") - expected) <= 1);
        CHECK(right(result, "top1_own") == right(result, "top1"));
        std::printf("%s: %ld of 10000\n", model, right(result, "top1"));
    }
}

TEST_CASE("ResNet-50 on ten classes of ImageNet: 364 of 500 right among all thousand, 496 among the ten") {
    const auto data = test::real_data();
    if (!data) return;
    const Json result = evaluate(*data / "weights/resnet50_caffe_msra_fp16w.safetensors",
                                 (*data / "images/imagenette160_sub").string(), "resnet50_caffe");
    CHECK(result.at("count") == 500);
    CHECK(std::abs(right(result, "top1") - 364) <= 1);
    CHECK(std::abs(right(result, "top1_own") - 496) <= 1);
    CHECK(right(result, "top5") > right(result, "top1"));
    std::printf("resnet50_caffe: %ld among 1000, %ld among ten\n", right(result, "top1"), right(result, "top1_own"));
}

TEST_CASE("the shipped network has the accuracy on its own species that its training ended with") {
    const Json result = evaluate("data/leaves/leafnet.safetensors", "leaves:source", "leafnet");
    CHECK(result.at("count") == 1200);
    CHECK(std::abs(right(result, "top1") - 1159) <= 2);  // instruction sets round differently
    CHECK_FALSE(result.contains("top1_own"));
}

}  // namespace cambium
