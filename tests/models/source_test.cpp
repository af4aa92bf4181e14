#include "models/source.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "engine/base/error.h"
#include "models/load.h"

namespace cambium {
namespace {

// A run's folder with a small network for `classes` classes, metadata as given.
struct Run {
    Run(std::int64_t classes, const Metadata& metadata) {
        std::filesystem::create_directories(folder);
        const Architecture& chosen = architecture("resnet20_cifar");
        Graph graph;
        build_network(chosen, image_input(graph, 1, chosen.preprocessing), {.classes = classes});
        Store store(host_memory());
        declare_entries(graph, store);
        save_weights(file, graph, store, metadata);
    }
    ~Run() { std::filesystem::remove_all(folder); }
    std::filesystem::path folder = std::filesystem::temp_directory_path() / "cambium_source_test";
    std::filesystem::path file = folder / "model.safetensors";
};

}  // namespace

TEST_CASE("preprocessing survives the way through JSON to the bit") {
    for (const Architecture& chosen : architectures()) {
        CHECK(preprocessing_from_json(to_json(chosen.preprocessing)) == chosen.preprocessing);
    }
    CHECK(to_json(Preprocessing{}).find("\"mean\":[0.485,0.456,0.406]") != std::string::npos);
    CHECK_THROWS_WITH_AS(preprocessing_from_json("{}"), doctest::Contains("'resize'"), Error);
    CHECK_THROWS_WITH_AS(preprocessing_from_json("[1]"), doctest::Contains("no JSON object"), Error);
    std::string text = to_json(Preprocessing{});
    text.replace(text.find("bilinear"), 8, "lanczos4");
    CHECK_THROWS_WITH_AS(preprocessing_from_json(text), doctest::Contains("'lanczos4'"), Error);
}

TEST_CASE("a run's folder is a source of its own classes and preprocessing") {
    Preprocessing preprocessing = architecture("resnet20_cifar").preprocessing;
    preprocessing.crop = 40;
    const Run run(2, source_metadata(architecture("resnet20_cifar"), {"ants", "bees \"wild\""}, preprocessing));
    const Source source = open_source(run.folder, "");
    CHECK(source.architecture->name == "resnet20_cifar");
    CHECK(source.classes == std::vector<std::string>{"ants", "bees \"wild\""});
    CHECK(source.class_set == ClassSet::none);
    CHECK(source.preprocessing == preprocessing);
    CHECK_THROWS_WITH_AS(open_source(run.folder, "resnet50"),
                         doctest::Contains("holds a resnet20_cifar, not a resnet50"), UsageError);
}

TEST_CASE("a bare file is known by its tensors, where they fit one model") {
    const Run run(10, {});
    const Source source = open_source(run.file, "");
    CHECK(source.architecture->name == "resnet20_cifar");
    CHECK(source.class_set == ClassSet::cifar10);
    CHECK(source.classes.at(3) == "cat");
    CHECK(!source.notes.empty());
}

TEST_CASE("classes that contradict the head are refused; unnamed ones are numbered") {
    {
        const Run run(3, {{architecture_key, "resnet20_cifar"}, {classes_key, "[\"a\", \"b\"]"}});
        CHECK_THROWS_WITH_AS(open_source(run.file, ""), doctest::Contains("names 2 classes, but its head has 3"),
                             Error);
    }
    {
        const Run run(3, {{architecture_key, "resnet20_cifar"}, {classes_key, "{\"a\": 1}"}});
        CHECK_THROWS_WITH_AS(open_source(run.file, ""), doctest::Contains("no list of texts"), Error);
    }
    const Run run(3, {});
    CHECK(open_source(run.file, "resnet20_cifar").classes.at(2) == "class 2");
}

TEST_CASE("a folder without a model is no source") {
    CHECK_THROWS_WITH_AS(open_source(std::filesystem::temp_directory_path(), ""),
                         doctest::Contains("without model.safetensors"), Error);
}

}  // namespace cambium
