#include "tools/common/download.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "data/formats/sha256.h"
#include "engine/base/error.h"

namespace cambium {
namespace {

struct Folder {
    Folder() : path(std::filesystem::temp_directory_path() / "cambium_download_test") {
        std::filesystem::remove_all(path);
        std::filesystem::create_directories(path);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

std::string read(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

void write(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file, std::ios::binary) << text;
}

}  // namespace

#ifndef CAMBIUM_NO_CURL

TEST_CASE("a file is fetched whole, verified, and goes on from where an earlier attempt stopped") {
    const Folder folder;
    std::string text;
    for (int i = 0; i < 20000; ++i) text += std::to_string(i) + "\n";
    write(folder.path / "there", text);
    const Download what{.address = "file://" + (folder.path / "there").string(),
                        .to = folder.path / "cache" / "here",
                        .sha256 = sha256(std::as_bytes(std::span(text))),
                        .bytes = static_cast<std::int64_t>(text.size())};
    const std::filesystem::path partial = what.to.string() + ".partial";
    for (const std::size_t had : {std::size_t{0}, text.size() / 2, text.size()}) {
        std::filesystem::remove(what.to);
        std::filesystem::create_directories(what.to.parent_path());
        write(partial, text.substr(0, had));
        std::int64_t least = what.bytes;
        download(what, [&](std::int64_t bytes) { least = std::min(least, bytes); });
        CHECK(read(what.to) == text);
        CHECK(least >= static_cast<std::int64_t>(had));
        CHECK_FALSE(std::filesystem::exists(partial));
    }
}

TEST_CASE("a file with another digest is refused and removed") {
    const Folder folder;
    write(folder.path / "there", "an error page");
    const Download what{.address = "file://" + (folder.path / "there").string(),
                        .to = folder.path / "here",
                        .sha256 = std::string(64, '0'),
                        .bytes = 0};
    CHECK_THROWS_WITH_AS(download(what, [](std::int64_t) {}), doctest::Contains("its SHA-256 is"), Error);
    CHECK_FALSE(std::filesystem::exists(what.to));
    CHECK_FALSE(std::filesystem::exists(what.to.string() + ".partial"));
}

TEST_CASE("a machine that reaches nobody is told about proxies and about --weights FILE") {
    const Folder folder;
    const Download what{.address = "http://127.0.0.1:1/weights.pth",
                        .to = folder.path / "here",
                        .sha256 = std::string(64, '0'),
                        .bytes = 0};
    CHECK_THROWS_WITH_AS(download(what, [](std::int64_t) {}), doctest::Contains("--weights FILE"), Error);
}

#endif

TEST_CASE("only https, http and file addresses are fetched") {
    const Folder folder;
    const Download what{
        .address = "gopher://127.0.0.1/", .to = folder.path / "here", .sha256 = std::string(64, '0'), .bytes = 0};
    CHECK_THROWS_AS(download(what, [](std::int64_t) {}), Error);
}

}  // namespace cambium
