// `cambium check` over all kernels: silent, every operator and every kernel in it; and loud where a kernel is wrong.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "tests/tools/program.h"

using namespace cambium;
using namespace cambium::test;
using Json = nlohmann::json;

namespace {

Outcome check(std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) {
    arguments.insert(arguments.begin(), {CAMBIUM_PROGRAM, "check"});
    return run_program(arguments, environment);
}

std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The families' kernels, as "conv::tuned".
std::set<std::string> kernels_in_the_sources() {
    // A kernel's name follows `void`, perhaps with launch bounds between, which hold at most one pair of parentheses.
    const std::regex kernel(R"(__global__\s+void\s+(?:__launch_bounds__\((?:[^()]|\([^()]*\))*\)\s+)?(\w+)\()");
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator("kernels")) {
        const std::filesystem::path& path = entry.path();
        const std::string family = path.parent_path().filename();
        if ((path.extension() != ".cuh" && path.extension() != ".cu") || family == "simt") continue;
        const std::string text = text_of(path);
        for (std::sregex_iterator found(text.begin(), text.end(), kernel), end; found != end; ++found) {
            names.insert(family + "::" + (*found)[1].str());
        }
    }
    return names;
}

// "cambium::conv::tuned<...>" -> "conv::tuned"
std::string without_arguments(const std::string& kernel) {
    const std::string name = kernel.substr(0, kernel.find_first_of("<("));
    const std::size_t base = name.rfind("::"), family = base == 0 ? base : name.rfind("::", base - 1);
    return family == std::string::npos ? name : name.substr(family + 2);
}

}  // namespace

TEST_CASE("nothing is found in any kernel, and nothing is left out") {
    const Outcome outcome = check({"--json", "--shapes", "3"});
    REQUIRE(outcome.status == 0);
    const Json found = Json::parse(outcome.out);
    CHECK(found.at("clean") == true);
    CHECK(found.at("reports").empty());
    std::set<std::string> kernels;
    for (const Json& row : found.at("rows")) {
        CAPTURE(row.dump());
        CHECK(row.at("shapes") == 3);
        CHECK_FALSE(row.contains("missing"));
    }
    for (const Json& place : found.at("places")) kernels.insert(without_arguments(place.at("kernel")));
    const std::set<std::string> all = kernels_in_the_sources();
    CHECK(all.size() > 60);
    // No operator uses augmentation yet, and ceilings are for benchmarks; their own tests run them checked.
    const std::set<std::string> unused{"augment::augment_kernel", "augment::mean_kernel", "ceiling::mma_loop",
                                       "ceiling::count_different_words"};
    for (const std::string& kernel : all) {
        if (!unused.contains(kernel)) CHECK_MESSAGE(kernels.contains(kernel), kernel << " was not run");
    }
    for (const std::string& kernel : unused) CHECK_MESSAGE(!kernels.contains(kernel), kernel << " is used after all");
}

TEST_CASE("a race in a kernel is named with both sides, and the exit status is 1") {
    const std::vector<std::string> planted{"LD_PRELOAD=" PLANTED_SOFTMAX};
    const Outcome outcome = check({"--kernel", "softmax", "--shapes", "1"}, planted);
    CHECK(outcome.status == 1);
    CHECK(outcome.out.find("race-in-") != std::string::npos);
    CHECK(outcome.out.find("planted_softmax.cu:") != std::string::npos);
    CHECK(outcome.out.find("with findings") != std::string::npos);
    const Outcome json = check({"--kernel", "softmax", "--shapes", "1", "--json"}, planted);
    CHECK(json.status == 1);
    const Json found = Json::parse(json.out);
    CHECK(found.at("clean") == false);
    CHECK(found.at("reports").size() >= 1);
}

TEST_CASE("lines fit 80 columns, and what does not exist is refused") {
    const Outcome outcome = check({"--kernel", "attention", "--shapes", "1", "--seed", "7", "--counters"});
    CHECK(outcome.status == 0);
    CHECK(
        std::regex_search(outcome.out, std::regex(R"(attention_key_gradient +tiles\.cuh:\d+ +shared write +\d+ +\d)")));
    for (std::size_t begin = 0, end; (end = outcome.out.find('\n', begin)) != std::string::npos; begin = end + 1) {
        CHECK(end - begin < 80);
    }
    CHECK(check({"--kernel", "nonsense"}).status == 2);
    CHECK(check({"--shapes", "0"}).status == 2);
}
