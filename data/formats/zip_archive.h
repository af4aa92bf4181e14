// ZipArchive: a zip file in memory, read through libzip; stored and deflated entries. Sizes are checked against the
// archive before anything is allocated, and contents against their CRC. Internal to data/formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct zip;

namespace cambium::formats {

class ZipArchive {
  public:
    // `file` must stay valid. Throws Error if it has no readable directory (a file that is cut off has none).
    explicit ZipArchive(std::span<const std::byte> file);

    struct Entry {
        std::string name;
        std::uint64_t size = 0;  // bytes, decompressed
    };
    std::span<const Entry> entries() const { return entries_; }
    std::optional<std::uint64_t> find(std::string_view name) const;

    // The first `into.size()` bytes of an entry; if that is all of it, the CRC is checked. Throws Error naming the
    // entry.
    void read(std::uint64_t index, std::span<std::byte> into) const;
    std::string text(std::uint64_t index, std::uint64_t largest) const;

  private:
    struct Close {
        void operator()(zip* archive) const;
    };
    std::unique_ptr<zip, Close> archive_;
    std::vector<Entry> entries_;
    std::map<std::string, std::uint64_t, std::less<>> index_;
};

}  // namespace cambium::formats
