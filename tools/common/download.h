// download: a file from the network that is either whole and right, or not there. It grows as FILE.partial, from where
// an earlier attempt stopped; its SHA-256 decides whether it becomes FILE.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace cambium {

struct Download {
    std::string address;       // https, http or file
    std::filesystem::path to;  // its folder is made where it is missing
    std::string sha256;        // 64 hexadecimal digits
    std::int64_t bytes = 0;    // expected size, for the progress; 0: unknown
};

// Whether the address begins with one of the schemes that download() knows.
inline bool can_fetch(std::string_view address) {
    return address.starts_with("https://") || address.starts_with("http://") || address.starts_with("file://");
}

// `progress` is called with the bytes there are. Throws Error: offline, no such address, a proxy that refuses, a full
// disk, a file with another SHA-256 (which is then removed), or a build without libcurl; the sentence says what to do.
void download(const Download& what, const std::function<void(std::int64_t)>& progress);

}  // namespace cambium
