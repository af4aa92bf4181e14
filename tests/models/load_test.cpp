#include "models/load.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
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

// Names and shapes of torchvision's vit_b_16-c867db91.pth, whose linear layers have former names.
std::vector<WeightsEntry> published_vit() {
    std::vector<WeightsEntry> entries;
    const auto add = [&](const std::string& name, Shape shape) { entries.push_back({name, {shape, DType::f32}}); };
    add("class_token", {1, 1, 768});
    add("conv_proj.weight", {768, 3, 16, 16});
    add("conv_proj.bias", {768});
    add("encoder.pos_embedding", {1, 197, 768});
    for (int i = 0; i < 12; ++i) {
        const std::string layer = "encoder.layers.encoder_layer_" + std::to_string(i) + ".";
        for (const char* norm : {"ln_1", "ln_2"}) {
            add(layer + norm + ".weight", {768});
            add(layer + norm + ".bias", {768});
        }
        add(layer + "self_attention.in_proj_weight", {2304, 768});
        add(layer + "self_attention.in_proj_bias", {2304});
        add(layer + "self_attention.out_proj.weight", {768, 768});
        add(layer + "self_attention.out_proj.bias", {768});
        add(layer + "mlp.linear_1.weight", {3072, 768});
        add(layer + "mlp.linear_1.bias", {3072});
        add(layer + "mlp.linear_2.weight", {768, 3072});
        add(layer + "mlp.linear_2.bias", {768});
    }
    add("encoder.ln.weight", {768});
    add("encoder.ln.bias", {768});
    add("heads.head.weight", {1000, 768});
    add("heads.head.bias", {1000});
    return entries;
}

// A safetensors file with these tensors and no content: 346 MB that take no room on the disk.
void write_empty(const std::filesystem::path& path, const std::vector<WeightsEntry>& entries) {
    std::string header = "{";
    std::size_t at = 0;
    for (const WeightsEntry& entry : entries) {
        header +=
            fmt::format("{}\"{}\":{{\"dtype\":\"F32\",\"shape\":[{}],\"data_offsets\":[{},{}]}}", at == 0 ? "" : ",",
                        entry.name, fmt::join(entry.spec.shape.extents(), ","), at, at + entry.spec.bytes());
        at += entry.spec.bytes();
    }
    header += "}";
    header.append((8 - header.size() % 8) % 8, ' ');
    const std::uint64_t size = header.size();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&size), sizeof size);
    file << header;
    file.close();
    std::filesystem::resize_file(path, sizeof size + header.size() + at);
}

}  // namespace

TEST_CASE("published ViT weights fit at 224 px and only there, and are known by their tensors") {
    const Folder folder;
    write_empty(folder.path / "vit.safetensors", published_vit());
    const WeightsFile file = WeightsFile::open(folder.path / "vit.safetensors");
    const Architecture& vit = architecture("vit_b_16");
    Graph graph;
    build_network(vit, image_input(graph, 1, vit.preprocessing));
    const LoadReport report = match(file, graph, vit);
    CHECK(report.complete());
    CHECK(report.matched.size() == 152);
    CHECK(report.left_over.empty());
    const auto fitting = fitting_architectures(file);
    REQUIRE(fitting.size() == 1);
    CHECK(fitting.front() == &vit);

    Graph small;
    build_network(vit, small.input("x", {1, 64, 64, 3}, DType::f32));
    const LoadReport other = match(file, small, vit);
    CHECK(other.differing.size() == 1);
    CHECK_THROWS_WITH_AS(
        require_complete(file, other, vit),
        doctest::Contains("'encoder.pos_embedding' is [1, 197, 768] in the file and [1, 17, 768] in the model; its "
                          "tensors fit a vit_b_16 for images of 224 pixels"),
        Error);
}

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
