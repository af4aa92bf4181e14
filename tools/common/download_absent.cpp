// In place of download.cpp where libcurl is absent.
#include "engine/base/fail.h"
#include "tools/common/download.h"

namespace cambium {

void download(const Download& what, const std::function<void(std::int64_t)>&) {
    fail(
        "cannot fetch {}: this build has no libcurl; install libcurl4-openssl-dev and build again, or save the file as "
        "{}",
        what.address, what.to.string());
}

}  // namespace cambium
