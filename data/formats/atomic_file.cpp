#include "data/formats/atomic_file.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "engine/base/fail.h"

namespace cambium {
namespace {

void write_all(int descriptor, std::span<const std::byte> bytes, bool& ok) {
    constexpr std::size_t largest = std::size_t{1} << 30;  // Linux writes at most 2 GiB at a time
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), std::min(bytes.size(), largest));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            ok = false;
            return;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
}

// So that the renaming itself survives a power cut. Some file systems cannot sync a folder; the file is whole even
// then.
void sync_folder(const std::filesystem::path& file) {
    const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    ::fsync(descriptor);
    ::close(descriptor);
}

}  // namespace

void failpoint(std::string_view name) {
    const char* const wanted = std::getenv("CAMBIUM_FAILPOINT");
    if (wanted == nullptr) return;
    const std::string_view text(wanted);
    const std::size_t colon = text.find(':');
    if (text.substr(0, colon) != name) return;
    long turn = 1;
    if (colon != std::string_view::npos) std::from_chars(text.data() + colon + 1, text.data() + text.size(), turn);
    static std::atomic<long> calls = 0;
    if (++calls == turn) ::raise(SIGKILL);
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)), partial_(path_.string() + ".partial") {
    descriptor_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (descriptor_ < 0) {
        fail("cannot write {}: {} cannot be created: {}", path_.string(), partial_.string(), std::strerror(errno));
    }
}

AtomicFile::~AtomicFile() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    ::unlink(partial_.c_str());
}

void AtomicFile::close_and_fail(const char* action) {
    const std::string reason = std::strerror(errno);
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
    ::unlink(partial_.c_str());
    fail("cannot {} {}: {}; the file is as it was before", action, path_.string(), reason);
}

void AtomicFile::write(std::span<const std::byte> bytes) {
    bool ok = true;
    const std::size_t half = bytes.size() / 2;
    write_all(descriptor_, bytes.first(half), ok);
    failpoint("write");
    if (ok) write_all(descriptor_, bytes.subspan(half), ok);
    if (!ok) close_and_fail("write");
}

void AtomicFile::commit() {
    if (::fsync(descriptor_) != 0) close_and_fail("force to the disk");
    const int closed = ::close(descriptor_);
    descriptor_ = -1;
    if (closed != 0) close_and_fail("write");
    failpoint("before-rename");
    if (::rename(partial_.c_str(), path_.c_str()) != 0) close_and_fail("replace");
    failpoint("after-rename");
    sync_folder(path_);
}

void require_writable(const std::filesystem::path& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) fail("cannot write {}: it is a folder", path.string());
    AtomicFile{path};
}

void write_atomically(const std::filesystem::path& path, std::string_view text) {
    AtomicFile file(path);
    file.write(text);
    file.commit();
}

}  // namespace cambium
