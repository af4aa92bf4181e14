// Whole networks against PyTorch: `reference` entry by entry against float64, `cpu` in f32 by its error against
// `reference`, held against the error PyTorch itself makes in f32 on the same input. CAMBIUM_NETWORKS=all adds the deep
// ones.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "data/formats/weights.h"
#include "tests/compare.h"
#include "tests/networks/network_step.h"

using namespace cambium;
using namespace cambium::test;

namespace {

WeightsFile golden(const std::string& name) {
    return WeightsFile::open("tests/golden/networks/" + name + ".safetensors");
}

bool with_deep_networks() {
    const char* setting = std::getenv("CAMBIUM_NETWORKS");
    return setting != nullptr && std::string(setting) == "all";
}

std::vector<std::string> residual_networks() {
    if (with_deep_networks()) return {"resnet18", "resnet34", "resnet50", "resnet101", "resnet152"};
    return {"resnet18", "resnet50"};
}

// As in networks_make.py.
std::int64_t side_of(const std::string& name) { return name == "vit_b_16" ? 64 : 96; }

double relative_error(const Tensor& actual, const Tensor& expected) {
    double difference = 0, norm = 0;
    const auto a = actual.values<double>(), e = expected.values<double>();
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference += (a[i] - e[i]) * (a[i] - e[i]);
        norm += e[i] * e[i];
    }
    return std::sqrt(difference / norm);
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Gradients of one step on `reference` against PyTorch's float64, each within 1e-9 of the tensor's largest entry.
void check_reference(const std::string& name) {
    CAPTURE(name);
    const WeightsFile file = golden(name);
    NetworkStep step({.architecture = name, .side = side_of(name)});
    const double bound = 1e-9;
    CHECK(compare(step.evaluation_logits(1), file.read("evaluation_logits"),
                  relative_to_largest(bound, "f64 sums in another order")));
    CHECK(compare(step.run(1), file.read("loss").values<double>()[0], absolute(bound, "f64 sums in another order")));
    for (const std::string& parameter : step.parameters()) {
        CAPTURE(parameter);
        const Tensor expected = file.read("gradient." + parameter);
        const double largest = expected.values<double>()[1];
        CHECK(compare(sampled(parameter, step.gradient(parameter)), expected,
                      absolute(bound * largest, "f64 sums in another order, of the largest entry")));
    }
}

struct Pair {
    NetworkStep exact, fast;
    explicit Pair(const std::string& name)
        : exact({.architecture = name, .side = side_of(name)}),
          fast({.architecture = name, .side = side_of(name), .precision = Precision::f32}) {}
};

}  // namespace

TEST_SUITE("parity") {
    TEST_CASE("reference: every gradient of plain networks equals PyTorch's in float64") {
        check_reference("alexnet");
        check_reference("squeezenet1_1");
        check_reference("vit_b_16");
    }

    TEST_CASE("reference: every gradient of residual networks equals PyTorch's in float64") {
        for (const std::string& name : residual_networks()) check_reference(name);
    }

    TEST_CASE("reference: twenty SGD-momentum steps of ResNet-18, running statistics included") {
        const WeightsFile file = golden("resnet18_training");
        NetworkStep step({.architecture = "resnet18", .batch = 16, .side = 64, .momentum_rate = 0.01});
        const Tensor losses = file.read("losses");
        for (std::uint32_t i = 0; i < 20; ++i) {
            CAPTURE(i);
            CHECK(compare(step.run(100 + i), losses.values<double>()[i], absolute(1e-9, "twenty steps in f64")));
        }
        for (const WeightsEntry& entry : file.entries()) {
            if (!entry.name.starts_with("statistic.")) continue;
            const std::string name = entry.name.substr(10);
            CAPTURE(name);
            CHECK(compare(step.entry(name), file.read(entry), relative_to_largest(1e-9, "twenty steps in f64")));
        }
    }

    TEST_CASE("cpu: f32 gradients of plain networks are at most four times as far off as PyTorch's") {
        for (const std::string name : {"alexnet", "squeezenet1_1", "vit_b_16"}) {
            CAPTURE(name);
            const WeightsFile file = golden(name);
            Pair pair(name);
            pair.exact.run(1);
            pair.fast.run(1);
            double worst = 0;
            for (const std::string& parameter : pair.exact.parameters()) {
                CAPTURE(parameter);
                const Tensor peers = file.read("f32_error." + parameter);
                const double peer = *std::ranges::max_element(peers.values<double>());
                const double error = relative_error(pair.fast.gradient(parameter), pair.exact.gradient(parameter));
                CHECK(std::isfinite(error));
                CHECK(error <= std::max(4 * peer, 1e-6));
                worst = std::max(worst, error / std::max(peer, 2.5e-7));
            }
            std::cout << name << ": largest error " << worst << " times PyTorch's (limit 4)\n";
        }
    }

    TEST_CASE("cpu: f32 gradients of residual networks are at most three times as far off as PyTorch's") {
        for (const std::string& name : residual_networks()) {
            CAPTURE(name);
            const WeightsFile file = golden(name);
            const Tensor means = file.read("f32_error_means");  // [batches, settings]
            const auto batches = static_cast<std::size_t>(means.shape()[0]);
            const auto settings = static_cast<std::size_t>(means.shape()[1]);
            double worst_peer = 0;
            for (std::size_t setting = 0; setting < settings; ++setting) {
                std::vector<double> peer;
                for (std::size_t b = 0; b < batches; ++b)
                    peer.push_back(means.values<double>()[b * settings + setting]);
                worst_peer = std::max(worst_peer, median(peer));
            }
            Pair pair(name);
            std::vector<double> ours;
            for (std::uint32_t seed = 1; seed <= batches; ++seed) {
                pair.exact.run(seed);
                pair.fast.run(seed);
                double logs = 0;
                for (const std::string& parameter : pair.exact.parameters()) {
                    const double error = relative_error(pair.fast.gradient(parameter), pair.exact.gradient(parameter));
                    logs += std::log(std::max(error, 1e-12));
                }
                ours.push_back(std::exp(logs / static_cast<double>(pair.exact.parameters().size())));
            }
            std::cout << name << ": median error " << median(ours) << ", PyTorch's worst setting " << worst_peer
                      << '\n';
            CHECK(std::isfinite(median(ours)));
            CHECK(median(ours) <= 3 * worst_peer);
        }
    }

    TEST_CASE("cpu: evaluation logits within 1e-4 of reference") {
        for (const std::string name : {"alexnet", "squeezenet1_1", "resnet18", "resnet50", "vit_b_16"}) {
            CAPTURE(name);
            const WeightsFile file = golden(name);
            NetworkStep fast({.architecture = name, .side = side_of(name), .precision = Precision::f32});
            CHECK(compare(fast.evaluation_logits(1), file.read("evaluation_logits"),
                          relative_to_largest(1e-4, "f32 through up to 50 layers, folded norms")));
        }
    }
}
