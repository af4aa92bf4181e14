#include "tools/training/builtin_weights.h"

#include "engine/base/fail.h"

namespace cambium {

std::filesystem::path builtin_weights(const std::string& name) {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
    const fs::path file = name + ".safetensors";
    const fs::path source = fs::path(CAMBIUM_SHIPPED_WEIGHTS) / file;
    const fs::path installed = program.parent_path() / "share/cambium" / file;
    for (const fs::path& path : {source, installed}) {
        if (fs::exists(path, error)) return path;
    }
    fail("the shipped weights {} are neither at {} nor at {}; is the program's folder complete?", name, source.string(),
         installed.string());
}

}  // namespace cambium
