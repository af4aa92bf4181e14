// `cambium bench kernels`: everything but the times themselves, on simt, which has the same kernels and no clock worth
// reading.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "tests/tools/program.h"
#include "tools/bench/timing.h"
#include "tools/common/bound_node.h"

using namespace cambium;
using namespace cambium::test;
using Json = nlohmann::json;

namespace {

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// What bench_times() prints.
std::string printed(const TimingOptions& options, const Scratch& scratch) {
    const std::string path = scratch / "out";
    std::fflush(stdout);
    const int kept = dup(STDOUT_FILENO);
    REQUIRE(std::freopen(path.c_str(), "w", stdout) != nullptr);
    Exit exit = Exit::failed;
    std::string error;
    try {
        exit = bench_times(options, gpu::Device::simt);
    } catch (const Error& caught) {
        error = caught.what();
    }
    std::fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    if (!error.empty()) throw Error(error);
    CHECK(exit == Exit::done);
    return text_of(path);
}

// The products of ResNet-18's head for one image, few times.
TimingOptions head() {
    return {.model = "resnet18",
            .precision = "bf16",
            .kernel = "matmul",
            .batch = 1,
            .json = true,
            .repeats = {.equal = 3, .series = 1, .in_a_row = 2, .flushed = 2}};
}

}  // namespace

TEST_CASE("a convolution that takes moments is judged, moments and all") {
    const Scratch scratch;
    TimingOptions options = head();
    options.model = "leafnet";
    options.kernel = "conv2d";
    options.vendor_seconds = 0;
    const Json found = Json::parse(printed(options, scratch));
    int moments = 0;
    for (const Json& kernel : found.at("kernels")) {
        CAPTURE(kernel.dump());
        moments += kernel.at("name").get<std::string>().find("moments") != std::string::npos ? 1 : 0;
        CHECK(kernel.at("judge") != "-");
        CHECK(kernel.at("error") < 0x1p-7);
    }
    CHECK(moments > 0);
}

TEST_CASE("an output that is wrong is seen beside one that is a thousand times larger") {
    std::vector<Tensor> found, expected;
    for (const double scale : {1.0, 1000.0}) {
        const std::vector<double> values{scale, -scale};
        expected.emplace_back(Shape{2}, std::span<const double>(values));
        found.push_back(expected.back().clone());
    }
    CHECK(largest_error(found, expected) == 0);
    found[0].values<double>()[1] = 0;
    CHECK(largest_error(found, expected) == 1);
}

