// `cambium check` over all kernels: silent, every operator and every kernel in it; and loud where a kernel is wrong.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

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

void check_columns(const std::string& text) {
    for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
        CAPTURE(text.substr(begin, end - begin));
        CHECK(end - begin < 80);
    }
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

// How many instances of each kernel nvcc makes for sm_80, by what tests/kernels/resources.py found.
std::map<std::string, std::size_t> instances_for_gpus() {
    std::ifstream file("tests/kernels/resources.txt");
    std::map<std::string, std::size_t> result;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string source, kernel, architecture;
        std::size_t instances = 0;
        if (words >> source >> kernel >> architecture >> instances && architecture == "sm_80")
            result[kernel] += instances;
    }
    return result;
}

}  // namespace

TEST_CASE("nothing is found in any kernel, and no instance of any is left out") {
    const Outcome outcome = check({"--json", "--quick"});
    REQUIRE(outcome.status == 0);
    const Json found = Json::parse(outcome.out);
    CHECK(found.at("clean") == true);
    CHECK(found.at("reports").empty());
    for (const Json& row : found.at("rows")) {
        CAPTURE(row.dump());
        CHECK(row.at("shapes") >= 1);
        CHECK_FALSE(row.contains("missing"));
        CHECK_FALSE(row.contains("failed"));
    }
    std::map<std::string, std::size_t> reached;
    for (const Json& kernel : found.at("kernels")) ++reached[without_arguments(kernel)];
    const std::map<std::string, std::size_t> expected = instances_for_gpus();
    const std::set<std::string> all = kernels_in_the_sources();
    CHECK(all.size() > 60);
    // Ceilings are for benchmarks; their own tests run them checked.
    const std::set<std::string> unused{"ceiling::mma_loop", "ceiling::count_different_words"};
    for (const std::string& kernel : all) {
        // More than are expected: tests/kernels/resources.py --update. Fewer: a case in tools/check/kernel_cases.cpp.
        CAPTURE(kernel);
        CHECK(expected.contains(kernel));
        if (expected.contains(kernel)) CHECK(reached[kernel] == (unused.contains(kernel) ? 0 : expected.at(kernel)));
    }
}

TEST_CASE("a race in a kernel is named with both sides, and the exit status is 1") {
    const std::vector<std::string> planted{"LD_PRELOAD=" PLANTED_RACE};
    const Outcome outcome = check({"--kernel", "softmax", "--shapes", "1"}, planted);
    CHECK(outcome.status == 1);
    CHECK(outcome.out.find("race-in-") != std::string::npos);
    CHECK(outcome.out.find("planted_race.cu:") != std::string::npos);
    CHECK(outcome.out.find("with findings") != std::string::npos);
    const Outcome json = check({"--kernel", "softmax", "--shapes", "1", "--json"}, planted);
    CHECK(json.status == 1);
    const Json found = Json::parse(json.out);
    CHECK(found.at("clean") == false);
    CHECK(found.at("reports").size() >= 1);
}

TEST_CASE("a kernel that ends its process is a finding of its row, and the other rows run") {
    const std::vector<std::string> planted{"LD_PRELOAD=" PLANTED_CRASH};
    const Outcome outcome = check({"--kernel", "softmax", "--shapes", "2", "--jobs", "2"}, planted);
    CHECK(outcome.status == 1);
    CHECK(outcome.out.find("shape 1 crashed: signal 6 (Aborted)") != std::string::npos);
    check_columns(outcome.out);
    const Outcome json = check({"--kernel", "softmax", "--shapes", "2", "--json"}, planted);
    CHECK(json.status == 1);
    const Json found = Json::parse(json.out);
    CHECK(found.at("clean") == false);
    std::size_t crashed = 0;
    for (const Json& row : found.at("rows")) {
        const bool planted_one = row.at("operator") == "softmax" || row.at("operator") == "softmax long";
        if (row.contains("failed")) ++crashed;
        CHECK(row.contains("failed") == planted_one);
        CHECK(row.at("shapes") == (planted_one ? 0 : 2));
    }
    CHECK(crashed == 6);
}

