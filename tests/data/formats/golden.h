// What the golden weight files hold (tests/oracle/formats_make.py), and helpers to make damaged copies of them.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "data/formats/weights.h"
#include "engine/base/error.h"

namespace cambium::test {

inline const std::vector<std::string> golden_names = {"zip.pt",      "protocol4.pt",     "legacy.pt",
                                                      "tar.pt",      "wrapped_zip.pt",   "wrapped_legacy.pt",
                                                      "deflated.pt", "plain.safetensors"};

inline std::filesystem::path golden(const std::string& name) {
    return std::filesystem::path("tests/golden/formats") / name;
}

inline std::string slurp(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

// A folder of this process, removed at the end of the test.
struct TemporaryFolder {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("cambium_formats_" + std::to_string(::getpid()));
    TemporaryFolder() { std::filesystem::create_directories(path); }
    ~TemporaryFolder() { std::filesystem::remove_all(path); }

    std::filesystem::path put(const std::string& name, std::string_view bytes) const {
        const std::filesystem::path file = path / name;
        std::filesystem::remove(file);  // truncating an existing file makes some file systems wait for the disk
        std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        return file;
    }
};

// Opens a file and reads all of it.
inline void read_all(const std::filesystem::path& path) {
    const WeightsFile file = WeightsFile::open(path);
    for (const WeightsEntry& entry : file.entries()) file.read(entry);
}

// The sentence with which reading the file fails; empty if it does not fail. Anything but Error ends the test.
inline std::string error_of(const std::filesystem::path& path) {
    try {
        read_all(path);
    } catch (const Error& error) {
        return error.what();
    }
    return {};
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// An element of any type as a double.
inline std::vector<double> numbers(const Tensor& tensor) {
    const Tensor real = tensor.converted(DType::f64);
    const auto values = real.values<double>();
    return {values.begin(), values.end()};
}

}  // namespace cambium::test
