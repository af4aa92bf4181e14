// PyTorch's legacy stream (torch.save before 1.6) and its tar files (before 0.1.10): pickles and raw storages, one
// after another. Source: PyTorch, torch/serialization.py (_legacy_save, _legacy_load).
#include <algorithm>
#include <cstring>
#include <map>

#include "data/formats/pytorch.h"
#include "engine/base/fail.h"

namespace cambium::formats {
namespace {

// A part of the file that is read from front to back, by pickles and by numbers.
class Stream {
  public:
    Stream(std::span<const std::byte> file, std::uint64_t begin, std::uint64_t size)
        : file_(file), at_(begin), end_(begin + size) {}

    Pickle pickle(const Pickle::PersistentLoader& persistent = {}) {
        Pickle result(file_.subspan(at_, end_ - at_), persistent);
        at_ += result.size();
        return result;
    }
    std::uint64_t take(std::uint64_t bytes) {  // where they begin
        if (bytes > end_ - at_) fail("it ends {} bytes too early; it is cut off", bytes - (end_ - at_));
        at_ += bytes;
        return at_ - bytes;
    }
    template <class T>
    T number() {
        T value;
        std::memcpy(&value, file_.data() + take(sizeof value), sizeof value);
        return value;
    }
    // A storage: its number of elements, then the elements.
    StorageRange storage(const ElementType& type) {
        const auto count = number<std::int64_t>();
        std::uint64_t bytes = 0;
        if (count < 0 || __builtin_mul_overflow(static_cast<std::uint64_t>(count), type.bytes, &bytes)) {
            fail("it has a storage of {} elements; it is damaged", count);
        }
        return {take(bytes), bytes};
    }

  private:
    std::span<const std::byte> file_;
    std::uint64_t at_, end_;
};

std::string key_of(const PickleNode& node) {
    return node.kind == PickleKind::integer ? std::to_string(node.integer) : std::string(node.text);
}

// The part [begin, begin + count) of a range, in elements.
StorageRange part_of(const StorageRange& whole, std::int64_t begin, std::int64_t count, const ElementType& type) {
    const std::uint64_t held = whole.size / type.bytes, first = static_cast<std::uint64_t>(begin);
    if (begin < 0 || count < 0 || first > held || static_cast<std::uint64_t>(count) > held - first) {
        fail("it has {} elements from {} of a storage that has {}; it is damaged", count, begin, held);
    }
    return {whole.begin + first * type.bytes, static_cast<std::uint64_t>(count) * type.bytes};
}

}  // namespace

Contents read_pytorch_legacy(std::span<const std::byte> file) {
    constexpr std::string_view magic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";  // 0x1950a86a20f9469cfc6c
    Stream stream(file, 0, file.size());
    const Pickle first = stream.pickle();
    if (first[first.root()].text != magic) fail("it is a pickle, but not one that torch.save wrote");
    const Pickle version = stream.pickle();
    if (version.integer(version.root(), "the version") != 1001)
        fail("it has an unknown version of PyTorch's legacy format");
    stream.pickle();  // about the machine that wrote it; storages are little-endian on all of them

    const Pickle pickle = stream.pickle(load_storage);
    std::map<std::string, const ElementType*, std::less<>> types;
    for (const PickleStorage& storage : pickle.storages()) types.emplace(storage.key, storage.type);
    const Pickle keys = stream.pickle();
    std::map<std::string, StorageRange> ranges;
    for (const PickleId id : keys[keys.root()].items) {
        const std::string key = key_of(keys[id]);
        const auto type = types.find(key);
        if (type == types.end()) fail("it has a storage {} that no tensor uses; it is damaged", quote(key));
        if (!ranges.emplace(key, stream.storage(*type->second)).second) fail("it has storage {} twice", quote(key));
    }
    return find_state_dict(pickle, [&](const PickleStorage& storage) {
        const auto range = ranges.find(storage.key);
        if (range == ranges.end()) fail("its storage {} is missing", quote(storage.key));
        return part_of(range->second, storage.view_begin, storage.count, *storage.type);
    });
}

namespace {

struct TarStorage {
    const ElementType* type;
    StorageRange range;
};

struct TarTensor {
    std::string storage;
    std::vector<std::int64_t> sizes, strides;
    std::int64_t offset;
};

struct TarFile {
    std::map<std::string, StorageRange, std::less<>> entries;
    std::map<std::string, TarStorage> storages;
    std::map<std::string, TarTensor> tensors;

