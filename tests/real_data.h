// Where the real photos and weights are that some tests use: $CAMBIUM_DATA, else ../shared/data beside the source tree.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace cambium::test {

// The folder, or nothing; then it says that the test is skipped. Tests run in the source root.
inline std::optional<std::filesystem::path> real_data() {
    const char* variable = std::getenv("CAMBIUM_DATA");
    std::filesystem::path folder = variable != nullptr && *variable != 0 ? variable : "../shared/data";
    if (std::filesystem::exists(folder / "MANIFEST.sha256")) return folder;
    std::puts("skipped: no ../shared/data");
    return {};
}

}  // namespace cambium::test
