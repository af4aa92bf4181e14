// Files that PyTorch and safetensors wrote, read to the last element.
#include <cstdlib>

#include "data/formats/sha256.h"
#include "tests/data/formats/golden.h"

using namespace cambium;
using namespace cambium::test;

namespace {

struct Expected {
    std::string name;
    TensorSpec spec;
    std::vector<double> values;
};

const std::vector<Expected>& expected_tensors() {
    static const std::vector<Expected> all = {
        {"weight", {{3, 4}, DType::f32}, {-1, -.5, 0, .5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5}},
        {"transposed", {{4, 3}, DType::f32}, {-1, 1, 3, -.5, 1.5, 3.5, 0, 2, 4, .5, 2.5, 4.5}},
        {"row", {{4}, DType::f32}, {1, 1.5, 2, 2.5}},
        {"columns", {{3, 2}, DType::f32}, {-.5, .5, 1.5, 2.5, 3.5, 4.5}},
        {"expanded", {{2, 3}, DType::f32}, {2.5, 2.5, 2.5, 2.5, 2.5, 2.5}},
        {"parameter", {{2}, DType::f32}, {1, -2}},
        {"half", {{2, 3}, DType::f16}, {0, .25, .5, .75, 1, 1.25}},
        {"brain", {{2, 3}, DType::bf16}, {0, .25, .5, .75, 1, 1.25}},
        {"double", {{2}, DType::f64}, {0.1, 1e300}},
        {"steps", {{}, DType::i64}, {1099511627783.0}},
        {"labels", {{2}, DType::i32}, {-1, 2}},
        {"pixels", {{3}, DType::u8}, {0, 128, 255}},
        {"mask", {{3}, DType::boolean}, {1, 0, 1}},
        {"empty", {{0, 3}, DType::f32}, {}}};
    return all;
}

bool has_note(const WeightsFile& file, std::string_view part) {
    for (const std::string& note : file.notes()) {
        if (contains(note, part)) return true;
    }
    return false;
}

}  // namespace

TEST_CASE("every layout holds the same tensors") {
    for (const std::string& name : golden_names) {
        CAPTURE(name);
        const WeightsFile file = WeightsFile::open(golden(name));
        CHECK(file.entries().size() == expected_tensors().size());
        for (const Expected& expected : expected_tensors()) {
            CAPTURE(expected.name);
            const WeightsEntry* entry = file.find(expected.name);
            REQUIRE(entry != nullptr);
            CHECK(entry->spec == expected.spec);
            const Tensor tensor = file.read(*entry);
            CHECK(tensor.spec() == expected.spec);
            CHECK(numbers(tensor) == expected.values);
        }
        CHECK(file.find("no such tensor") == nullptr);
        CHECK_THROWS_AS(file.read("no such tensor"), Error);
    }
}

TEST_CASE("formats are told apart by content, and entries keep the order of the file") {
    CHECK(WeightsFile::open(golden("zip.pt")).format() == WeightsFormat::pytorch_zip);
    CHECK(WeightsFile::open(golden("legacy.pt")).format() == WeightsFormat::pytorch_legacy);
    CHECK(WeightsFile::open(golden("tar.pt")).format() == WeightsFormat::pytorch_tar);
    CHECK(WeightsFile::open(golden("plain.safetensors")).format() == WeightsFormat::safetensors);
    for (const std::string name : {"zip.pt", "legacy.pt", "tar.pt"}) {
        const WeightsFile file = WeightsFile::open(golden(name));
        for (std::size_t i = 0; i < expected_tensors().size(); ++i) {
            CHECK(file.entries()[i].name == expected_tensors()[i].name);
        }
    }
    CHECK(WeightsFile::open(golden("plain.safetensors")).metadata() == Metadata{{"format", "pt"}});
}

TEST_CASE("a training script's wrapping is taken off and said") {
    for (const std::string name : {"wrapped_zip.pt", "wrapped_legacy.pt"}) {
        const WeightsFile file = WeightsFile::open(golden(name));
        CHECK(has_note(file, "those under 'state_dict'"));
        CHECK(has_note(file, "'module.'; it was taken off"));
        CHECK(has_note(file, "'epoch' (3)"));
        CHECK(has_note(file, "'optimizer' (a dict)"));
        CHECK(has_note(file, "'args' (a Python object)"));
        CHECK(file.metadata() == Metadata{{"arch", "resnet18"}, {"epoch", "3"}});
    }
}

TEST_CASE("big-endian storages are turned round") {
    const Tensor tensor = WeightsFile::open(golden("big_endian.pt")).read("weight");
    CHECK(numbers(tensor) == expected_tensors()[0].values);
}

TEST_CASE("tensors that cannot be held are named, the others load") {
    const WeightsFile file = WeightsFile::open(golden("unsupported.pt"));
    REQUIRE(file.entries().size() == 1);
    CHECK(file.entries()[0].name == "weight");
    CHECK(has_note(file, "'small' was left out: its elements are int8"));
    CHECK(has_note(file, "'wave' was left out: its elements are complex64"));
    CHECK(has_note(file, "'tiny' was left out: its elements are float8_e4m3fn"));
    CHECK(has_note(file, "'deep' was left out: it has 6 axes"));
    CHECK_THROWS_WITH_AS(file.read("small"), doctest::Contains("its elements are int8"), Error);
}

TEST_CASE("SHA-256 of the standard's own examples") {
    const auto of = [](std::string_view text) { return sha256(std::as_bytes(std::span(text))); };
    CHECK(of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(of(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    Sha256 pieces;  // 7 bytes at a time
    const std::string million(1'000'000, 'a');
    for (std::size_t i = 0; i < million.size(); i += 7)
        pieces.update(std::as_bytes(std::span(million)).subspan(i, std::min<std::size_t>(7, million.size() - i)));
    CHECK(std::to_integer<int>(pieces.digest()[0]) == 0xcd);
}

TEST_CASE("the published weights read to the last byte") {
    const char* variable = std::getenv("CAMBIUM_DATA");
    const std::filesystem::path weights =
        std::filesystem::path(variable != nullptr ? variable : "../shared/data") / "weights";
    if (!std::filesystem::exists(weights)) {
        MESSAGE("skipped: no ../shared/data");
        return;
    }
    struct Published {
        std::string name, sha256;
        std::size_t tensors, bytes;
    };
    const Published published[] = {
        {"resnet50_caffe_msra_fp16w.safetensors", "10b293117e593f0a5aae04ee63e194278c88ba3c1728a04820aa250374033d57",
         267, 51434784},
        {"squeezenet1_1_onnxzoo_fp32.pth", "af0d600b005c7942107d53a36669085bb07f6f90833e9e81d321aa15c5047571", 52,
         4941984},
        {"resnet20-12fca82f.th", "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8", 97, 1084392},
        {"resnet56-4bfd9763.th", "4bfd97631478d6b638d2764fd2baff3edb1d7d82252d54439343b6596b9b5367", 277, 3428328}};
    for (const Published& known : published) {
        CAPTURE(known.name);
        CHECK(sha256_of_file(weights / known.name) == known.sha256);
        const WeightsFile file = WeightsFile::open(weights / known.name);
        CHECK(file.entries().size() == known.tensors);
        std::size_t bytes = 0;
        for (const WeightsEntry& entry : file.entries()) bytes += file.read(entry).bytes().size();
        CHECK(bytes == known.bytes);
    }
}
