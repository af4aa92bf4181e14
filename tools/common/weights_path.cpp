#include "tools/common/weights_path.h"

#include <cstdlib>

#include "engine/base/fail.h"
#include "models/known_weights.h"

namespace cambium {
namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

}  // namespace

std::filesystem::path cache_folder() {
    if (const std::string own = environment("CAMBIUM_CACHE"); !own.empty()) return own;
    if (const std::string xdg = environment("XDG_CACHE_HOME"); !xdg.empty())
        return std::filesystem::path(xdg) / "cambium";
    const std::string home = environment("HOME");
    return std::filesystem::path(home.empty() ? "." : home) / ".cache" / "cambium";
}

std::filesystem::path weights_path(const std::string& file_or_name) {
    std::error_code error;
    if (std::filesystem::exists(file_or_name, error)) return file_or_name;
    if (const KnownWeights* known = find_weights(file_or_name)) {
        std::filesystem::path cached = cache_folder() / known->file_name();
        if (std::filesystem::exists(cached, error)) return cached;
        fail("the weights {} are not on this machine yet; get them with: cambium fetch {}", known->name, known->name);
    }
    if (file_or_name.find_first_of("/.") != std::string::npos) fail("there is no file or folder {}", file_or_name);
    fail("there is no file or folder {}, and no known weights of that name; {}", file_or_name,
         suggest_weights(file_or_name));
}

}  // namespace cambium