TEST_CASE("the share of the roofline is that of the nearer ceiling") {
    const Ceilings ceilings{.copy = 4e12, .tensor_cores = 8e14};
    Timing timing{.flops = 8e11, .bytes = 8'000'000'000, .multiplies = false, .flushed = 4000};
    CHECK(share_of_roofline(timing, ceilings) == doctest::Approx(0.5));
    timing.bytes = 4'000'000, timing.multiplies = true;
    CHECK(share_of_roofline(timing, ceilings) == doctest::Approx(0.25));
    CHECK(share_of_roofline(timing, {.copy = 4e12}) == doctest::Approx(0.00025));  // f32: tensor cores do not help
}

TEST_CASE("nodes are right, the same ten times, and counted as often as they occur") {
    const Scratch scratch;
    const Json found = Json::parse(printed(head(), scratch));
    CHECK(found.at("model") == "resnet18");
    CHECK(found.at("mma_flops_per_second") > 0);
    CHECK(found.at("copy_bytes_per_second") > 0);
    CHECK_FALSE(found.contains("step_milliseconds"));  // of some kernels only
    CHECK(found.at("kernels").size() == 3);
    double sum = 0;
    for (const Json& kernel : found.at("kernels")) {
        CAPTURE(kernel.dump());
        CHECK(kernel.at("differing_words") == 0);
        const bool fused = kernel.at("name").get<std::string>().find(") +") != std::string::npos;
        CHECK(kernel.at("judge") == (fused ? "plain" : "f64"));
        CHECK(kernel.at("error") <= 0x1p-8);
        CHECK(kernel.at("microseconds_warm") > 0);
        CHECK(kernel.at("count") >= 1);
        sum += 1e-3 * kernel.at("microseconds_warm").get<double>() * kernel.at("count").get<double>();
    }
    CHECK(found.at("sum_milliseconds_warm").get<double>() == doctest::Approx(sum));
}

TEST_CASE("an earlier run is a baseline; what is none is refused") {
    const Scratch scratch;
    TimingOptions options = head();
    const std::string first = printed(options, scratch);
    options.baseline = scratch / "first.json";
    std::ofstream(options.baseline) << first;
    const Json second = Json::parse(printed(options, scratch));
    REQUIRE(second.at("kernels").size() == 3);
    CHECK(second["kernels"][0].at("baseline_microseconds_flushed") ==
          Json::parse(first)["kernels"][0].at("microseconds_flushed"));
    options.json = false;
    const std::string table = printed(options, scratch);
    CHECK(table.find("the baseline's time") != std::string::npos);
    CHECK(table.find("sum of all") != std::string::npos);
    std::ofstream(options.baseline) << "{\"kernels\": [{}]}";
    CHECK_THROWS_WITH_AS(printed(options, scratch), doctest::Contains("is not what"), Error);
    options.baseline = scratch / "absent.json";
    CHECK_THROWS_WITH_AS(printed(options, scratch), doctest::Contains("cannot read the baseline"), Error);
}

TEST_CASE("the plain kernels are timed beside the tuned ones") {
    const Scratch scratch;
    TimingOptions options = head();
    options.variant = gpu::Variant::plain;
    const Json found = Json::parse(printed(options, scratch));
    CHECK(found.at("variant") == "plain");
    CHECK(found.at("kernels").size() == 3);
}

TEST_CASE("a sweep has a line for every tile and split, and one for what the heuristic chose") {
    const Scratch scratch;
    TimingOptions options = head();
    options.sweep = scratch / "sweep.csv";
    printed(options, scratch);
    const std::string csv = text_of(options.sweep);
    // Two tiles with 1, 2, 4, ... 64 parts, and the choice.
    CHECK(std::count(csv.begin(), csv.end(), '\n') == 1 + 3 * 15);
    options.sweep = scratch / "nowhere/sweep.csv";
    CHECK_THROWS_AS(printed(options, scratch), Error);
}

TEST_CASE("each kernel once, for a profiler") {
    const Scratch scratch;
    TimingOptions options = head();
    options.once = true;
    CHECK(printed(options, scratch) == "3 kernels, each run once in a range of its name\n");
}

TEST_CASE("another provider is timed in turn, and its result compared") {
    const std::unique_ptr<Backend> ours = gpu::make_backend(gpu::Device::simt),
                                   theirs = gpu::make_backend(gpu::Device::simt, {.variant = gpu::Variant::plain});
    const auto watch = gpu::make_stopwatch(gpu::Device::simt, *ours),
               their_watch = gpu::make_stopwatch(gpu::Device::simt, *theirs);
    const auto spec = [](std::int64_t rows, std::int64_t columns) {
        return OperandSpec{{{rows, columns}, DType::f32}, {}};
    };
    const NodeSpec product{ops::MatMul{}, {spec(8, 16), spec(16, 24)}, {spec(8, 24)}, {}};
    const std::vector<Tensor> inputs = node_inputs(product, 1);
    const BoundNode own(*ours, product, inputs);
    VendorComparison vendor(*theirs, *their_watch, 60);
    const auto found = vendor.compare(product, inputs, own, *watch, 3);
    REQUIRE(found);
    CHECK(found->provider == "own");  // the plain kernel stands for a library
    CHECK(found->difference < 1e-5);
    CHECK(found->flushed > 0);
    CHECK(found->ratio > 0);
    CHECK(vendor.product_rate(DType::f32, 32) > 0);
    // What is no product stays our own; what fails is said once; when time is up, what is left out is counted.
    const NodeSpec relu{ops::Relu{}, {spec(2, 3)}, {spec(2, 3)}, {}};
    const std::vector<Tensor> x = node_inputs(relu, 1);
    CHECK_FALSE(vendor.compare(relu, x, BoundNode(*ours, relu, x), *watch, 3));
    CHECK(vendor.failures().empty());
    VendorComparison late(*theirs, *their_watch, 0);
    CHECK_FALSE(late.compare(product, inputs, own, *watch, 3));
    CHECK(late.left_out() == 1);
}

TEST_CASE("a device without cuDNN and cuBLASLt says so once, and is timed all the same") {
    const Scratch scratch;
    TimingOptions options = head();
    const Json found = Json::parse(printed(options, scratch));
    CHECK(found.at("vendor") == "there is no provider vendor here: cuDNN and cuBLASLt need a GPU");
    CHECK_FALSE(found.contains("cublaslt_flops_per_second"));
    CHECK_FALSE(found["kernels"][0].contains("vendor_ratio"));
    options.json = false;
    const std::string table = printed(options, scratch);
    const std::size_t first = table.find("need a GPU");
    CHECK(first != std::string::npos);
    CHECK(table.find("need a GPU", first + 1) == std::string::npos);
}

TEST_CASE("times need a GPU") {
    const Outcome without = run_program({CAMBIUM_PROGRAM, "bench", "kernels"});
    CHECK(without.status == 2);
    CHECK(without.error.find("--device cuda") != std::string::npos);
    if (gpu::unavailable(gpu::Device::cuda)) {
        const Outcome absent = run_program({CAMBIUM_PROGRAM, "bench", "kernels", "--device", "cuda"});
        CHECK(absent.status == 1);
        CHECK(absent.error.find("cannot compute on cuda") != std::string::npos);
    }
    const Outcome both = run_program({CAMBIUM_PROGRAM, "bench", "kernels", "--device", "cuda", "--provider", "vendor"});
    CHECK(both.status == 2);
    CHECK(both.error.find("compares both providers by itself") != std::string::npos);
}
