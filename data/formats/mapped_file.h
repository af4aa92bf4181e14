// MappedFile: a whole file, read-only in memory. Cambium's own writers replace files by renaming, so a file that is
// open here never shrinks under the reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace cambium {

class MappedFile {
  public:
    // Throws Error naming the path: it does not exist, is a folder or cannot be read.
    explicit MappedFile(const std::filesystem::path& path);
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();

    std::span<const std::byte> bytes() const { return {data_, size_}; }
    // [begin, begin + size) will not be needed soon: its pages need no longer count towards this process's memory.
    void release(std::uint64_t begin, std::uint64_t size) const;

  private:
    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace cambium
