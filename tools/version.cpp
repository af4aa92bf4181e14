// The one file that is built again when the commit changes; tools/CMakeLists.txt makes commit.h.
#include "tools/version.h"

#include <fmt/format.h>

#include "commit.h"
#include "engine/backends/backend.h"
#include "engine/base/isa.h"

namespace cambium {
namespace {

#ifdef __clang__
constexpr const char* compiler = "Clang " __clang_version__;
#else
constexpr const char* compiler = "GCC " __VERSION__;
#endif

}  // namespace

std::string version_text() {
    const std::string commit = CAMBIUM_COMMIT, onednn = onednn_version();
    return fmt::format("cambium {}{}, built by {}; {}; loops for {}", CAMBIUM_VERSION,
                       commit.empty() ? "" : fmt::format(" ({})", commit), compiler,
                       onednn.empty() ? "without oneDNN" : "oneDNN " + onednn, name_of(isa()));
}

}  // namespace cambium
