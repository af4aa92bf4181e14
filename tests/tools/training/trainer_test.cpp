// Whole runs, small: the same configuration gives the same bytes, crashes or not, and every feature of training that
// holds state between steps is part of that.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "data/formats/sha256.h"
#include "engine/base/error.h"
#include "tools/training/estimate.h"
#include "tools/training/phase_run.h"
#include "tools/training/trainer.h"

namespace cambium {
namespace {

namespace fs = std::filesystem;

struct Crash {};

// Watches in silence; ends the run in the middle by an exception when it has seen enough windows.
class Silent final : public Watcher {
  public:
    explicit Silent(int crash_at = -1) : left_(crash_at) {}
    void say(std::string_view sentence) override { said += std::string(sentence) + "\n"; }
    void glance(const Glance&) override {
        if (left_ >= 0 && left_-- == 0) throw Crash();
    }
    void features(std::int64_t, std::int64_t) override {}
    void epoch(const LogLine&, std::int64_t, std::int64_t, bool) override {}
    std::string said;

  private:
    int left_;
};

struct Folder {
    fs::path path;
    explicit Folder(const std::string& name)
        : path(fs::temp_directory_path() / fmt::format("cambium-{}-{}", name, getpid())) {
        fs::remove_all(path);
        fs::create_directories(path);
    }
    ~Folder() { fs::remove_all(path); }
};

struct World {
    Dataset data;
    Start start;
    TrainingConfig config;
    std::unique_ptr<Backend> backend = make_cpu_backend();

