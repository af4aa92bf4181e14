// The parts that training is made of, each alone: name patterns, metrics, configuration, log, recipes' plans.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "engine/base/error.h"
#include "tests/compare.h"
#include "tools/training/metrics.h"
#include "tools/training/patterns.h"
#include "tools/training/plan.h"
#include "tools/training/run_log.h"
#include "tools/training/step_graphs.h"

namespace cambium {
namespace {

namespace fs = std::filesystem;

struct Folder {
    fs::path path = fs::temp_directory_path() / ("cambium-parts-" + std::to_string(getpid()));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
};

TEST_CASE("patterns match whole names as in a shell") {
    CHECK(matches("layer1.*", "layer1.0.conv1.weight"));
    CHECK_FALSE(matches("layer1.*", "layer11"));
    CHECK(matches("*", ""));
    CHECK(matches("*.bias", "fc.bias"));
    CHECK(matches("*bn?.weight", "layer1.0.bn2.weight"));
    CHECK(matches("a*b*c", "a-b-b-c"));
    CHECK_FALSE(matches("a*b*c", "a-b-b"));
    CHECK_FALSE(matches("fc", "fc.bias"));
    CHECK(split_patterns(" layer1.*, conv1.* ,") == std::vector<std::string>{"layer1.*", "conv1.*"});
    CHECK(split_patterns("").empty());
}

TEST_CASE("a selection that means nothing is refused with the nearest name") {
    const std::vector<std::string> names = {"conv1.weight", "fc.weight", "fc.bias"};
    CHECK_NOTHROW(require_effective({.train = {"fc.*"}}, names));
    CHECK_THROWS_WITH_AS(require_effective({.train = {"fc.weigth"}}, names), doctest::Contains("fc.weight"),
                         UsageError);
    CHECK_THROWS_WITH_AS(require_effective({.freeze = {"cov1.*"}}, names), doctest::Contains("near it is conv1.*"),
                         UsageError);
    CHECK_THROWS_WITH_AS(require_effective({.freeze = {"transformer.7"}}, names),
                         doctest::Contains("its parts are conv1.*, fc.* ("), UsageError);
    CHECK_THROWS_AS(require_effective({.train = {"fc.*"}, .freeze = {"fc.*"}}, names), UsageError);
    CHECK(Selection{.train = {"*"}, .freeze = {"conv1.*"}}("fc.bias"));
    CHECK_FALSE(Selection{.train = {"*"}, .freeze = {"conv1.*"}}("conv1.weight"));
}

TEST_CASE("metrics of a set counted by hand") {
    // Rows: right, wrong (class 0 for 1), right by the tie rule, wrong by it.
    const std::vector<float> values = {2, 0, 0, /**/ 1, 0, 0, /**/ 0, 1, 1, /**/ 1, 1, 0};
    const Tensor logits({4, 3}, std::span<const float>(values));
    const std::vector<int> labels = {0, 1, 1, 1};
    const Scores s = score(logits, labels);
    CHECK(s.top1 == 0.5);
    CHECK(s.top5 == 1.0);
    CHECK(s.majority == 0.75);
    CHECK(s.confusion == std::vector<std::int64_t>{1, 0, 0, 2, 1, 0, 0, 0, 0});
    const auto near = [](double actual, double expected) {
        return test::compare(actual, expected, test::absolute(1e-12, "a handful of double operations"));
    };
    CHECK(near(s.balanced_accuracy, (1.0 + 1.0 / 3) / 2));
    CHECK(near(s.macro_f1, (0.5 + 0.5) / 2));
    CHECK(near(s.loss, (std::log(std::exp(2.0) + 2) - 2 + std::log(std::exp(1.0) + 2) +
                        std::log(1 + 2 * std::exp(1.0)) - 1 + std::log(1 + 2 * std::exp(1.0)) - 1) /
                           4));
    const std::vector<Mistake> mistakes = worst_mistakes(logits, labels, 1);
    REQUIRE(mistakes.size() == 1);
    CHECK(mistakes[0].index == 1);
    CHECK(mistakes[0].predicted == 0);
    CHECK_THROWS_AS(score(logits, {0, 1}), Error);
}

TEST_CASE("layers fall behind one another in rate, blocks of one stage together") {
    const std::map<std::string, double> factors = layer_rate_factors(
        {"conv1.weight", "layer1.0.conv1.weight", "layer1.1.bn1.bias", "layer2.0.conv1.weight", "fc.weight", "fc.bias"},
        0.5);
    CHECK(factors.at("fc.weight") == 1);
    CHECK(factors.at("fc.bias") == 1);
    CHECK(factors.at("layer2.0.conv1.weight") == 0.5);
    CHECK(factors.at("layer1.0.conv1.weight") == 0.25);
    CHECK(factors.at("layer1.1.bn1.bias") == 0.25);
    CHECK(factors.at("conv1.weight") == 0.125);
}

TEST_CASE("a resumed log keeps the lines that the state counts and drops the rest") {
    const Folder folder;
    LogLine line{.step = 3, .epoch = 1, .phase = "head"};
    line.lr = 0.001;
    line.val_top1 = 0.9;
    line.seconds = 1.5;
    {
        RunLog log(folder.path, 0);
        log.append(line);
        log.append(line);
        CHECK(log.lines() == 2);
    }
    RunLog log(folder.path, 1);
    CHECK(log.lines() == 1);
    CHECK(to_json_line(log.all()[0]) == to_json_line(line));
    CHECK_THROWS_WITH_AS(RunLog(folder.path, 5), doctest::Contains("has 1 lines"), Error);
    std::ofstream(folder.path / "metrics.jsonl", std::ios::app) << "{\"step\": 4\n";
    CHECK_THROWS_WITH_AS(RunLog(folder.path, 2), doctest::Contains("line 2"), Error);
}

Request small_request(const std::string& recipe) {
    Request request{.data = "leaves?train=4&val=2&test=0", .model = "leafnet", .recipe = recipe};
    return request;
}

TEST_CASE("a configuration survives its file") {
    Request request = small_request("scratch");
    request.dropout = 0.25;
    request.accumulate = 2;
    const Dataset data = open_dataset(request.data);
    const Start start = find_start(request);
    const TrainingConfig config = plan(request, data, start);
    CHECK(to_json(config_from_json(to_json(config))) == to_json(config));
    CHECK(config.phases.size() == 1);
    CHECK(config.train_count == 24);
}

const Op& first_op(const Graph& graph) {
    for (const Node& node : graph.nodes()) {
        if (!std::holds_alternative<ops::Input>(node.op)) return node.op;
    }
    throw Error("the graph has no operator");
}

TEST_CASE("a training step begins with the augmentation of its photos, evaluation with their normalisation") {
    Request request = small_request("scratch");
    request.jitter = 0.4;
    const Dataset data = open_dataset(request.data);
    const Start start = find_start(request);
    TrainingConfig config = plan(request, data, start);
    const auto graphs = [&] { return PhaseGraphs(config, config.phases[0], *start.architecture); };
    const ops::Augment augment = std::get<ops::Augment>(first_op(graphs().train(4, {})));
    CHECK(augment.contrast == ops::Augment::Contrast::possible);
    for (std::size_t c = 0; c < 3; ++c) {  // what is erased becomes zero
        const double erased = double{augment.normalization.scale[c]} * double{augment.fill[c]};
        CHECK(test::compare(erased, -double{augment.normalization.shift[c]}, test::absolute(1e-6, "rounding of f32")));
    }
    CHECK(std::holds_alternative<ops::Normalize>(first_op(graphs().evaluate(4, {}))));
    config.augmentation.contrast = 0;
    CHECK(std::get<ops::Augment>(first_op(graphs().train(4, {}))).contrast == ops::Augment::Contrast::none);
    config.augment = false;
    CHECK(std::holds_alternative<ops::Normalize>(first_op(graphs().train(4, {}))));
}

// `text` with the first `from` replaced.
std::string with(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

TEST_CASE("a damaged configuration is refused in a sentence of ours that names file and field") {
    const Request request = small_request("scratch");
    const Dataset data = open_dataset(request.data);
    const std::string good = to_json(plan(request, data, find_start(request)));
    const std::pair<std::string, const char*> cases[] = {
        {"", "it is not JSON"},
        {good.substr(0, good.size() / 2), "it is not JSON"},
        {"{}", "the field 'data' is missing"},
        {"[]", "the field 'data' is missing"},
        {with(good, "\"batch\": 4", "\"batch\": -8"), "the field 'batch' is -8, and must be at least 1"},
        {with(good, "\"batch\": 4", "\"batch\": \"four\""), "the field 'batch' lacks a part"},
        {with(good, "\"epochs\": ", "\"epocs\": "), "the field 'phases' lacks a part"},
        {with(good, "\"kind\": \"cosine\"", "\"kind\": \"sine\""), "the field 'phases'"},
        {with(good, "\"crop\": ", "\"crap\": "), "'crop'"}};
    const Folder folder;
    const fs::path file = folder.path / "config.json";
    for (const auto& [text, part] : cases) {
        CAPTURE(part);
        std::ofstream(file, std::ios::binary) << text;
        std::string error;
        try {
            read_config(file);
        } catch (const UsageError&) {  // nobody has typed anything wrong
        } catch (const Error& caught) {
            error = caught.what();
        }
        INFO(error);
        CHECK(error.find(part) != std::string::npos);
        CHECK(error.find(file.string()) != std::string::npos);
        CHECK(error.find("json.exception") == std::string::npos);
    }
}

TEST_CASE("every choice has a reason, and what is asked for is no choice") {
    Request request = small_request("scratch");
    const Dataset data = open_dataset(request.data);
    const Start start = find_start(request);
    const TrainingConfig config = plan(request, data, start);
    for (const Choice& choice : config.choices) CHECK_FALSE(choice.reason.empty());
    const auto chosen = [](const TrainingConfig& c, const std::string& what) {
        return std::any_of(c.choices.begin(), c.choices.end(),
                           [&](const Choice& choice) { return choice.what == what; });
    };
    CHECK(chosen(config, "batch"));
    CHECK(chosen(config, "epochs (all)"));
    request.batch = 6;
    request.epochs = 2;
    request.rate = 0.01;
    const TrainingConfig asked = plan(request, data, start);
    CHECK(asked.batch == 6);
    CHECK(asked.phases[0].epochs == 2);
    CHECK(asked.phases[0].schedule.total_steps == 8);
    CHECK_FALSE(chosen(asked, "batch"));
    CHECK_FALSE(chosen(asked, "epochs (all)"));
    CHECK_FALSE(chosen(asked, "rate (all)"));
}

TEST_CASE("a step takes no more photos than there are, and the rate is scaled by those it takes") {
    Request request = small_request("scratch");  // 24 photos
    request.batch = 5;
    request.accumulate = 65536;
    const Dataset data = open_dataset(request.data);
    const Start start = find_start(request);
    const TrainingConfig config = plan(request, data, start);
    CHECK(config.accumulate == 5);
    CHECK(config.phases[0].updates_per_epoch == 1);
    CHECK(config.phases[0].schedule.rate == 0.05 * std::sqrt(24.0 / 32));
    const auto said = [&](const std::string& what, const std::string& reason) {
        return std::any_of(config.choices.begin(), config.choices.end(), [&](const Choice& choice) {
            return choice.what == what && choice.reason.find(reason) != std::string::npos;
        });
    };
    CHECK(said("accumulate", "65536 were asked for"));
    request.batch = 65536;
    CHECK(plan(request, data, start).batch == 24);
    CHECK(plan(request, data, start).accumulate == 1);
}

TEST_CASE(
    "what a person should know of the data: what is left out or shared, the first few; classes without validation") {
    const Folder folder;
    const auto photo = [&](const std::string& name, int shade) {
        const fs::path file = folder.path / name;
        fs::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << "P6\n1 1\n255\n" << std::string(3, static_cast<char>(shade));
    };
    for (int i = 0; i < 3; ++i) {
        photo(fmt::format("train/ants/{}.ppm", i), i);
        photo(fmt::format("train/bees/{}.ppm", i), 10 + i);
    }
    photo("val/ants/1.ppm", 50);
    photo("train/bees/copy.ppm", 50);
    for (int i = 0; i < 7; ++i) std::ofstream(folder.path / "train/bees" / fmt::format("{}.txt", i)) << "notes";
    const Dataset data = open_dataset(folder.path.string());
    REQUIRE(data.notes.size() == 1);
    CHECK(data.notes[0] == "no validation photo of the class bees: its accuracy says nothing about it");
    const std::vector<std::string> sentences = worth_knowing(data);
    REQUIRE(sentences.size() == 9);  // five of seven files, that there are more, a shared photo and what it means, bees
    CHECK(sentences[5] == "and 2 more left out; the report names all of them");
    CHECK(sentences[7].starts_with("1 photo of the training set also"));
    CHECK(sentences[8] == data.notes[0]);
    CHECK_THROWS_WITH_AS(require_dataset((folder.path / "nothing").string()), doctest::Contains("there is no such"),
                         Error);
}

TEST_CASE("an imbalance above three to one weighs the loss and changes the criterion, and says so") {
    class Uneven final : public ImageSource {
      public:
        std::int64_t size() const override { return 24; }
        int label(std::int64_t index) const override { return index < 20 ? 0 : 1; }
        Image image(std::int64_t) const override { return Image({64, 64}); }
    };
    Request request = small_request("scratch");
    Dataset data{.name = "uneven", .classes = {"many", "few"}};
    data.train = data.validation = std::make_shared<Uneven>();
    const Start start = find_start(request);
    const TrainingConfig config = plan(request, data, start);
    CHECK(config.criterion == Criterion::balanced_accuracy);
    CHECK(config.class_weights == std::vector<double>{0.6, 3});
    request.balance = Request::Balance::off;
    CHECK(plan(request, data, start).class_weights.empty());
}

TEST_CASE("wrong names of recipes, models and samples name the nearest right one") {
    Request request = small_request("sratch");
    CHECK_THROWS_WITH_AS(find_start(request), doctest::Contains("scratch"), UsageError);
    request = small_request("scratch");
    request.model = "leafnte";
    CHECK_THROWS_WITH_AS(find_start(request), doctest::Contains("leafnet"), UsageError);
    CHECK_THROWS_WITH_AS(open_dataset("leaves:sauce"), doctest::Contains("leaves:source"), UsageError);
    CHECK_THROWS_WITH_AS(open_dataset("leaves?dail=1"), doctest::Contains("dial"), UsageError);
}

}  // namespace
}  // namespace cambium
