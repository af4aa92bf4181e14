// What each reader hands to WeightsFile: a table of strided views over storages. A storage is a byte range of the
// mapped file or, in a PyTorch zip, an entry of the archive. Internal to data/formats.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/formats/weights.h"

namespace cambium::formats {

class ZipArchive;

struct StorageRange {
    std::uint64_t begin = 0;  // byte offset in the mapped file, or the index of the zip entry
    std::uint64_t size = 0;   // bytes
};

// A tensor over a storage; offset and strides count elements.
struct StridedView {
    StorageRange storage;
    std::int64_t offset = 0;
    std::array<std::int64_t, Shape::max_rank> strides{};
};

struct Contents {
    std::vector<WeightsEntry> entries;
    std::vector<StridedView> views;  // one for each entry
    std::map<std::string, std::string>
        unreadable;  // tensors that Tensor cannot hold: name -> why ("its elements are I16")
    Metadata metadata;
    std::vector<std::string> notes;
    std::unique_ptr<ZipArchive> archive;  // set if the storages are zip entries
    bool big_endian = false;

    Contents();
    Contents(Contents&&) noexcept;
    Contents& operator=(Contents&&) noexcept;
    ~Contents();
};

// All of them throw Error without naming the file; WeightsFile::open puts the path in front.
Contents read_safetensors(std::span<const std::byte> file);
Contents read_pytorch_zip(std::span<const std::byte> file);
Contents read_pytorch_legacy(std::span<const std::byte> file);
Contents read_pytorch_tar(std::span<const std::byte> file);

// The format of a file, told by its content; throws Error that says what the file seems to be if it is none of the
// four.
WeightsFormat detect(std::span<const std::byte> file, std::string_view extension);

// A name from a file, fit for a message: quoted, control characters escaped, at most 80 bytes of it.
std::string quote(std::string_view text);

// The record of a PyTorch zip that holds our metadata (JSON, text to text); PyTorch ignores what is under extra/.
inline constexpr std::string_view metadata_record = "extra/cambium.json";

std::array<std::int64_t, Shape::max_rank> contiguous_strides(const Shape& shape);

// The writers behind the public overloads, which differ in who holds a tensor's bytes; valid until the next call.
using TensorBytes = std::function<std::span<const std::byte>(std::size_t index)>;
void write_safetensors(const std::filesystem::path& path, std::span<const WeightsEntry> entries,
                       const TensorBytes& bytes_of, const Metadata& metadata);
void write_pytorch(const std::filesystem::path& path, std::span<const WeightsEntry> entries,
                   const TensorBytes& bytes_of, const Metadata& metadata);
void check_names(std::span<const WeightsEntry> entries);  // throws Error if a name is empty or stands twice

}  // namespace cambium::formats
