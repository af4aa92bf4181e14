// What every command does alike with what it is given.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/tools/program.h"

namespace cambium {
namespace {

using test::Outcome;

Outcome cambium(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), CAMBIUM_PROGRAM);
    return test::run_program(arguments);
}

// What standard error says, without "cambium: " and the line feed; the status must be 2.
std::string usage_error(const std::vector<std::string>& arguments) {
    const Outcome outcome = cambium(arguments);
    CHECK(outcome.status == 2);
    CHECK(outcome.out.empty());
    CHECK(std::ranges::count(outcome.error, '\n') == 1);
    return outcome.error.substr(9, outcome.error.size() - 10);
}

}  // namespace

TEST_CASE("numbers are taken whole and within their range, or refused") {
    const std::string step = " (see cambium bench --help)";
    for (const char* text : {"0", "-1", "65537", "99999999999999999999", "2.5", "1e3", "0x10", "4 ", "", "many"}) {
        CHECK(usage_error({"bench", "step", std::string("--batch=") + text}).starts_with("--batch"));
    }
    CHECK(usage_error({"bench", "step", "--batch", "99999999999999999999"}) ==
          "--batch takes a whole number from 1 to 65536, not '99999999999999999999'" + step);
    for (const char* text : {"nan", "inf", "1e400", "-1", "1,5", "ten"}) {
        CHECK(usage_error({"bench", "step", "--seconds", text}) ==
              "--seconds takes a number from 0 to 1000000, not '" + std::string(text) + "'" + step);
    }
    CHECK(
        usage_error({"finetune", "--seed", "99999999999999999999"}).starts_with("--seed takes a whole number from 0"));
}

TEST_CASE("an option has one value") {
    CHECK(usage_error({"bench", "step", "--model"}) == "--model needs a value (see cambium bench --help)");
    CHECK(
        usage_error({"bench", "step", "--batch", "1", "--batch", "2"}).starts_with("--batch was given more than once"));
    CHECK(usage_error({"predict", "a"}) == "IMAGE is required (see cambium predict --help)");
}

TEST_CASE("the provider vendor goes with a GPU") {
    for (const char* device : {"cpu", "simt", "reference"}) {
        CHECK(usage_error({"bench", "step", "--device", device, "--provider", "vendor"}) ==
              "--provider vendor needs --device cuda: cuDNN and cuBLASLt run on a GPU; leave it out elsewhere");
    }
    CHECK(usage_error({"bench", "step", "--provider", "vendr"}) == "--provider is own or vendor, not 'vendr'");
}

TEST_CASE("flags take no value") {
    CHECK(usage_error({"devices", "--json=5"}) ==
          "--json takes no value, but '5' was given (see cambium devices --help)");
    CHECK(usage_error({"devices", "--json=true"}).starts_with("--json takes no value"));
}

TEST_CASE("an unknown option is answered with the nearest one, not with all of them") {
    CHECK(usage_error({"predict", "a", "b", "--josn"}) ==
          "there is no option --josn; did you mean --json? (see cambium predict --help)");
    CHECK(usage_error({"predict", "a", "b", "-json"}).starts_with("there is no option -json; did you mean --json?"));
    const std::string far = usage_error({"inspect", "a", "--zzzzzzzzzzzz"});
    CHECK(far.starts_with("there is no option --zzzzzzzzzzzz; the nearest is --"));
    CHECK(far.size() < 120);
}

TEST_CASE("help names every option with its range and its default, in at most 79 columns") {
    for (const char* command : {"finetune", "predict", "evaluate", "inspect", "convert", "fetch", "devices", "bench"}) {
        CAPTURE(command);
        const Outcome outcome = cambium({command, "--help"});
        CHECK(outcome.status == 0);
        CHECK(outcome.error.empty());
        std::size_t begin = 0;
        for (std::size_t end; (end = outcome.out.find('\n', begin)) != std::string::npos; begin = end + 1) {
            CHECK(end - begin <= 79);
        }
    }
    const std::string bench = cambium({"bench", "--help"}).out;
    CHECK(bench.find("  --batch N              Images a step (1 to 65536; default 32)\n") != std::string::npos);
    const std::string finetune = cambium({"finetune", "--help"}).out;
    CHECK(finetune.find("Photos a step (1 to 65536)\n") != std::string::npos);  // chosen by itself: no default
}

TEST_CASE("--version says what this build is") {
    const Outcome outcome = cambium({"--version"});
    CHECK(outcome.status == 0);
    CHECK(outcome.error.empty());
    CHECK(outcome.out.starts_with("cambium 0."));
    CHECK(outcome.out.find("loops for x86-64-v") != std::string::npos);
    CHECK(std::ranges::count(outcome.out, '\n') == 1);
}

}  // namespace cambium
