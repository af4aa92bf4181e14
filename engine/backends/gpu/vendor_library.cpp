#include "engine/backends/gpu/vendor_library.h"

#include <dlfcn.h>

#include <cstdlib>

#include "engine/base/fail.h"

namespace cambium::gpu {

Library::Library(std::string what, const char* variable, std::span<const char* const> files) : what_(std::move(what)) {
    constexpr int how = RTLD_NOW | RTLD_LOCAL;
    if (const char* wanted = std::getenv(variable); wanted != nullptr && *wanted != '\0') {
        handle_ = dlopen(wanted, how);
        if (handle_ != nullptr) return;
        const char* why = dlerror();
        fail("cannot open {} as {} says: {}", what_, variable, why != nullptr ? why : wanted);
    }
    for (const char* file : files) {
        handle_ = dlopen(file, how);
        if (handle_ != nullptr) return;
    }
    fail("there is no {} here ({}); install it, or name its file in {}", what_, files.front(), variable);
}

void* Library::address_of(const char* name) const {
    void* found = dlsym(handle_, name);
    if (found == nullptr) fail("this {} has no function {}; it is too old or too new", what_, name);
    return found;
}

}  // namespace cambium::gpu
