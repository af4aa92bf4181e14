// Writers: what is written reads back, equal tensors give equal bytes, and a file is either the old one or the new one.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "data/formats/atomic_file.h"
#include "tests/data/formats/golden.h"

using namespace cambium;
using namespace cambium::test;

namespace {

struct Model {
    std::vector<Tensor> tensors;
    std::vector<NamedTensor> named;
};

// The tensors of a golden file.
Model load(const std::string& name) {
    const WeightsFile file = WeightsFile::open(golden(name));
    Model model;
    for (const WeightsEntry& entry : file.entries()) model.tensors.push_back(file.read(entry));
    for (std::size_t i = 0; i < model.tensors.size(); ++i) {
        model.named.push_back({file.entries()[i].name, &model.tensors[i]});
    }
    return model;
}

void check_equal(const std::filesystem::path& path, const Model& model, const Metadata& metadata) {
    const WeightsFile file = WeightsFile::open(path);
    CHECK(file.entries().size() == model.named.size());
    CHECK(file.metadata() == metadata);
    CHECK(file.notes().empty());
    for (const auto& [name, tensor] : model.named) {
        CAPTURE(name);
        const Tensor read = file.read(name);
        REQUIRE(read.spec() == tensor->spec());
        CHECK((read.bytes().empty() ||
               std::memcmp(read.bytes().data(), tensor->bytes().data(), read.bytes().size()) == 0));
    }
}

// What the child process does with `path`; returns the signal or exit status that ended it, as waitpid reports.
int in_child(const std::function<void()>& body) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        try {
            body();
        } catch (const Error&) {
            ::_exit(1);
        }
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

const Metadata metadata = {{"classes", "[\"ant\", \"b\\u00e9e\"]"}, {"arch", "resnet18 \"quoted\" é"}};

}  // namespace

TEST_CASE("safetensors and PyTorch zip round trip, the same bytes each time") {
    const TemporaryFolder folder;
    const Model model = load("zip.pt");
    write_safetensors(folder.path / "a.safetensors", model.named, metadata);
    write_safetensors(folder.path / "b.safetensors", model.named, metadata);
    check_equal(folder.path / "a.safetensors", model, metadata);
    CHECK(slurp(folder.path / "a.safetensors") == slurp(folder.path / "b.safetensors"));
    write_pytorch(folder.path / "a.pt", model.named, metadata);
    write_pytorch(folder.path / "b.pt", model.named, metadata);
    check_equal(folder.path / "a.pt", model, metadata);
    CHECK(slurp(folder.path / "a.pt") == slurp(folder.path / "b.pt"));
    write_pytorch(folder.path / "none.pt", std::span<const NamedTensor>{});
    CHECK(contains(error_of(folder.path / "none.pt"), "without tensors"));
    write_safetensors(folder.path / "none.safetensors", std::span<const NamedTensor>{});
    CHECK(error_of(folder.path / "none.safetensors").empty());
}

TEST_CASE("safetensors are written as the reference implementation writes them, byte for byte") {
    const TemporaryFolder folder;
    write_safetensors(folder.path / "a.safetensors", load("plain.safetensors").named, {{"format", "pt"}});
    CHECK(slurp(folder.path / "a.safetensors") == slurp(golden("plain.safetensors")));
}

TEST_CASE("tensors may be made one at a time, and must be what was announced") {
    const TemporaryFolder folder;
    const Model model = load("zip.pt");
    std::vector<WeightsEntry> entries;
    for (const auto& [name, tensor] : model.named) entries.push_back({name, tensor->spec()});
    const TensorSource source = [&](std::size_t i) { return model.tensors[i].clone(); };
    write_safetensors(folder.path / "a.safetensors", entries, source, metadata);
    check_equal(folder.path / "a.safetensors", model, metadata);
    write_pytorch(folder.path / "a.pt", entries, source);
    check_equal(folder.path / "a.pt", model, {});
    const TensorSource wrong = [](std::size_t) { return Tensor({7}, DType::f32); };
    const std::string before = slurp(folder.path / "a.pt");
    CHECK_THROWS_WITH_AS(write_pytorch(folder.path / "a.pt", entries, wrong), doctest::Contains("was announced as"),
                         Error);
    CHECK(slurp(folder.path / "a.pt") == before);
}

TEST_CASE("names that cannot be written") {
    const TemporaryFolder folder;
    const Tensor tensor({1}, DType::f32);
    const auto write = [&](std::vector<NamedTensor> named) { write_safetensors(folder.path / "a", named); };
    CHECK_THROWS_WITH_AS(write({{"a", &tensor}, {"b", &tensor}, {"a", &tensor}}), doctest::Contains("both named 'a'"),
                         Error);
    CHECK_THROWS_WITH_AS(write({{"", &tensor}}), doctest::Contains("no name"), Error);
    CHECK_THROWS_WITH_AS(write({{"\xff", &tensor}}), doctest::Contains("not UTF-8"), Error);
    CHECK_THROWS_WITH_AS(write({{"__metadata__", &tensor}}), doctest::Contains("keeps the name"), Error);
    CHECK(std::filesystem::is_empty(folder.path));
}

TEST_CASE("storages of a PyTorch zip begin at multiples of 64 bytes") {
    const TemporaryFolder folder;
    const Tensor tensor({4}, std::span<const float>(std::vector<float>{1.25f, 2.5f, 3.75f, 5.f}));
    write_pytorch(folder.path / "a.pt", std::vector<NamedTensor>{{"weight", &tensor}});
    const std::string bytes = slurp(folder.path / "a.pt");
    const std::string_view values(reinterpret_cast<const char*>(tensor.bytes().data()), tensor.bytes().size());
    CHECK(bytes.find(values) % 64 == 0);
}

TEST_CASE("a full disk leaves the old file and nothing half-written") {
    const TemporaryFolder folder;
    const Model model = load("zip.pt");
    const std::filesystem::path path = folder.put("model.safetensors", "old");
    const int status = in_child([&] {
        std::signal(SIGXFSZ, SIG_IGN);  // then write() fails, as on a full disk
        const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        write_safetensors(path, model.named);
    });
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 1));
    CHECK(slurp(path) == "old");
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("a process killed at any point leaves the old file or the new one") {
    const TemporaryFolder folder;
    const Model model = load("zip.pt");
    const std::filesystem::path path = folder.path / "model.safetensors";
    write_safetensors(path, model.named);
    const std::string whole = slurp(path);
    for (const std::string point : {"write", "write:2", "write:9", "before-rename", "after-rename"}) {
        CAPTURE(point);
        folder.put("model.safetensors", "old");
        const int status = in_child([&] {
            ::setenv("CAMBIUM_FAILPOINT", point.c_str(), 1);
            write_safetensors(path, model.named);
        });
        CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
        CHECK(slurp(path) == (point == "after-rename" ? whole : "old"));
        write_safetensors(path, model.named);  // what the killed process left is no hindrance, and goes
        CHECK(slurp(path) == whole);
        CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
    }
}

TEST_CASE("files that cannot be written are named") {
    const Tensor tensor({1}, DType::f32);
    const std::vector<NamedTensor> named{{"a", &tensor}};
    CHECK_THROWS_WITH_AS(write_safetensors("/no/such/folder/a", named), doctest::Contains("/no/such/folder/a"), Error);
    CHECK_THROWS_WITH_AS(write_atomically("/proc/a", "text"), doctest::Contains("cannot write /proc/a"), Error);
}
