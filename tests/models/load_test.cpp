#include "models/load.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <limits>

#include "engine/backends/backend.h"
#include "engine/base/error.h"
#include "engine/graph/program.h"
#include "tests/compare.h"

namespace cambium {
namespace {

using test::compare;

// A network of small images in a store with its initial values.
struct Model {
    explicit Model(std::string_view name, std::int64_t classes, std::uint64_t seed = 0)
        : architecture(cambium::architecture(name)), store(host_memory()) {
        build_network(architecture, image_input(graph, 1, architecture.preprocessing), {.classes = classes});
        declare_entries(graph, store, seed);
    }
    const Architecture& architecture;
    Graph graph;
    Store store;
};

struct Folder {
    Folder() : path(std::filesystem::temp_directory_path() / "cambium_load_test") {
        std::filesystem::create_directories(path);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

}  // namespace

TEST_CASE("what is saved is loaded again, in safetensors and PyTorch files, batch counters included") {
    const Folder folder;
    for (const char* name : {"model.safetensors", "model.pth"}) {
        Model first("resnet20_cifar", 10, 1), second("resnet20_cifar", 10, 2);
        const Architecture& architecture = first.architecture;
        first.store.declare(
            {.name = "bn1.num_batches_tracked", .spec = {Shape{}, DType::i64}, .role = Role::statistic});
        Tensor count(Shape{}, DType::i64);
        count.values<std::int64_t>()[0] = 5'000'000'000;
        first.store.write("bn1.num_batches_tracked", count);
        save_weights(folder.path / name, first.graph, first.store, {{"epoch", "3"}});

        const WeightsFile file = WeightsFile::open(folder.path / name);
        CHECK(file.metadata().at("epoch") == "3");
        CHECK(file.find("conv1.weight")->spec.shape == Shape{16, 3, 3, 3});
        const LoadReport report = load_weights(file, second.graph, second.store, architecture);
        CHECK(report.matched.size() == first.graph.entries().size());
        CHECK(report.left_over.empty());
        for (const auto& [entry, spec] : first.graph.entries()) {
            CHECK(compare(second.store.read(entry), first.store.read(entry), test::exact("the file holds f32")));
        }
        CHECK(second.store.read("bn1.num_batches_tracked").values<std::int64_t>()[0] == 5'000'000'000);
        CHECK(second.store.read("layer1.0.bn1.num_batches_tracked").values<std::int64_t>()[0] == 0);
    }
}

TEST_CASE("a head of another size is refused, or replaced and said so") {
    const Folder folder;
    Model trained("resnet20_cifar", 10, 1), own("resnet20_cifar", 3, 2);
    save_weights(folder.path / "w.safetensors", trained.graph, trained.store, {});
    const WeightsFile file = WeightsFile::open(folder.path / "w.safetensors");
    CHECK_THROWS_WITH_AS(load_weights(file, own.graph, own.store, own.architecture),
                         doctest::Contains("'linear.bias' is [10] in the file and [3] in the model"), Error);

    const Tensor before = own.store.read("linear.weight");
    const LoadReport report =
        load_weights(file, own.graph, own.store, own.architecture, HeadPolicy::replace_if_other_size);
    CHECK(report.new_head == std::vector<std::string>{"linear.bias", "linear.weight"});
    CHECK(report.classes_in_file == 10);
    CHECK(report.text().find("the head for 10 classes is replaced by a new one") != std::string::npos);
    CHECK(compare(own.store.read("linear.weight"), before, test::exact("a new head keeps its initial values")));
    CHECK(compare(own.store.read("conv1.weight"), trained.store.read("conv1.weight"), test::exact("loaded")));

    Model same("resnet20_cifar", 10, 3);
    CHECK(load_weights(file, same.graph, same.store, same.architecture, HeadPolicy::replace_if_other_size)
              .new_head.empty());
    CHECK(load_weights(file, same.graph, same.store, same.architecture, HeadPolicy::renew).new_head.size() == 2);
}

TEST_CASE("weights of another architecture are refused with the name of the right one") {
    const Folder folder;
    Model trained("resnet56_cifar", 10);
    save_weights(folder.path / "w.safetensors", trained.graph, trained.store, {});
    const WeightsFile file = WeightsFile::open(folder.path / "w.safetensors");
    const auto fitting = fitting_architectures(file);
    REQUIRE(!fitting.empty());
    CHECK(fitting.front()->name == "resnet56_cifar");

    Model leaf("leafnet", 10);
    CHECK_THROWS_WITH_AS(load_weights(file, leaf.graph, leaf.store, leaf.architecture),
                         doctest::Contains("--model resnet56_cifar"), Error);
}

TEST_CASE("tensors that the model does not have are named, never dropped in silence") {
    const Folder folder;
    const Tensor extra(Shape{2}, DType::f32);
    Model model("resnet20_cifar", 10);
    std::vector<Tensor> tensors;
    std::vector<NamedTensor> named;
    for (const WeightsEntry& entry : weights_entries(model.graph, model.store)) {
        tensors.push_back(model.store.read_file(entry.name));
    }
    std::size_t i = 0;
    for (const WeightsEntry& entry : weights_entries(model.graph, model.store))
        named.push_back({entry.name, &tensors[i++]});
    named.push_back({"teacher.weight", &extra});
    write_safetensors(folder.path / "w.safetensors", named);
    const WeightsFile file = WeightsFile::open(folder.path / "w.safetensors");
    const LoadReport report = load_weights(file, model.graph, model.store, model.architecture);
    CHECK(report.left_over == std::vector<std::string>{"teacher.weight"});
    CHECK(report.text().find("left over in the file: teacher.weight") != std::string::npos);
}

TEST_CASE("batches are counted for the norms that train") {
    Graph graph;
    const auto trainable = [](std::string_view name) { return name.starts_with("layer3"); };
    const Architecture& chosen = architecture("resnet20_cifar");
    const Network network = build_network(chosen, image_input(graph, 4, chosen.preprocessing),
                                          {.mode = Mode::training, .trainable = trainable});
    assign_statistics(network);
    Store store(host_memory());
    declare_entries(graph, store);
    count_batches(graph, store, 7);
    count_batches(graph, store, 2);
    CHECK(store.read("layer3.0.bn1.num_batches_tracked").values<std::int64_t>()[0] == 9);
    CHECK_FALSE(store.contains("layer1.0.bn1.num_batches_tracked"));
}

TEST_CASE("running statistics move a tenth of the way, unless the guard is not finite") {
    const auto backend = make_reference_backend();
    for (const double guard : {1.0, std::numeric_limits<double>::infinity()}) {
        Graph graph;
        Store store(backend->memory(), DType::f64);
        Builder b(graph, {.mode = Mode::training});
        const Value x = graph.input("x", {2, 1, 2, 1}, DType::f32);
        b.tap("features", b.batch_norm("bn", x));
        const Network network = b.finish(b.last_tap());
        assign_statistics(network, graph.input("guard", {}, DType::f32));
        graph.output("y", network.logits);
        declare_entries(graph, store);
        Program program = compile(graph, store, *backend, {.precision = Precision::f64});
        const double values[] = {1, 2, 3, 6};  // mean 3, variance 14 / 4, unbiased 14 / 3
        program.set("x", Tensor({2, 1, 2, 1}, std::span<const double>(values)));
        program.set("guard", guard);
        program.run();
        const bool moved = guard == 1.0;
        CHECK(compare(store.read("bn.running_mean").values<double>()[0], moved ? 0.3 : 0.0,
                      test::absolute(1e-12, "double arithmetic")));
        CHECK(compare(store.read("bn.running_var").values<double>()[0], moved ? 0.9 + 0.1 * 14 / 3 : 1.0,
                      test::absolute(1e-12, "double arithmetic")));
    }
}

}  // namespace cambium
