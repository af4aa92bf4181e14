#include "data/formats/zip_archive.h"

#include <zip.h>

#include "data/formats/contents.h"
#include "engine/base/fail.h"

namespace cambium::formats {
namespace {

// The most that deflate can expand its input (zlib, "Technical Details": 1032:1); a larger claim is a lie.
constexpr std::uint64_t deflate_ratio = 1032;

struct CloseEntry {
    void operator()(zip_file_t* file) const { zip_fclose(file); }
};

std::string reason(int code) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    std::string text = zip_error_strerror(&error);
    zip_error_fini(&error);
    return text;
}

void check_entry(const zip_stat_t& stat, std::uint64_t file_size) {
    const std::string name = quote(stat.name);
    if (stat.encryption_method != ZIP_EM_NONE) fail("its entry {} is encrypted", name);
    if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
        fail("its entry {} is compressed by method {}; only stored and deflated entries are read", name,
             stat.comp_method);
    }
    const bool stored = stat.comp_method == ZIP_CM_STORE;
    if (stat.comp_size > file_size || (stored && stat.size != stat.comp_size) ||
        (!stored && stat.size / deflate_ratio > stat.comp_size)) {
        fail("its entry {} claims {} bytes, packed into {}, in an archive of {}; it is damaged", name, stat.size,
             stat.comp_size, file_size);
    }
}

}  // namespace

void ZipArchive::Close::operator()(zip* archive) const { zip_discard(archive); }

ZipArchive::ZipArchive(std::span<const std::byte> file) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* source = zip_source_buffer_create(file.data(), file.size(), 0, &error);
    if (source != nullptr) archive_.reset(zip_open_from_source(source, ZIP_RDONLY, &error));
    if (!archive_) {
        const std::string text = zip_error_strerror(&error);
        zip_error_fini(&error);
        if (source != nullptr) zip_source_free(source);
        fail("its zip directory cannot be read ({}); it is cut off or damaged", text);
    }
    zip_error_fini(&error);
    const zip_int64_t count = zip_get_num_entries(archive_.get(), 0);
    for (zip_int64_t i = 0; i < count; ++i) {
        zip_stat_t stat;
        zip_stat_init(&stat);
        constexpr zip_uint64_t needed =
            ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
        const int status = zip_stat_index(archive_.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW, &stat);
        if (status != 0 || (stat.valid & needed) != needed) fail("its zip entry {} has no complete description", i);
        check_entry(stat, file.size());
        if (!index_.emplace(stat.name, entries_.size()).second) fail("it has two entries named {}", quote(stat.name));
        entries_.push_back({stat.name, stat.size});
    }
}

std::optional<std::uint64_t> ZipArchive::find(std::string_view name) const {
    const auto entry = index_.find(name);
    if (entry == index_.end()) return std::nullopt;
    return entry->second;
}

void ZipArchive::read(std::uint64_t index, std::span<std::byte> into) const {
    const Entry& entry = entries_[index];
    const auto damaged = [&](const std::string& text) {
        fail("its entry {} cannot be read: {}", quote(entry.name), text);
    };
    if (into.size() > entry.size) damaged(fmt::format("it has {} bytes, not {}", entry.size, into.size()));
    const std::unique_ptr<zip_file_t, CloseEntry> file(zip_fopen_index(archive_.get(), index, 0));
    if (!file) damaged(zip_strerror(archive_.get()));
    const auto take = [&](void* data, std::size_t size) {
        const zip_int64_t got = zip_fread(file.get(), data, size);
        if (got < 0) damaged(reason(zip_error_code_zip(zip_file_get_error(file.get()))));
        return static_cast<std::size_t>(got);
    };
    std::size_t done = 0;
    while (done < into.size()) {
        const std::size_t got = take(into.data() + done, into.size() - done);
        if (got == 0) damaged(fmt::format("it ends after {} of {} bytes", done, into.size()));
        done += got;
    }
    std::byte more;
    if (done == entry.size && take(&more, 1) != 0)
        damaged("it is longer than its description");  // libzip checks the CRC here
}

std::string ZipArchive::text(std::uint64_t index, std::uint64_t largest) const {
    const Entry& entry = entries_[index];
    if (entry.size > largest) {
        fail("its entry {} has {} bytes; at most {} make sense there", quote(entry.name), entry.size, largest);
    }
    std::string result(static_cast<std::size_t>(entry.size), '\0');
    read(index, std::as_writable_bytes(std::span(result)));
    return result;
}

}  // namespace cambium::formats
