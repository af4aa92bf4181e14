// The commands as a person runs them: results on standard output, sentences on standard error, exit statuses.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/images/decode.h"
#include "engine/base/philox.h"
#include "models/load.h"
#include "models/source.h"
#include "tests/tools/program.h"

namespace cambium {
namespace {

using Json = nlohmann::json;
using test::Outcome;

Outcome cambium(std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) {
    arguments.insert(arguments.begin(), CAMBIUM_PROGRAM);
    return test::run_program(arguments, environment);
}

std::vector<Json> lines(const std::string& text) {
    std::vector<Json> result;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) result.push_back(Json::parse(line));
    return result;
}

void write_photo(const std::filesystem::path& file, std::uint32_t seed) {
    std::filesystem::create_directories(file.parent_path());
    RandomStream random(seed, 0);
    std::ofstream stream(file, std::ios::binary);
    stream << "P6\n40 36\n255\n";
    for (int i = 0; i < 40 * 36 * 3; ++i) stream.put(static_cast<char>(random.below(256)));
}

// A run's folder with an untrained network for ants and bees, and four photos.
struct Fixture {
    Fixture() {
        const Architecture& chosen = architecture("resnet20_cifar");
        Graph graph;
        build_network(chosen, image_input(graph, 1, chosen.preprocessing), {.classes = 2});
        Store store(host_memory());
        declare_entries(graph, store);
        std::filesystem::create_directories(scratch.path() / "run");
        save_weights(weights, graph, store, source_metadata(chosen, {"ants", "bees"}, chosen.preprocessing));
        for (std::uint32_t i = 0; i < 4; ++i) {
            write_photo(scratch.path() / "data" / "val" / (i < 2 ? "ants" : "bees") / (std::to_string(i) + ".ppm"), i);
        }
    }
    test::Scratch scratch;
    std::string weights = scratch / "run/model.safetensors", run = scratch / "run", data = scratch / "data";
    std::string photo = scratch / "data/val/ants/0.ppm";
};

}  // namespace

TEST_CASE("without a command, or with a mistyped one, the program says what there is and ends with 2") {
    const Outcome nothing = cambium({});
    CHECK(nothing.status == 2);
    CHECK(nothing.out.empty());
    CHECK(nothing.error.find("predict") != std::string::npos);
    const Outcome mistyped = cambium({"evalute"});
    CHECK(mistyped.status == 2);
    CHECK(mistyped.error == "cambium: there is no command 'evalute'; did you mean evaluate?\n");
    const Outcome help = cambium({"--help"});
    CHECK(help.status == 0);
    CHECK(help.error.empty());
}

