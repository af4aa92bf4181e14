// A folder that lives as long as a test.
#pragma once

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace cambium::test {

class TemporaryFolder {
  public:
    TemporaryFolder() {
        static std::atomic<int> count{0};
        path = std::filesystem::temp_directory_path() /
               ("cambium_images_" + std::to_string(::getpid()) + "_" + std::to_string(count++));
        std::filesystem::create_directories(path);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }

    // Writes a file, making the folders above it.
    std::filesystem::path put(const std::filesystem::path& name, std::string_view content) const {
        const std::filesystem::path file = path / name;
        std::filesystem::create_directories(file.parent_path());
        std::filesystem::remove(file);
        std::ofstream(file, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
        return file;
    }

    std::filesystem::path path;
};

// A PPM image, of which every byte differs from one seed to the next.
inline std::string ppm(unsigned seed, int width = 6, int height = 5) {
    std::string file = "P6\n" + std::to_string(width) + " " + std::to_string(height) + "\n255\n";
    for (int i = 0; i < width * height * 3; ++i)
        file += static_cast<char>((seed * 37u + static_cast<unsigned>(i) * 11u) % 251u);
    return file;
}

}  // namespace cambium::test
