// Weight files as named tensors: safetensors, PyTorch zip, PyTorch legacy streams and PyTorch tar files, told apart by
// their content. Opening reads and validates the table of contents only; each tensor is read when asked for, from the
// mapped file. Nothing in a file is ever executed: pickles go through an allow-list that can build tensors and inert
// values (pickle.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor/tensor.h"

namespace cambium {

enum class WeightsFormat : std::uint8_t { safetensors, pytorch_zip, pytorch_legacy, pytorch_tar };
std::string_view name_of(WeightsFormat format);  // "safetensors", "PyTorch zip", "PyTorch legacy", "PyTorch tar"

// A tensor in a file: its state_dict key, element type and shape in the file's axis order (filters [K, C, R, S]).
struct WeightsEntry {
    std::string name;
    TensorSpec spec;
};

using Metadata = std::map<std::string, std::string>;

// An open weights file. Reading is for one thread at a time.
class WeightsFile {
  public:
    // Throws Error: the file cannot be read, is none of the four formats (the sentence names what it seems to be, such
    // as ONNX, HDF5, Caffe or an HTML page), is cut off or inconsistent, or holds a pickle that asks for anything but
    // tensors (the sentence names the opcode or the global).
    static WeightsFile open(const std::filesystem::path& path);

    WeightsFile(WeightsFile&&) noexcept;
    WeightsFile& operator=(WeightsFile&&) noexcept;
    ~WeightsFile();

    const std::filesystem::path& path() const;
    WeightsFormat format() const;
    // In the file's order. The names are state_dict keys: where a training script wrapped the state_dict, it is
    // unwrapped, and a "module." or "_orig_mod." that all names start with is taken off; notes() says both.
    std::span<const WeightsEntry> entries() const;
    const WeightsEntry* find(std::string_view name) const;  // nullptr if there is no such tensor

    // The tensor, contiguous, in the file's axis order and element type; strides, offsets and storages shared between
    // tensors are resolved. Throws Error: no such tensor, an element type or rank that Tensor cannot hold, or damaged
    // data.
    Tensor read(std::string_view name) const;
    Tensor read(const WeightsEntry& entry) const { return read(entry.name); }

    // safetensors' __metadata__; of a PyTorch file, plain values beside the state_dict ("epoch": "90", "arch":
    // "resnet50") and what write_pytorch() stored.
    const Metadata& metadata() const;
    // What a person should know, a sentence each: where the state_dict was found, what was taken off the names, what
    // else is in the file and was not read, and tensors whose element type is not supported.
    std::span<const std::string> notes() const;

  private:
    struct Impl;
    explicit WeightsFile(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// What to write: a name and a tensor in the file's axis order, which must outlive the call.
struct NamedTensor {
    std::string name;
    const Tensor* tensor;
};

// Makes the tensor of entries[index] when its turn comes, so that a model is never in memory twice. Called once for
// each.
using TensorSource = std::function<Tensor(std::size_t index)>;

// Both writers are deterministic (the same tensors and metadata give the same bytes), and atomic: PATH holds either
// what it held before or the whole new file. Throw Error: duplicate or empty names, a tensor that differs from its
// entry, or a failed write (disk full, no permission).
//
// safetensors (https://github.com/huggingface/safetensors, "Format"): metadata sorted by key, tensors by element type
// (widest alignment first) and name, data aligned to 8 bytes.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata = {});
void write_safetensors(const std::filesystem::path& path, std::span<const WeightsEntry> entries,
                       const TensorSource& source, const Metadata& metadata = {});

// PyTorch zip: a plain state_dict that torch.load(path, weights_only=True) reads, in the order given. Metadata goes
// into a record that PyTorch ignores. At most 4 GiB.
void write_pytorch(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                   const Metadata& metadata = {});
void write_pytorch(const std::filesystem::path& path, std::span<const WeightsEntry> entries, const TensorSource& source,
                   const Metadata& metadata = {});

}  // namespace cambium