    explicit World(const Request& request)
        : data(open_dataset(request.data)), start(find_start(request)), config(plan(request, data, start)) {
        config.log_every = 1;
    }
    TrainerOptions options(const fs::path& folder, Watcher& watcher, const fs::path& cache = {}) {
        return {config, data, start, *backend, Precision::f32, folder, cache, watcher};
    }
};

// Everything that regularises, smooths or accumulates, and a last batch smaller than the others.
Request everything(const std::string& recipe) {
    Request request{.data = "leaves?train=5&val=2&test=1&size=32", .model = "leafnet", .recipe = recipe};
    request.size = 32;
    request.epochs = 2;
    request.batch = 4;
    request.accumulate = 3;
    request.save_every = 2;
    request.average = 0.9;
    request.clip = 1;
    request.jitter = 0.3;
    request.erase = 0.5;
    request.mixup = request.cutmix = 0.5;
    request.label_smoothing = 0.1;
    request.seed = 5;
    return request;
}

void run(World& world, const fs::path& folder) {
    Silent watcher;
    Trainer trainer(world.options(folder, watcher));
    trainer.start();
    trainer.train();
    trainer.conclude();
    trainer.finish();
}

std::string text_of(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    std::stringstream text;
    text << stream.rdbuf();
    return text.str();
}

// Names and digests of all that a run promises to reproduce.
std::string fingerprint(const fs::path& folder) {
    std::map<std::string, std::string> parts;
    for (const auto& entry : fs::directory_iterator(folder / "state")) {
        parts[entry.path().filename().string()] = sha256_of_file(entry.path());
    }
    parts["model"] = sha256_of_file(folder / "model.safetensors");
    std::string text;
    for (const auto& [name, digest] : parts) text += name + " " + digest + "\n";
    std::stringstream lines(text_of(folder / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) text += line.substr(0, line.find(",\"time\":")) + "\n";
    return text;
}

TEST_CASE("the same seed gives the same bytes, another seed others") {
    World world(everything("scratch"));
    const Folder first("same1"), second("same2"), third("same3");
    run(world, first.path);
    run(world, second.path);
    CHECK(fingerprint(first.path) == fingerprint(second.path));
    world.config.seed = 6;
    run(world, third.path);
    CHECK(fingerprint(first.path) != fingerprint(third.path));
}

TEST_CASE("a run that crashes anywhere and is resumed equals one that did not") {
    World world(everything("scratch"));
    const Folder whole("whole");
    run(world, whole.path);
    const std::string expected = fingerprint(whole.path);
    for (const int crash_at : {0, 1, 2, 3}) {  // every window: two within each of two epochs
        CAPTURE(crash_at);
        const Folder folder("crash");
        Silent crashing(crash_at);
        {
            Trainer trainer(world.options(folder.path, crashing));
            trainer.start();
            CHECK_THROWS_AS(trainer.train(), Crash);
        }
        Silent watcher;
        Trainer trainer(world.options(folder.path, watcher));
        trainer.resume();
        trainer.train();
        trainer.conclude();
        trainer.finish();
        CHECK(fingerprint(folder.path) == expected);
    }
}

TEST_CASE("a finished state says so, a damaged one is refused") {
    World world(everything("scratch"));
    const Folder folder("damage");
    run(world, folder.path);
    const Checkpoint checkpoint(folder.path / "state");
    const Checkpoint::State state = checkpoint.load();
    CHECK(state.progress.finished);
    const fs::path segment = folder.path / "state" / state.weights.changing.file;
    std::fstream stream(segment, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(-3, std::ios::end);
    stream.put('x');
    stream.close();
    Silent watcher;
    Trainer trainer(world.options(folder.path, watcher));
    CHECK_THROWS_WITH_AS(trainer.resume(), doctest::Contains("checksum"), Error);
    fs::remove(folder.path / "state" / state.progress.best.weights.changing.file);
    CHECK_THROWS_WITH_AS(trainer.resume(), doctest::Contains("is missing"), Error);
    std::string json = text_of(folder.path / "state/state.json");
    json.replace(json.find("\"step\": "), 9, "\"step\": 9");
    std::ofstream(folder.path / "state/state.json", std::ios::binary) << json;
    CHECK_THROWS_WITH_AS(checkpoint.load(), doctest::Contains("damaged"), Error);
    for (const char* text : {"", "{", "[1]", "{\"checksum\": 3}"}) {
        std::ofstream(folder.path / "state/state.json", std::ios::binary) << text;
        CHECK_THROWS_WITH_AS(checkpoint.load(), doctest::Contains("its checksum does not fit"), Error);
    }
    fs::remove_all(folder.path / "state");
    CHECK_THROWS_WITH_AS(checkpoint.load(), doctest::Contains("there is no"), Error);
}

TEST_CASE("features of a photo do not depend on its neighbours, and a changed photo costs one entry") {
    // Some photos of a larger set, in an order of its own.
    Request request = everything("scratch");
    request.train = {"fc.*"};
    World world(request);
    REQUIRE(world.config.phases[0].input == PhaseConfig::Input::features);
    Store store(world.backend->memory());
    Silent watcher;
    const TrainerOptions options = world.options({}, watcher);
    PhaseRun phase(options, world.config.phases[0], store);
    const Graph graph = phase.graphs().features(world.config.evaluation_batch);
    declare_entries(graph, store, 3);
    const Folder folder("features");
    const auto features = [&](const std::shared_ptr<const ImageSource>& source, std::int64_t cached,
                              std::int64_t computed) {
        FeatureCache cache(folder.path, phase.feature_program(), store, graph, world.config.preprocessing);
        Tensor result = cache.features(source, {});
        CHECK(cache.report().cached == cached);
        CHECK(cache.report().computed == computed);
        return result;
    };
    const auto& all = world.data.train;
    const std::int64_t count = all->size();
    const Tensor first = features(all, 0, count);
    const std::size_t row = first.bytes().size() / static_cast<std::size_t>(count);
    const auto equal_rows = [&](const Tensor& a, std::size_t i, const Tensor& b, std::size_t j) {
        return std::equal(a.bytes().begin() + static_cast<std::ptrdiff_t>(i * row),
                          a.bytes().begin() + static_cast<std::ptrdiff_t>((i + 1) * row),
                          b.bytes().begin() + static_cast<std::ptrdiff_t>(j * row));
    };

    class Changed final : public ImageSource {
      public:
        explicit Changed(std::shared_ptr<const ImageSource> from) : from_(std::move(from)) {}
        std::int64_t size() const override { return from_->size(); }
        int label(std::int64_t index) const override { return from_->label(index); }
        Image image(std::int64_t index) const override {
            Image image = from_->image(index);
            if (index == 7) image.at(3, 4)[1] ^= 1;
            return image;
        }

      private:
        std::shared_ptr<const ImageSource> from_;
    };
    const Tensor changed = features(std::make_shared<Changed>(all), count - 1, 1);
    CHECK(equal_rows(first, 6, changed, 6));
    CHECK_FALSE(equal_rows(first, 7, changed, 7));

    // Without the cache, other photos beside it, another place in the batch.
    FeatureCache fresh({}, phase.feature_program(), store, graph, world.config.preprocessing);
    const std::vector<std::int64_t> some = {29, 7, 3, 11, 20};
    const Tensor alone = fresh.features(std::make_shared<SubsetSource>(all, some), {});
    for (std::size_t i = 0; i < some.size(); ++i) {
        CHECK(equal_rows(first, static_cast<std::size_t>(some[i]), alone, i));
    }

    // Another head changes no feature.
    store.write("fc.bias", Tensor(store.entry("fc.bias").spec.spec.shape, DType::f32));
    features(all, count, 0);

    // Other weights are another folder.
    store.declare({.name = "conv1.weight", .spec = store.entry("conv1.weight").spec.spec});
    Tensor weight = store.read("conv1.weight");
    weight.values<float>()[0] += 1;
    store.write("conv1.weight", weight);
    features(all, 0, count);
}

TEST_CASE("a rate that is far too high ends the run with advice") {
    Request request = everything("scratch");
    request.rate = 100;
    request.clip.reset();
    request.accumulate = 1;
    request.epochs = 30;
    World world(request);
    const Folder folder("diverge");
    Silent watcher;
    Trainer trainer(world.options(folder.path, watcher));
    trainer.start();
    CHECK_THROWS_WITH_AS(trainer.train(), doctest::Contains("--lr"), Error);
}

TEST_CASE("an estimate names what trains, and finds the batch that fits without running anything") {
    Request request = everything("scratch");
    request.batch = 24;
    World world(request);
    Silent watcher;
    const Estimate expected = estimate(world.options({}, watcher), 0);
    REQUIRE(expected.phases.size() == 1);
    CHECK(expected.phases[0].parameters.frozen.empty());
    CHECK(expected.bytes > 3 * sizeof(float) * static_cast<std::size_t>(expected.phases[0].parameters.trained_count));
    CHECK(expected.fits());
    CHECK(expected.seconds > 0);

    const std::size_t usable = expected.bytes / 3 * 2;
    const Estimate less = estimate(world.options({}, watcher), usable);
    CHECK_FALSE(less.fits());
    CHECK(less.seconds == 0);
    REQUIRE(less.batch_that_fits >= 1);
    CHECK(less.batch_that_fits < 24);
    CHECK(less.evaluation_batch_that_fits == world.config.evaluation_batch);
    world.config.batch = less.batch_that_fits;
    CHECK(estimate(world.options({}, watcher), usable).fits());
    world.config.batch += 3;
    CHECK_FALSE(estimate(world.options({}, watcher), usable).fits());

    // Far more photos than there could be memory for, at 16 megapixels each: the answer comes all the same.
    world.config.batch = 65536;
    world.config.preprocessing.crop = 4096;
    const Estimate huge = estimate(world.options({}, watcher), std::size_t{20} << 30);
    CHECK(huge.bytes > std::size_t{1} << 40);
    CHECK(huge.batch_that_fits >= 1);
    CHECK(huge.batch_that_fits < 64);
    CHECK(estimate(world.options({}, watcher), 1'000'000).batch_that_fits == 0);
}

TEST_CASE("patience ends a phase early, and a resumed run does not train on") {
    Request request = everything("scratch");
    request.accumulate = 1;
    request.epochs = 40;
    request.rate = 1e-9;  // nothing is learned, so no epoch is better than the first for long
    request.patience = 2;
    World world(request);
    const Folder folder("patience");
    run(world, folder.path);
    const RunState state = Checkpoint(folder.path / "state").load().progress;
    CHECK(state.trained);
    std::stringstream lines(text_of(folder.path / "metrics.jsonl"));
    int epochs = 0;
    for (std::string line; std::getline(lines, line);) epochs += line.find("val_top1") != std::string::npos;
    CHECK(epochs < 40);
}

}  // namespace
}  // namespace cambium
