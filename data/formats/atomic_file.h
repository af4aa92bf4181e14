// AtomicFile: a file that appears whole or not at all. Everything is written to NAME.partial in the same folder;
// commit() forces it to the disk and renames it over NAME. A crash leaves NAME as it was; the next write reuses
// NAME.partial.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace cambium {

class AtomicFile {
  public:
    // Creates the partial file. Throws Error if the folder does not exist or cannot be written.
    explicit AtomicFile(std::filesystem::path path);
    ~AtomicFile();  // without commit(), removes the partial file
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(std::span<const std::byte> bytes);  // throws Error (disk full, ...)
    void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
    void commit();  // fsync, rename, fsync of the folder; throws Error, and then the old file is untouched

  private:
    void close_and_fail(const char* action);

    std::filesystem::path path_, partial_;
    int descriptor_ = -1;
};

// Throws Error, with the sentence that writing would end with, if a file cannot be made at `path`: so that hours of
// work are not lost to a mistyped folder. Leaves no trace.
void require_writable(const std::filesystem::path& path);

// Writes the whole of `text` to `path` through an AtomicFile.
void write_atomically(const std::filesystem::path& path, std::string_view text);

// For the tests of crashes: if the environment variable CAMBIUM_FAILPOINT is `name`, or `name:N` and this is the N-th
// call with that name, the process ends here by SIGKILL. AtomicFile has the points "write" (half of a write() is on its
// way), "before-rename" and "after-rename".
void failpoint(std::string_view name);

}  // namespace cambium
