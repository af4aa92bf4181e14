// Writes PyTorch's zip format: stored entries at multiples of 64 bytes, no time stamps, a pickle of protocol 2. The zip
// is written by hand, since libzip can neither align entries nor take one tensor at a time into an atomic file.
// Sources: PKWARE APPNOTE 6.3.3, 4.3 (zip records); CPython, Lib/pickletools.py (opcodes).
#include <fmt/format.h>
#include <zlib.h>

#include <nlohmann/json.hpp>

#include "data/formats/atomic_file.h"
#include "data/formats/pytorch.h"
#include "engine/base/fail.h"
#include "engine/base/utf8.h"

namespace cambium::formats {
namespace {

template <class T>
void append(std::string& text, T value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::uint32_t checksum(std::span<const std::byte> bytes) {
    return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

class StoredZip {
  public:
    explicit StoredZip(const std::filesystem::path& path) : path_(path), file_(path) {}

    void add(const std::string& name, std::span<const std::byte> bytes) {
        const std::string fields = fixed_fields(name, bytes);
        std::string header = "PK\x03\x04" + fields;
        // An extra field of its own ("FB", as PyTorch's) pads the header, so that the data begins at a multiple of 64.
        const std::uint64_t unpadded = at_ + header.size() + 2 + name.size() + 4;
        const auto padding = static_cast<std::uint16_t>((64 - unpadded % 64) % 64);
        append(header, static_cast<std::uint16_t>(4 + padding));
        header += name + "FB";
        append(header, padding);
        header.append(padding, 'Z');

        directory_ += "PK\x01\x02" + std::string("\x14\0", 2) + fields;
        directory_.append(2 + 2 + 2 + 2 + 4, '\0');  // no extra field, no comment, first disk, no attributes
        append(directory_, checked(at_));
        directory_ += name;
        ++count_;
        file_.write(header);
        file_.write(bytes);
        at_ += header.size() + bytes.size();
    }
    void add(const std::string& name, std::string_view text) { add(name, std::as_bytes(std::span(text))); }

    void commit() {
        if (count_ > UINT16_MAX)
            fail("cannot write {}: {} tensors are too many for a zip file", path_.string(), count_);
        std::string end = "PK\x05\x06" + std::string(4, '\0');
        append(end, static_cast<std::uint16_t>(count_));
        append(end, static_cast<std::uint16_t>(count_));
        append(end, checked(directory_.size()));
        append(end, checked(at_));
        append(end, std::uint16_t{0});
        file_.write(directory_ + end);
        file_.commit();
    }

  private:
    // What a local header and a directory record have in common: version 2.0, flag "UTF-8 names", stored, 1 January
    // 1980.
    std::string fixed_fields(const std::string& name, std::span<const std::byte> bytes) const {
        std::string fields;
        for (const int value : {20, 0x0800, 0, 0, 0x21}) append(fields, static_cast<std::uint16_t>(value));
        append(fields, checksum(bytes));
        append(fields, checked(bytes.size()));
        append(fields, checked(bytes.size()));
        append(fields, static_cast<std::uint16_t>(name.size()));
        return fields;
    }
    std::uint32_t checked(std::uint64_t value) const {
        if (value >= UINT32_MAX)
            fail("cannot write {}: PyTorch files above 4 GiB are not written; use safetensors", path_.string());
        return static_cast<std::uint32_t>(value);
    }

    std::filesystem::path path_;
    AtomicFile file_;
    std::string directory_;
    std::uint64_t at_ = 0, count_ = 0;
};

std::string_view storage_class(DType dtype) {
    constexpr std::string_view names[] = {"Double", "Float", "Half", "BFloat16", "Long", "Int", "Byte", "Bool"};
    return names[static_cast<std::size_t>(dtype)];
}

class PickleWriter {
  public:
    // OrderedDict([(name, tensor), ...]), the tensors' storages having the keys "0", "1", ...
    std::string state_dict(std::span<const WeightsEntry> entries) {
        code_ = "\x80\x02";
        code_ += "ccollections\nOrderedDict\n)R(";
        for (std::size_t i = 0; i < entries.size(); ++i) {
            text(entries[i].name);
            tensor(entries[i].spec, i);
        }
        code_ += "u.";
        return std::move(code_);
    }

  private:
    void text(std::string_view value) {
        code_ += 'X';
        append(code_, static_cast<std::uint32_t>(value.size()));
        code_ += value;
    }
    void integer(std::int64_t value) {
        if (value >= 0 && value <= INT32_MAX) {
            code_ += 'J';
            append(code_, static_cast<std::int32_t>(value));
        } else {
            code_ += "\x8a\x08";
            append(code_, value);
        }
    }
    // _rebuild_tensor_v2(storage, offset 0, sizes, strides, requires_grad False, no hooks)
    void tensor(const TensorSpec& spec, std::size_t key) {
        code_ += "ctorch._utils\n_rebuild_tensor_v2\n((";
        text("storage");
        code_ += fmt::format("ctorch\n{}Storage\n", storage_class(spec.dtype));
        text(std::to_string(key));
        text("cpu");
        integer(spec.shape.count());
        code_ += "tQ";
        integer(0);
        code_ += '(';
        for (const std::int64_t extent : spec.shape.extents()) integer(extent);
        code_ += "t(";
        const auto strides = contiguous_strides(spec.shape);
        for (int axis = 0; axis < spec.shape.rank(); ++axis) integer(strides[static_cast<std::size_t>(axis)]);
        code_ +=
            "t\x89"
            "ccollections\nOrderedDict\n)RtR";
    }

    std::string code_;
};

}  // namespace

void write_pytorch(const std::filesystem::path& path, std::span<const WeightsEntry> entries,
                   const TensorBytes& bytes_of, const Metadata& metadata) {
    check_names(entries);
    for (const WeightsEntry& entry : entries) {
        if (!is_utf8(entry.name))
            fail("cannot write {}: the tensor name {} is not UTF-8", path.string(), quote(entry.name));
    }
    StoredZip zip(path);
    zip.add("archive/data.pkl", PickleWriter().state_dict(entries));
    zip.add("archive/byteorder", "little");
    for (std::size_t i = 0; i < entries.size(); ++i) zip.add(fmt::format("archive/data/{}", i), bytes_of(i));
    zip.add("archive/version", "3\n");
    if (!metadata.empty()) zip.add(fmt::format("archive/{}", metadata_record), nlohmann::json(metadata).dump());
    zip.commit();
}

}  // namespace cambium::formats
