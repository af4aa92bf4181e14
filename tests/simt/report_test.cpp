// Reports as text, JSON and SARIF: what a person and a program must find in them, whatever the names contain.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "kernels/simt/simt.h"

using namespace cambium::simt;

namespace {

Report race() {
    Report report;
    report.kind = Kind::race_in_block;
    report.kernel = "reverse<\"quoted\", 4>";
    report.object = "line[3,17]";
    report.first = {.action = "read",
                    .place = {"a b/kernel.cu", 12, "reverse", {"kernel.cu:40"}},
                    .kernel = "reverse",
                    .block = {1, 2, 3},
                    .thread = {4, 5, 6}};
    report.second = {.action = "write",
                     .place = {"C:\\kernel.cu", 11, "reverse", {}},
                     .kernel = "reverse",
                     .block = {1, 2, 3},
                     .thread = {36, 0, 0}};
    report.detail = "nothing orders the two\naccesses";
    report.advice = "__syncthreads()";
    report.count = 3;
    report.seed = 7;
    return report;
}

}  // namespace

TEST_CASE("the text names kind, kernel, address, both places, both threads, the mend, the count and the seed") {
    const std::string text = to_text(race());
    for (const char* part : {"race-in-block", "reverse<\"quoted\", 4>", "line[3,17]", "a b/kernel.cu:12",
                             "inlined at kernel.cu:40", "block (1,2,3) thread (4,5,6)", "C:\\kernel.cu:11",
                             "thread (36,0,0)", "mend: __syncthreads()", "seen 3 times", "seed 7"}) {
        CHECK_MESSAGE(text.find(part) != std::string::npos, std::string(part) << " is not in:\n" << text);
    }
}

TEST_CASE("JSON holds every field and survives quotes, backslashes and newlines") {
    Report alone = race();
    alone.second.reset();
    const auto json = nlohmann::json::parse(to_json({race(), alone}));
    REQUIRE(json.size() == 2);
    CHECK(json[0]["kind"] == "race-in-block");
    CHECK(json[0]["kernel"] == "reverse<\"quoted\", 4>");
    CHECK(json[0]["detail"] == "nothing orders the two\naccesses");
    CHECK(json[0]["second"]["file"] == "C:\\kernel.cu");
    CHECK(json[0]["first"]["thread"] == nlohmann::json({4, 5, 6}));
    CHECK(json[0]["count"] == 3);
    CHECK(json[1]["second"].is_null());
    CHECK(nlohmann::json::parse(to_json({})).empty());
}

TEST_CASE("SARIF 2.1.0: a rule per kind, a result per report, both places located") {
    const auto sarif = nlohmann::json::parse(to_sarif({race()}));
    CHECK(sarif["version"] == "2.1.0");
    const auto& run = sarif["runs"][0];
    CHECK(run["tool"]["driver"]["rules"].size() == static_cast<std::size_t>(kKinds));
    const auto& result = run["results"][0];
    CHECK(result["ruleId"] == "race-in-block");
    CHECK(result["locations"][0]["physicalLocation"]["region"]["startLine"] == 12);
    CHECK(result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "C:\\kernel.cu");
}

TEST_CASE("every kind has a name and a description of its own") {
    for (int a = 0; a < kKinds; ++a) {
        CHECK(!description_of(static_cast<Kind>(a)).empty());
        for (int b = 0; b < a; ++b) CHECK(name_of(static_cast<Kind>(a)) != name_of(static_cast<Kind>(b)));
    }
}
