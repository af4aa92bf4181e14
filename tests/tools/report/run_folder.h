// A run's folder that lives as long as a test.
#pragma once

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace cambium::test {

class RunFolder {
  public:
    RunFolder() {
        static std::atomic<int> count{0};
        path = std::filesystem::temp_directory_path() /
               ("cambium_report_" + std::to_string(::getpid()) + "_" + std::to_string(count++));
        std::filesystem::create_directories(path);
    }
    RunFolder(const RunFolder&) = delete;
    RunFolder& operator=(const RunFolder&) = delete;
    ~RunFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }

    void put(std::string_view name, std::string_view content) const {
        std::ofstream(path / name, std::ios::binary) << content;
    }
    std::string read(std::string_view name) const {
        std::ostringstream text;
        text << std::ifstream(path / name, std::ios::binary).rdbuf();
        return text.str();
    }

    std::filesystem::path path;
};

}  // namespace cambium::test
