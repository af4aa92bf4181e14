// ImageFolder: what is listed and in which order, splits, and what is said about data that cannot be used.
#include <doctest/doctest.h>

#include <set>

#include "data/images/digest.h"
#include "data/images/folder.h"
#include "engine/base/error.h"
#include "tests/data/images/golden.h"
#include "tests/data/images/temporary.h"

using namespace cambium;
using namespace cambium::test;

namespace {

std::vector<std::string> names(const TemporaryFolder& folder, const std::vector<Sample>& samples) {
    std::vector<std::string> result;
    for (const Sample& sample : samples)
        result.push_back(std::filesystem::relative(sample.path, folder.path).generic_string());
    return result;
}

void put_classes(const TemporaryFolder& folder, const std::string& set, std::initializer_list<const char*> classes,
                 int photos, unsigned seed = 0) {
    for (const char* name : classes)
        for (int i = 0; i < photos; ++i) folder.put(set + name + "/" + std::to_string(i) + ".ppm", ppm(seed++));
}

}  // namespace

TEST_CASE("classes and files are sorted by name, extensions of any case count, the rest is named") {
    const TemporaryFolder folder;
    for (const char* file : {"train/b/2.JPG", "train/b/10.jpeg", "train/b/sub/1.Png", "train/b/a.bmp", "train/B/x.jpg",
                             "train/a/y.TIFF", "train/a/z.gif", "train/a/notes.txt", "train/a/.hidden.jpg",
                             "train/.cache/k.jpg", "val/a/1.jpg", "val/b/1.jpg"})
        folder.put(file, "x");
    const ImageFolder data = open_image_folder(folder.path);
    CHECK(data.classes == std::vector<std::string>{"B", "a", "b"});
    CHECK(names(folder, data.train) == std::vector<std::string>{"train/B/x.jpg", "train/a/y.TIFF", "train/b/10.jpeg",
                                                                "train/b/2.JPG", "train/b/a.bmp", "train/b/sub/1.Png"});
    CHECK(data.train[0].label == 0);
    CHECK(data.train[5].label == 2);
    CHECK(data.validation[0].label == 1);  // val/ lacks class B: labels still mean the same
    CHECK(data.validation[1].label == 2);
    std::set<std::string> left;
    for (const LeftOut& file : data.left_out) left.insert(file.path.filename().string());
    CHECK(left == std::set<std::string>{".cache", ".hidden.jpg", "notes.txt", "z.gif"});
}

TEST_CASE("links are followed; those to nowhere or round in a circle are files like others") {
    const TemporaryFolder folder, elsewhere;
    put_classes(folder, "", {"cat", "dog"}, 10);
    elsewhere.put("more/1.ppm", ppm(50));
    std::filesystem::create_symlink(elsewhere.path / "more", folder.path / "cat/more");
    std::filesystem::create_symlink("circle", folder.path / "cat/circle");
    std::filesystem::create_symlink("nowhere", folder.path / "cat/gone.jpg");
    std::filesystem::create_symlink("circle", folder.path / "circle");
    const ImageFolder data = open_image_folder(folder.path);
    CHECK(data.classes == std::vector<std::string>{"cat", "dog"});
    CHECK(data.train.size() + data.validation.size() == 22);  // the photo that is gone counts until it is read
    REQUIRE(data.left_out.size() == 1);
    CHECK(data.left_out[0].path == folder.path / "cat/circle");
    CHECK_THROWS_WITH_AS(open_image_folder(folder.path / "circle"), doctest::Contains("cannot use"), Error);
    std::filesystem::create_symlink("..", folder.path / "dog/up");
    CHECK_THROWS_WITH_AS(open_image_folder(folder.path), doctest::Contains("a link to itself?"), Error);
}

TEST_CASE("without a validation set a stratified share is set aside, the same for the same seed") {
    const TemporaryFolder folder;
    put_classes(folder, "", {"cat", "dog"}, 10);
    folder.put("single/1.ppm", ppm(99));
    const ImageFolder one = open_image_folder(folder.path), again = open_image_folder(folder.path);
    const ImageFolder other = open_image_folder(folder.path, {.seed = 1});
    CHECK(one.train.size() == 17);
    CHECK(one.validation.size() == 4);
    CHECK(names(folder, one.validation) == names(folder, again.validation));
    CHECK(names(folder, one.validation) != names(folder, other.validation));
    CHECK(one.validation[1].label == 0);
    CHECK(one.validation[2].label == 1);
    CHECK(contains(one.split, "4 of 21 photos"));
    CHECK_THROWS_AS(open_image_folder(folder.path, {.validation_share = 1.0}), UsageError);
}

TEST_CASE("evaluation takes test/, else val/, else the folder itself") {
    const TemporaryFolder folder;
    put_classes(folder, "train/", {"cat", "dog"}, 2);
    CHECK(contains(error_of([&] { open_for_evaluation(folder.path); }), "neither test/ nor val/"));
    put_classes(folder, "val/", {"dog"}, 3);
    CHECK(open_for_evaluation(folder.path).test.size() == 3);
    CHECK(open_for_evaluation(folder.path).classes == std::vector<std::string>{"dog"});
    put_classes(folder, "test/", {"cat", "dog"}, 1);
    CHECK(open_for_evaluation(folder.path).test.size() == 2);
    CHECK(open_image_folder(folder.path).test.size() == 2);
    CHECK(open_for_evaluation(folder.path / "train").test.size() == 4);
}