TEST_CASE("the seed decides the order in which threads run, and nothing else does") {
    const auto first_thread = [](const char* seed) {
        const std::vector<std::string> arguments{"--kernel", "softmax", "--variant", "tuned",  "--precision", "f32",
                                                 "--shapes", "1",       "--json",    "--seed", seed};
        const Outcome outcome = check(arguments, {"LD_PRELOAD=" PLANTED_ORDER});
        CHECK(outcome.status == 1);
        const Json reports = Json::parse(outcome.out).at("reports");
        REQUIRE(reports.size() == 1);
        CHECK(reports[0].at("kind") == "out-of-bounds");
        return reports[0].at("first").at("thread").dump();
    };
    std::set<std::string> threads;
    for (const char* seed : {"0", "1", "2", "3"}) {
        threads.insert(first_thread(seed));
        CHECK(first_thread(seed) == first_thread(seed));
    }
    CHECK(threads.size() >= 3);
}

TEST_CASE("the table does not depend on how many processes make it") {
    const auto without_times = [](const char* jobs) {
        Json found = Json::parse(check({"--kernel", "max_pool", "--shapes", "3", "--json", "--jobs", jobs}).out);
        for (Json& row : found.at("rows")) row.erase("seconds");
        return found.dump();
    };
    const std::string one = without_times("1");
    CHECK(one.find("max_pool_tuned") != std::string::npos);
    CHECK(one == without_times("3"));
}

TEST_CASE("rows are chosen by operator, by CUDA kernel, by precision and variant") {
    const auto rows = [](const std::vector<std::string>& arguments) {
        const Outcome outcome = check(arguments);
        CHECK(outcome.status == 0);
        std::set<std::string> names;
        const Json found = Json::parse(outcome.out);
        for (const Json& row : found.at("rows"))
            names.insert(row.at("operator").get<std::string>() + ", " + row.at("kernels").get<std::string>());
        return names;
    };
    CHECK(rows({"--kernel", "matmul", "--variant", "plain", "--shapes", "1", "--json"}) ==
          std::set<std::string>{"matmul, f32 plain", "matmul, tf32 plain", "matmul, bf16 plain"});
    CHECK(rows({"--kernel", "dropout", "--precision", "bf16", "--shapes", "1", "--json"}) ==
          std::set<std::string>{"dropout, bf16", "dropout, bf16 plain"});
    CHECK(rows({"--kernel", "embedding::embedding_rows", "--variant", "plain", "--shapes", "1", "--json"}) ==
          std::set<std::string>{"embedding, f32 plain", "embedding, bf16 plain"});
}

TEST_CASE("an interrupt ends the check with 130, one sentence and JSON of what was done") {
    const Outcome outcome = run_program({"/usr/bin/env", "timeout", "--preserve-status", "--signal=INT", "1.5",
                                         CAMBIUM_PROGRAM, "check", "--shapes", "1000", "--json"});
    CHECK(outcome.status == 130);
    CHECK(outcome.error == "cambium: interrupted: what was printed until now is all that was checked\n");
    const Json found = Json::parse(outcome.out);
    CHECK(found.at("interrupted") == true);
    CHECK(found.at("clean") == false);
}

TEST_CASE("lines fit 80 columns, and what does not exist is refused") {
    const Outcome outcome =
        check({"--kernel", "attention", "--precision", "bf16", "--shapes", "1", "--seed", "7", "--counters"});
    CHECK(outcome.status == 0);
    CHECK(std::regex_search(outcome.out,
                            std::regex(R"(attention_head_gradient +tiles\.cuh:\d+ +shared write +\d+ +\d)")));
    check_columns(outcome.out);
    CHECK(check({"--kernel", "conv2dd"}).error.find("did you mean conv2d?") != std::string::npos);
    CHECK(check({"--kernel", "nonsense", "--precision", "f32", "--variant", "plain", "--shapes", "1"}).status == 2);
    CHECK(check({"--precision", "f64"}).status == 2);
    CHECK(check({"--variant", "fast"}).status == 2);
    CHECK(check({"--kernel", "relu", "--precision", "tf32"}).status == 2);
    CHECK(check({"--shapes", "0"}).status == 2);
}
