#include "data/formats/weights.h"

#include <algorithm>
#include <cstring>

#include "data/formats/contents.h"
#include "data/formats/mapped_file.h"
#include "data/formats/zip_archive.h"
#include "engine/base/fail.h"

namespace cambium {

using formats::Contents;
using formats::quote;
using formats::StridedView;

struct WeightsFile::Impl {
    explicit Impl(const std::filesystem::path& name) : path(name), file(name) {}

    std::filesystem::path path;
    MappedFile file;
    WeightsFormat format{};
    Contents contents;
    std::map<std::string_view, std::size_t> index;

    // A storage of which several tensors are parts is decompressed once: the last
    // one read is kept.
    std::uint64_t cached_entry = UINT64_MAX;
    std::vector<std::byte> cache;

    std::span<const std::byte> storage(const StridedView& view);
};

namespace {

Contents read_contents(WeightsFormat format, std::span<const std::byte> file) {
    switch (format) {
        case WeightsFormat::safetensors:
            return formats::read_safetensors(file);
        case WeightsFormat::pytorch_zip:
            return formats::read_pytorch_zip(file);
        case WeightsFormat::pytorch_legacy:
            return formats::read_pytorch_legacy(file);
        case WeightsFormat::pytorch_tar:
            return formats::read_pytorch_tar(file);
    }
    fail("unknown format");
}

// DistributedDataParallel and torch.compile put a prefix in front of every
// name. It is taken off only if all have it.
void strip_prefixes(Contents& contents) {
    for (bool again = true; again;) {
        again = false;
        for (const std::string_view prefix : {"module.", "_orig_mod."}) {
            const auto& entries = contents.entries;
            const bool all =
                !entries.empty() && std::all_of(entries.begin(), entries.end(), [&](const WeightsEntry& e) {
                    return e.name.starts_with(prefix) && e.name.size() > prefix.size();
                });
            if (!all) continue;
            for (WeightsEntry& entry : contents.entries) entry.name.erase(0, prefix.size());
            std::map<std::string, std::string> unreadable;
            for (const auto& [name, why] : contents.unreadable) {
                unreadable.emplace(name.starts_with(prefix) ? name.substr(prefix.size()) : name, why);
            }
            contents.unreadable = std::move(unreadable);
            contents.notes.push_back(fmt::format("all names start with '{}'; it was taken off", prefix));
            again = true;
        }
    }
}

void copy_strided(const std::byte* from, std::byte*& to, const Shape& shape, const StridedView& view, int axis,
                  std::size_t size) {
    if (axis == shape.rank()) {
        std::memcpy(to, from, size);
        to += size;
        return;
    }
    const std::int64_t step = view.strides[static_cast<std::size_t>(axis)] * static_cast<std::int64_t>(size);
    for (std::int64_t i = 0; i < shape[axis]; ++i) copy_strided(from + i * step, to, shape, view, axis + 1, size);
}

// The stride of an axis of extent 1 means nothing.
bool is_contiguous(const Shape& shape, const StridedView& view) {
    const auto expected = formats::contiguous_strides(shape);
    for (int axis = 0; axis < shape.rank(); ++axis) {
        const auto i = static_cast<std::size_t>(axis);
        if (shape[axis] != 1 && view.strides[i] != expected[i]) return false;
    }
    return true;
}

void swap_bytes(std::span<std::byte> bytes, std::size_t size) {
    for (std::size_t i = 0; i < bytes.size(); i += size) std::reverse(&bytes[i], &bytes[i] + size);
}

}  // namespace

std::string_view name_of(WeightsFormat format) {
    constexpr std::string_view names[] = {"safetensors", "PyTorch zip", "PyTorch legacy", "PyTorch tar"};
    return names[static_cast<std::size_t>(format)];
}

WeightsFile::WeightsFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WeightsFile::WeightsFile(WeightsFile&&) noexcept = default;
WeightsFile& WeightsFile::operator=(WeightsFile&&) noexcept = default;
WeightsFile::~WeightsFile() = default;

WeightsFile WeightsFile::open(const std::filesystem::path& path) {
    auto impl = std::make_unique<Impl>(path);  // its errors name the path themselves
    try {
        impl->format = formats::detect(impl->file.bytes(), path.extension().string());
        impl->contents = read_contents(impl->format, impl->file.bytes());
        strip_prefixes(impl->contents);
        for (const auto& [name, why] : impl->contents.unreadable) {
            impl->contents.notes.push_back(fmt::format("tensor {} was left out: {}", quote(name), why));
        }
        for (const WeightsEntry& entry : impl->contents.entries) impl->index.emplace(entry.name, impl->index.size());
        return WeightsFile(std::move(impl));
    } catch (const Error& error) {
        fail("cannot read weights from {}: {}", path.string(), error.what());
    }
}

const std::filesystem::path& WeightsFile::path() const { return impl_->path; }
WeightsFormat WeightsFile::format() const { return impl_->format; }
std::span<const WeightsEntry> WeightsFile::entries() const { return impl_->contents.entries; }
const Metadata& WeightsFile::metadata() const { return impl_->contents.metadata; }
std::span<const std::string> WeightsFile::notes() const { return impl_->contents.notes; }

const WeightsEntry* WeightsFile::find(std::string_view name) const {
    const auto found = impl_->index.find(name);
    return found == impl_->index.end() ? nullptr : &impl_->contents.entries[found->second];
}

std::span<const std::byte> WeightsFile::Impl::storage(const StridedView& view) {
    if (!contents.archive) return file.bytes().subspan(view.storage.begin, view.storage.size);
    if (cached_entry != view.storage.begin) {
        cached_entry = UINT64_MAX;
        cache.resize(view.storage.size);
        contents.archive->read(view.storage.begin, cache);
        cached_entry = view.storage.begin;
    }
    return cache;
}

Tensor WeightsFile::read(std::string_view name) const {
    Impl& impl = *impl_;
    const auto found = impl.index.find(name);
    if (found == impl.index.end()) {
        const auto known = impl.contents.unreadable.find(std::string(name));
        if (known == impl.contents.unreadable.end()) fail("{} holds no tensor {}", path().string(), quote(name));
        fail("cannot read tensor {} from {}: {}", quote(name), path().string(), known->second);
    }
    const TensorSpec& spec = impl.contents.entries[found->second].spec;
    const StridedView& view = impl.contents.views[found->second];
    const std::size_t size = size_of(spec.dtype);
    Tensor tensor(spec);
    if (tensor.bytes().empty()) return tensor;
    try {
        const bool contiguous = is_contiguous(spec.shape, view);
        if (contiguous && impl.contents.archive && view.offset == 0 && view.storage.size == spec.bytes()) {
            impl.contents.archive->read(view.storage.begin, tensor.bytes());
        } else {
            const std::byte* first = impl.storage(view).data() + view.offset * static_cast<std::int64_t>(size);
            std::byte* to = tensor.bytes().data();
            if (contiguous) {
                std::memcpy(to, first, spec.bytes());
            } else {
                copy_strided(first, to, spec.shape, view, 0, size);
            }
        }
    } catch (const Error& error) {
        fail("cannot read tensor {} from {}: {}", quote(name), path().string(), error.what());
    }
    const bool zip = impl.contents.archive != nullptr;  // then the storage's place in the file is libzip's secret
    impl.file.release(zip ? 0 : view.storage.begin, zip ? impl.file.bytes().size() : view.storage.size);
    if (impl.contents.big_endian) swap_bytes(tensor.bytes(), size);
    return tensor;
}

namespace {

using Writer = void (*)(const std::filesystem::path&, std::span<const WeightsEntry>, const formats::TensorBytes&,
                        const Metadata&);

void write_named(Writer writer, const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                 const Metadata& metadata) {
    std::vector<WeightsEntry> entries;
    for (const NamedTensor& tensor : tensors) entries.push_back({tensor.name, tensor.tensor->spec()});
    writer(
        path, entries, [&](std::size_t index) { return tensors[index].tensor->bytes(); }, metadata);
}

void write_made(Writer writer, const std::filesystem::path& path, std::span<const WeightsEntry> entries,
                const TensorSource& source, const Metadata& metadata) {
    Tensor current;
    const auto bytes_of = [&](std::size_t index) -> std::span<const std::byte> {
        current = source(index);
        if (current.spec() != entries[index].spec) {
            fail("cannot write {}: tensor {} was announced as {} but is {}", path.string(), quote(entries[index].name),
                 to_string(entries[index].spec), to_string(current.spec()));
        }
        return current.bytes();
    };
    writer(path, entries, bytes_of, metadata);
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata) {
    write_named(formats::write_safetensors, path, tensors, metadata);
}

void write_safetensors(const std::filesystem::path& path, std::span<const WeightsEntry> entries,
                       const TensorSource& source, const Metadata& metadata) {
    write_made(formats::write_safetensors, path, entries, source, metadata);
}

void write_pytorch(const std::filesystem::path& path, std::span<const NamedTensor> tensors, const Metadata& metadata) {
    write_named(formats::write_pytorch, path, tensors, metadata);
}

void write_pytorch(const std::filesystem::path& path, std::span<const WeightsEntry> entries, const TensorSource& source,
                   const Metadata& metadata) {
    write_made(formats::write_pytorch, path, entries, source, metadata);
}

}  // namespace cambium
