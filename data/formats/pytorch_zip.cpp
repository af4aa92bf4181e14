// PyTorch's zip format, what torch.save writes since 1.6: a folder with data.pkl (a pickle of the state_dict), data/KEY
// (one storage each), version and byteorder. Source: the record names in PyTorch, torch/serialization.py (_save, _load)
// and caffe2/serialize/inline_container.cc.
#include <nlohmann/json.hpp>

#include <algorithm>

#include "data/formats/pytorch.h"
#include "data/formats/zip_archive.h"
#include "engine/base/fail.h"

namespace cambium::formats {
namespace {

constexpr std::uint64_t largest_pickle = 256u << 20, largest_metadata = 16u << 20;

// The folder, with its slash, that the records are in.
std::string record_folder(const ZipArchive& archive) {
    constexpr std::string_view pickle = "data.pkl";
    std::string folder;
    bool found = false, arrays = false, keras = false;
    for (const ZipArchive::Entry& entry : archive.entries()) {
        const std::size_t slash = entry.name.find('/');
        const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
        if (std::string_view(entry.name).substr(begin) == pickle) {
            if (found) fail("it is a zip archive with several PyTorch files; unpack it first");
            folder = entry.name.substr(0, begin);
            found = true;
        }
        arrays = arrays || entry.name.ends_with(".npy");
        keras = keras || entry.name.ends_with(".weights.h5");
    }
    if (found) return folder;
    if (arrays) fail("it seems to be a NumPy archive (.npz); save its arrays as safetensors");
    if (keras) fail("it seems to be a Keras model; export its weights to safetensors with Keras");
    fail("it is a zip archive, but not of PyTorch: it has no data.pkl");
}

Metadata read_metadata(const std::string& text) {
    Metadata metadata;
    const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) fail("its metadata is not a JSON object");
    for (const auto& [key, value] : json.items()) {
        if (!value.is_string()) fail("its metadata has {} that is not text", quote(key));
        metadata[key] = value.get<std::string>();
    }
    return metadata;
}

}  // namespace

Contents read_pytorch_zip(std::span<const std::byte> file) {
    auto archive = std::make_unique<ZipArchive>(file);
    const std::string folder = record_folder(*archive);
    if (archive->find(folder + "constants.pkl")) {
        fail("it seems to be a TorchScript program; save the state_dict() of the model instead");
    }
    const std::string code = archive->text(*archive->find(folder + "data.pkl"), largest_pickle);
    const Pickle pickle(std::as_bytes(std::span(code)), load_storage);
    const auto locate = [&](const PickleStorage& storage) {
        const auto entry = archive->find(fmt::format("{}data/{}", folder, storage.key));
        if (!entry) fail("its storage {} is missing", quote(storage.key));
        if (storage.view_begin != 0)
            fail("its storage {} is part of another one, which zip files do not have", quote(storage.key));
        const std::uint64_t needed = storage_bytes(storage), held = archive->entries()[*entry].size;
        if (needed > held) fail("its storage {} has {} bytes, not {}", quote(storage.key), held, needed);
        return StorageRange{*entry, held};
    };
    Contents contents = find_state_dict(pickle, locate);
    if (const auto entry = archive->find(folder + "byteorder")) {
        const std::string order = archive->text(*entry, 16);
        if (order != "little" && order != "big") fail("its byte order is {}", quote(order));
        contents.big_endian = order == "big";
    }
    if (const auto entry = archive->find(fmt::format("{}{}", folder, metadata_record))) {
        contents.metadata.merge(read_metadata(archive->text(*entry, largest_metadata)));
    }
    contents.archive = std::move(archive);
    return contents;
}

}  // namespace cambium::formats