TEST_CASE("data that cannot be used say what is missing") {
    const TemporaryFolder folder;
    const auto refusal = [&] { return error_of([&] { open_image_folder(folder.path); }); };
    CHECK(contains(error_of([&] { open_image_folder(folder.path / "none"); }), "no such file or folder"));
    CHECK(contains(refusal(), "no class folders and no photos"));
    folder.put("photo.jpg", "x");
    CHECK(contains(refusal(), "no class folders, only photos"));
    put_classes(folder, "", {"cat"}, 2);
    CHECK(contains(refusal(), "'cat' is its only class"));
    std::filesystem::create_directories(folder.path / "dog");
    CHECK(contains(refusal(), "no photos in the class folder dog"));
    folder.put("dog/notes.txt", "x");
    CHECK(contains(refusal(), "no photos in the class folder dog"));
    put_classes(folder, "val/", {"cat"}, 1);
    CHECK(contains(refusal(), "has val/ and no train/"));
    put_classes(folder, "train/", {"cat", "dog"}, 1);
    put_classes(folder, "val/", {"cow"}, 1);
    CHECK(contains(refusal(), "its class 'cow' is not among the training set's 2 classes"));
}

TEST_CASE("a manifest makes the same sets") {
    const TemporaryFolder folder;
    for (unsigned i = 0; i < 5; ++i) folder.put(std::to_string(i) + ".ppm", ppm(i));
    const auto file =
        folder.put("photos.csv", "0.ppm,dog,train\n1.ppm,cat,train\n2.ppm,cat,val\n3.ppm,dog,test\n4.ppm,dog,train\n");
    const ImageFolder data = open_image_folder(file);
    CHECK(data.classes == std::vector<std::string>{"cat", "dog"});
    CHECK(data.train.size() == 3);
    CHECK(data.train[0].label == 1);
    CHECK(data.validation[0].label == 0);
    CHECK(data.test[0].label == 1);
    CHECK(open_for_evaluation(file).test.size() == 1);
    const auto plain = folder.put("plain.csv", "0.ppm,dog\n1.ppm,cat\n2.ppm,cat\n3.ppm,dog\n");
    CHECK(open_image_folder(plain).validation.size() == 2);
    CHECK(open_for_evaluation(plain).test.size() == 4);
    const auto stray = folder.put("stray.csv", "0.ppm,dog,train\n1.ppm,cat,train\n2.ppm,cow,val\n");
    CHECK(contains(error_of([&] { open_image_folder(stray); }), "class 'cow', which no training line has"));
}

TEST_CASE("unreadable photos are refused with their reasons, or skipped if asked") {
    const TemporaryFolder folder;
    put_classes(folder, "train/", {"cat", "dog"}, 3);
    put_classes(folder, "val/", {"cat", "dog"}, 1, 50);
    folder.put("train/cat/empty.jpg", "");
    folder.put("train/dog/phone.jpg", std::string_view("\0\0\0\x18"
                                                       "ftypheic\0\0\0\0mif1heic",
                                                       24));
    folder.put("val/dog/cut.ppm", ppm(60).substr(0, 40));
    ImageFolder data = open_image_folder(folder.path);
    const std::string error = error_of([&] { inspect_photos(data, Unreadable::refuse); });
    CHECK(contains(error, "3 of 11 photos cannot be used"));
    CHECK(contains(error, "empty.jpg: the file is empty"));
    CHECK(contains(error, "phone.jpg: it is a HEIC image"));
    CHECK(contains(error, "cut.ppm: the image is cut off"));

    data = open_image_folder(folder.path);
    inspect_photos(data, Unreadable::skip);
    CHECK(data.train.size() == 6);
    CHECK(data.validation.size() == 2);
    CHECK(data.left_out.size() == 3);

    for (int i = 0; i < 3; ++i) folder.put("train/dog/" + std::to_string(i) + ".ppm", "");
    data = open_image_folder(folder.path);
    CHECK(contains(error_of([&] { inspect_photos(data, Unreadable::skip); }), "class 'dog' can be read"));
}

TEST_CASE("photos on both sides of the split are found by bytes and by pixels") {
    const TemporaryFolder folder;
    put_classes(folder, "train/", {"cat", "dog"}, 3);
    put_classes(folder, "val/", {"cat"}, 2, 50);
    folder.put("val/cat/copy.ppm", ppm(1));
    std::string commented = ppm(4);
    commented.replace(0, 3, "P6\n# saved anew\n");
    folder.put("val/cat/same_pixels.ppm", commented);
    ImageFolder data = open_image_folder(folder.path);
    const auto shared = inspect_photos(data, Unreadable::refuse);
    REQUIRE(shared.size() == 2);
    CHECK(shared[0].other.filename() == "copy.ppm");
    CHECK(shared[0].train == folder.path / "train/cat/1.ppm");
    CHECK(shared[0].same_bytes);
    CHECK(shared[1].other.filename() == "same_pixels.ppm");
    CHECK(shared[1].train == folder.path / "train/dog/1.ppm");
    CHECK(!shared[1].same_bytes);
    CHECK(inspect_photos(data, Unreadable::refuse, Thoroughness::header).size() == 1);
}

TEST_CASE("digests tell contents and sizes apart") {
    std::set<Digest> seen;
    std::vector<std::byte> bytes(100);
    for (std::size_t length = 0; length <= bytes.size(); ++length) seen.insert(digest(std::span(bytes).first(length)));
    for (std::size_t bit = 0; bit < 800; ++bit) {
        bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
        seen.insert(digest(bytes));
        bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    }
    CHECK(seen.size() == 901);
    CHECK(digest(noise(1, {4, 6})) != digest(noise(1, {6, 4})));
    CHECK(digest(noise(1, {4, 6})) == digest(noise(1, {4, 6})));
}