TEST_CASE("mistyped options are answered with the nearest right one, wrong values with a sentence, both with 2") {
    const Outcome option = cambium({"predict", "a", "b", "--josn"});
    CHECK(option.status == 2);
    CHECK(option.error.find("there is no option --josn; did you mean --json?") != std::string::npos);
    CHECK(cambium({"predict", "a"}).status == 2);
    CHECK(cambium({"predict", "a", "b", "--top", "none"}).status == 2);
    const Outcome device = cambium({"bench", "step", "--device", "cpus"});
    CHECK(device.status == 2);
    CHECK(device.error.find("did you mean cpu?") != std::string::npos);
    CHECK(cambium({"bench", "step", "--precision", "tf32"}).status == 2);
    CHECK(cambium({"bench", "jump"}).status == 2);
    CHECK(cambium({"inspect"}).status == 2);
    CHECK(cambium({"fetch", "resnet51"}).error.find("did you mean resnet50?") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "predict prints one JSON object a photo, in the order given, and nothing else") {
    const std::string logits = scratch / "logits.safetensors";
    const Outcome outcome = cambium({"predict", run, data + "/val/bees", photo, "--json", "--logits", logits});
    INFO(outcome.error);
    REQUIRE(outcome.status == 0);
    const std::vector<Json> answers = lines(outcome.out);
    REQUIRE(answers.size() == 3);
    CHECK(answers[2].at("image") == photo);
    const WeightsFile file = WeightsFile::open(logits);
    REQUIRE(file.find("logits") != nullptr);
    CHECK(file.find("logits")->spec == TensorSpec{{3, 2}, DType::f32});
    const Tensor values = file.read("logits");
    for (std::size_t i = 0; i < 3; ++i) {
        const Json& top = answers[i].at("top");
        REQUIRE(top.size() == 2);
        CHECK(top[0].at("probability").get<double>() + top[1].at("probability").get<double>() == doctest::Approx(1));
        CHECK(top[0].at("logit").get<double>() >= top[1].at("logit").get<double>());
        const auto index = top[0].at("index").get<std::size_t>();
        CHECK(top[0].at("class") == (index == 0 ? "ants" : "bees"));
        CHECK(top[0].at("logit").get<float>() == values.values<float>()[2 * i + index]);
    }
    const Outcome alone = cambium({"predict", weights, photo, "--json", "--top", "1"});
    CHECK(lines(alone.out).at(0).at("top").at(0).at("index") == answers[2].at("top").at(0).at("index"));
    CHECK(cambium({"predict", run, data + "/val/*/[0-9].ppm", "--json"}).status == 0);
}

TEST_CASE_FIXTURE(Fixture, "a photo that cannot be read gets one sentence, the others their answer; the status is 1") {
    const std::string broken = scratch / "broken.jpg";
    std::ofstream(broken) << "<html>not a photo</html>";
    const Outcome outcome = cambium({"predict", run, photo, broken, "--json"});
    CHECK(outcome.status == 1);
    CHECK(lines(outcome.out).size() == 1);
    CHECK(outcome.error.find("broken.jpg") != std::string::npos);
    CHECK(outcome.error.find("1 of 2 images were not read") != std::string::npos);
    const Outcome alone = cambium({"predict", run, broken});
    CHECK(alone.status == 1);
    CHECK(std::count(alone.error.begin(), alone.error.end(), '\n') == 1);
}

TEST_CASE_FIXTURE(Fixture, "evaluate prints one object; a run's own head has no top1_own") {
    const Outcome outcome = cambium({"evaluate", run, data, "--json"});
    INFO(outcome.error);
    REQUIRE(outcome.status == 0);
    const Json result = Json::parse(outcome.out);
    CHECK(result.at("count") == 4);
    CHECK(result.at("per_class").size() == 2);
    CHECK(result.at("top5") == 1.0);
    CHECK(result.at("loss").get<double>() > 0);
    CHECK_FALSE(result.contains("top1_own"));
    std::filesystem::rename(data + "/val/ants", data + "/val/wasps");
    const Outcome unknown = cambium({"evaluate", run, data});
    CHECK(unknown.status == 1);
    CHECK(unknown.error.find("'wasps'") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "devices agree: the reference in double and the CPU in f32 and bf16") {
    const auto logit = [&](std::vector<std::string> more) {
        std::vector<std::string> arguments{"predict", run, photo, "--json"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const Outcome outcome = cambium(arguments);
        REQUIRE_MESSAGE(outcome.status == 0, outcome.error);
        return lines(outcome.out).at(0).at("top").at(0).at("logit").get<double>();
    };
    const double exact = logit({"--device", "reference"});
    CHECK(logit({}) == doctest::Approx(exact).epsilon(1e-4));
    CHECK(logit({"--precision", "bf16"}) == doctest::Approx(exact).epsilon(0.1));
    CHECK(cambium({"predict", run, photo, "--device", "reference", "--precision", "f32"}).status == 2);
}

TEST_CASE_FIXTURE(Fixture, "the wrong model is refused with the right one's name; what is missing is named") {
    const Outcome wrong = cambium({"predict", weights, photo, "--model", "resnet18"});
    CHECK(wrong.status == 2);
    CHECK(wrong.error.find("holds a resnet20_cifar") != std::string::npos);
    const std::string bare = scratch / "bare.pth";  // says nothing of itself
    {
        const WeightsFile file = WeightsFile::open(weights);
        const std::vector<WeightsEntry> entries(file.entries().begin(), file.entries().end());
        write_weights(bare, entries, [&](std::size_t index) { return file.read(entries[index]); }, {});
    }
    for (const char* model : {"resnet18", "squeezenet1_1"}) {
        const Outcome other = cambium({"predict", bare, photo, "--model", model});
        CHECK(other.status == 1);
        CHECK(other.error.find("its tensors fit --model resnet20_cifar") != std::string::npos);
    }
    const Outcome missing = cambium({"predict", scratch / "nothing.pth", photo});
    CHECK(missing.status == 1);
    CHECK(missing.error.find("nothing.pth") != std::string::npos);
    const Outcome unfetched = cambium({"predict", "resnet50", photo}, {"CAMBIUM_CACHE=" + scratch.path().string()});
    CHECK(unfetched.status == 1);
    CHECK(unfetched.error.find("cambium fetch resnet50") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "convert goes to PyTorch and back without a change; inspect shows both") {
    const std::string pth = scratch / "w.pth", back = scratch / "back.safetensors";
    REQUIRE(cambium({"convert", weights, pth}).status == 0);
    REQUIRE(cambium({"convert", pth, back}).status == 0);
    const WeightsFile first = WeightsFile::open(weights), last = WeightsFile::open(back);
    REQUIRE(first.entries().size() == last.entries().size());
    CHECK(first.metadata() == last.metadata());
    for (const WeightsEntry& entry : first.entries()) {
        const Tensor a = first.read(entry), b = last.read(entry.name);
        CHECK(std::ranges::equal(a.bytes(), b.bytes()));
    }
    const Json shown = Json::parse(cambium({"inspect", pth, "--json"}).out);
    CHECK(shown.at("format") == "PyTorch zip");
    CHECK(shown.at("fits").at(0) == "resnet20_cifar");
    CHECK(shown.at("tensors").size() == first.entries().size());
    CHECK(cambium({"inspect", weights}).out.find("layer3.2.conv2.weight") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "where a result cannot be written is said before anything is computed") {
    const Outcome logits = cambium({"predict", run, photo, "--logits", "/no/such/folder/l.safetensors"});
    CHECK(logits.status == 1);
    CHECK(logits.out.empty());  // no photo was looked at
    CHECK(logits.error.find("cannot write /no/such/folder/l.safetensors") != std::string::npos);
    const Outcome onnx = cambium({"convert", weights, scratch / "w.onnx"});
    CHECK(onnx.status == 2);
    CHECK(onnx.error.find("known are .safetensors, and .pt, .pth and .th") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(scratch / "w.onnx"));
    CHECK(cambium({"convert", weights, scratch / "w"}).status == 2);
    CHECK(cambium({"convert", weights, "/no/such/folder/w.pth"}).status == 1);
    const Outcome ftp = cambium({"fetch", "resnet18", "--mirror", "ftp://x/resnet18.pth"});
    CHECK(ftp.status == 2);
    CHECK(ftp.error.find("https://, http:// or file://") != std::string::npos);
    CHECK(cambium({"fetch", "--mirror", "https://x"}).status == 2);
}

TEST_CASE("inspect --graph prints operators, operations and the memory plan, as text, JSON or DOT") {
    const Outcome text = cambium({"inspect", "--graph", "leafnet", "--training", "--batch", "2"});
    INFO(text.error);
    REQUIRE(text.status == 0);
    for (const char* part : {"layer3.1.conv2", "conv2d", "flop", "arena)", "sgd_update"}) {
        CHECK_MESSAGE(text.out.find(part) != std::string::npos, part);
    }
    std::istringstream stream(text.out);
    for (std::string line; std::getline(stream, line);) CHECK(line.size() <= 100);
    const Outcome object = cambium({"inspect", "--graph", "leafnet", "--classes", "7", "--json"});
    INFO(object.error);
    REQUIRE(object.status == 0);
    const Json graph = Json::parse(object.out);
    CHECK(graph.at("model") == "leafnet");
    CHECK(graph.at("arena_bytes") > 0);
    bool found = false;
    for (const Json& step : graph.at("steps")) {
        if (step.at("operator") == "reorder") CHECK_FALSE(step.at("layer").get<std::string>().empty());
        if (step.at("layer") != "fc" || step.at("derived") == true) continue;
        found = found || step.at("results").at(0).at("shape") == Json{1, 7};
    }
    CHECK(found);
    const Outcome dot = cambium({"inspect", "--graph", "leafnet", "--dot"});
    CHECK(dot.out.starts_with("digraph \"leafnet\" {"));
    CHECK(dot.out.find("conv2d") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "inspect's options for graphs are refused beside a file, two outputs beside one another") {
    for (const char* option : {"--dot", "--training"}) {
        const Outcome outcome = cambium({"inspect", weights, option});
        CHECK(outcome.status == 2);
        CHECK(outcome.error.find(std::string(option) + " goes with --graph MODEL") != std::string::npos);
    }
    CHECK(cambium({"inspect", "--graph", "leafnet", "--dot", "--json"}).status == 2);
}

TEST_CASE("names of tensors and classes that hold control characters are shown escaped, as text and as JSON") {
    const test::Scratch scratch;
    const std::string file = scratch / "evil.safetensors";
    const Tensor value(Shape{1}, DType::f32);
    const NamedTensor tensor{"a\x1b[2Jb\x7f\xc2\x9b", &value};
    write_safetensors(file, std::span(&tensor, 1), {{"k\x1b", "v\n\x07"}});
    for (const bool json : {false, true}) {
        std::vector<std::string> arguments{"inspect", file};
        if (json) arguments.emplace_back("--json");
        const Outcome outcome = cambium(arguments);
        REQUIRE(outcome.status == 0);
        CHECK(outcome.out.find("a\\u001b[2Jb\\u007f\\u009b") != std::string::npos);
        for (const char c : outcome.out) CHECK((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
    }
    const Json object = Json::parse(cambium({"inspect", file, "--json"}).out);
    CHECK(object.at("tensors").at(0).at("name") == tensor.name);
    CHECK(object.at("metadata").at("k\x1b") == "v\n\x07");
    const Outcome missing = cambium({"inspect", scratch / "\x1b[31m.pth"});
    CHECK(missing.status == 1);
    CHECK(missing.error.find('\x1b') == std::string::npos);
    CHECK(missing.error.find("\\u001b[31m.pth") != std::string::npos);
}

TEST_CASE("a batch for which there is no memory is answered at once with the one that fits") {
    const Outcome outcome = cambium({"bench", "step", "--model", "squeezenet1_1", "--batch", "65536", "--json"});
    CHECK(outcome.status == 1);
    CHECK(outcome.out.empty());
    CHECK(outcome.error.find("a training step of squeezenet1_1 with batch 65536 needs") != std::string::npos);
    CHECK(outcome.error.find("are available; --batch ") != std::string::npos);
}

TEST_CASE("bench step and devices speak JSON") {
    const Outcome bench =
        cambium({"bench", "step", "--model", "squeezenet1_1", "--batch", "1", "--steps", "1", "--json"});
    INFO(bench.error);
    REQUIRE(bench.status == 0);
    const Json figures = Json::parse(bench.out);
    for (const char* field : {"images_per_second", "milliseconds", "peak_memory_mb"}) CHECK(figures.at(field) > 0);
    const Json devices = Json::parse(cambium({"devices", "--json"}).out);
    CHECK(devices.at("threads") >= 1);
    CHECK(devices.at("libraries").contains("oneDNN"));
}

TEST_CASE_FIXTURE(Fixture, "sheet draws a row of photos for each class; an unreadable one leaves its place blank") {
    const std::string out = scratch / "sheet.png", photos = data + "/val";  // two of each class: one is held out
    const auto sheet = [&](std::vector<std::string> more) {
        std::vector<std::string> arguments{"sheet", photos, "--size", "16", "--out", out};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return cambium(arguments);
    };
    const Outcome drawn = sheet({});
    INFO(drawn.error);
    REQUIRE(drawn.status == 0);
    CHECK(drawn.out.find("1  ants (1 photo)\n   2  bees") != std::string::npos);
    CHECK(decode(std::filesystem::path(out)).size() == Size{24, 44});

    for (const char* ant : {"/ants/0.ppm", "/ants/1.ppm"}) std::ofstream(photos + ant) << "not a photo";
    const Outcome broken = sheet({});
    CHECK(broken.status == 1);
    CHECK(broken.error.find(".ppm") != std::string::npos);
    const Image image = decode(std::filesystem::path(out));
    const auto white = [&](int top) {
        return std::all_of(image.row(top), image.row(top + 16), [](std::uint8_t value) { return value == 255; });
    };
    CHECK(white(4));
    CHECK_FALSE(white(24));

    CHECK(sheet({"--split", "trian"}).error.find("did you mean train?") != std::string::npos);
    CHECK(sheet({"--split", "test"}).status == 2);  // there is none
    CHECK(sheet({"--columns", "0"}).status == 2);
    CHECK(cambium({"sheet", scratch / "nothing"}).status == 1);
    CHECK(cambium({"sheet", "leaves", "--size", "4096", "--columns", "1000"}).status == 1);
}

TEST_CASE("bench kernels --counters counts the accesses of a step's kernels, where the build has them for the CPU") {
    CHECK(cambium({"bench", "kernels"}).status == 2);
    const Outcome found = cambium(
        {"bench", "kernels", "--counters", "--model", "resnet20_cifar", "--kernel", "softmax_cross_entropy", "--json"});
    if (found.status != 0) {
        CHECK(found.error.find("has no simt module") != std::string::npos);
        return;
    }
    const Json kernels = Json::parse(found.out).at("kernels");
    CHECK(kernels.size() == 2);  // the loss and its gradient, once in a step each
    for (const Json& kernel : kernels) {
        CHECK(kernel.at("count") == 1);
        CHECK(kernel.at("bytes").get<double>() >= 4000);  // a row of 1000 logits in f32
        CHECK(kernel.at("sector_factor").get<double>() >= 1);
    }
    CHECK(cambium({"bench", "kernels", "--counters", "--kernel", "nothing"}).status == 2);
}

}  // namespace cambium