    Stream stream(std::span<const std::byte> file, std::string_view name) const {
        const auto entry = entries.find(name);
        if (entry == entries.end()) fail("it is a tar archive, but not of PyTorch: it has no entry '{}'", name);
        return {file, entry->second.begin, entry->second.size};
    }
};

// An octal number, padded with blanks or NULs.
std::uint64_t octal(std::string_view field) {
    std::uint64_t value = 0;
    for (const char c : field) {
        if (c >= '0' && c <= '7') value = value * 8 + static_cast<std::uint64_t>(c - '0');
    }
    return value;
}

// The archive ends with two blocks of zeros; without them it is cut off.
void list_entries(std::span<const std::byte> file, TarFile& tar) {
    constexpr std::uint64_t block = 512;
    const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
    const auto is_zero = [&](std::uint64_t at) {
        return text.substr(at, block).find_first_not_of('\0') == std::string_view::npos;
    };
    std::uint64_t at = 0;
    while (at + 2 * block <= text.size()) {
        if (is_zero(at) && is_zero(at + block)) return;
        const std::string_view header = text.substr(at, block);
        std::string_view name = header.substr(0, header.substr(0, 100).find('\0'));
        if (name.starts_with("./")) name.remove_prefix(2);
        const std::uint64_t size = octal(header.substr(124, 11)), begin = at + block;
        if (size > text.size() - begin)
            fail("its entry {} claims {} bytes; it is cut off or damaged", quote(name), size);
        tar.entries[std::string(name.substr(0, 100))] = {begin, size};
        at = begin + (size + block - 1) / block * block;
    }
    fail("its tar archive has no end; it is cut off");
}

void read_storages(Stream stream, TarFile& tar) {
    const Pickle count = stream.pickle();
    for (std::int64_t i = count.integer(count.root(), "the number of storages"); i > 0; --i) {
        const Pickle pickle = stream.pickle();  // (key, location, class)
        const std::vector<PickleId>& items = pickle[pickle.root()].items;
        const ElementType* type = items.size() == 3 ? pickle.element_type(items[2]) : nullptr;
        if (type == nullptr) fail("its list of storages is damaged");
        tar.storages[key_of(pickle[items[0]])] = {type, stream.storage(*type)};
    }
    const Pickle views = stream.pickle();  // [(key, key of the whole, begin, count)]
    for (const PickleId id : views[views.root()].items) {
        const std::vector<PickleId>& items = views[id].items;
        const auto whole = items.size() == 4 ? tar.storages.find(key_of(views[items[1]])) : tar.storages.end();
        if (whole == tar.storages.end()) fail("its list of parts of storages is damaged");
        const auto begin = views.integer(items[2], "the begin of a part"),
                   size = views.integer(items[3], "the size of a part");
        const TarStorage part{whole->second.type, part_of(whole->second.range, begin, size, *whole->second.type)};
        tar.storages[key_of(views[items[0]])] = part;
    }
}

void read_tensors(Stream stream, TarFile& tar) {
    const Pickle count = stream.pickle();
    for (std::int64_t i = count.integer(count.root(), "the number of tensors"); i > 0; --i) {
        const Pickle pickle = stream.pickle();  // (key, key of the storage, class)
        const std::vector<PickleId>& items = pickle[pickle.root()].items;
        const auto rank = stream.number<std::int64_t>();
        if (items.size() != 3 || rank < 0 || rank > 64) fail("its list of tensors is damaged");
        TarTensor tensor{.storage = key_of(pickle[items[1]]), .sizes = {}, .strides = {}, .offset = 0};
        for (std::int64_t axis = 0; axis < rank; ++axis) tensor.sizes.push_back(stream.number<std::int64_t>());
        for (std::int64_t axis = 0; axis < rank; ++axis) tensor.strides.push_back(stream.number<std::int64_t>());
        tensor.offset = stream.number<std::int64_t>();
        tar.tensors[key_of(pickle[items[0]])] = std::move(tensor);
    }
}

}  // namespace

Contents read_pytorch_tar(std::span<const std::byte> file) {
    TarFile tar;
    list_entries(file, tar);
    read_storages(tar.stream(file, "storages"), tar);
    read_tensors(tar.stream(file, "tensors"), tar);
    std::map<std::string, PickleId> built;
    const auto load_tensor = [&](Pickle& pickle, PickleId id) {
        const std::string key = key_of(pickle[id]);
        if (const auto known = built.find(key); known != built.end()) return known->second;
        const auto tensor = tar.tensors.find(key);
        if (tensor == tar.tensors.end()) fail("its pickle refers to a tensor {} that is missing", describe(pickle, id));
        const auto storage = tar.storages.find(tensor->second.storage);
        if (storage == tar.storages.end()) fail("its storage {} is missing", quote(tensor->second.storage));
        const TarStorage& held = storage->second;
        pickle.add_storage({.key = storage->first,
                            .type = held.type,
                            .count = static_cast<std::int64_t>(held.range.size / held.type->bytes)});
        const PickleTensor result{.type = held.type,
                                  .storage = pickle.storages().size() - 1,
                                  .offset = tensor->second.offset,
                                  .sizes = pickle.add_integers(tensor->second.sizes),
                                  .strides = pickle.add_integers(tensor->second.strides)};
        return built[key] = pickle.add_tensor(result);
    };
    const Pickle pickle = tar.stream(file, "pickle").pickle(load_tensor);
    return find_state_dict(pickle, [&](const PickleStorage& storage) { return tar.storages.at(storage.key).range; });
}

}  // namespace cambium::formats
