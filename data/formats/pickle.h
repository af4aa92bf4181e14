// An unpickler that can build tensors and plain values, and nothing else. A pickle is a program; here it runs on a
// machine whose only callables are the fixed few that PyTorch's state_dicts need, and whose results are nodes in an
// arena, never objects. Any other opcode or global is refused by name. Memory is bounded by the size of the file.
// Internal to data/formats. The opcodes: CPython, Lib/pickletools.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/dtype.h"

namespace cambium::formats {

// An element type of PyTorch, which may be one that Tensor cannot hold.
struct ElementType {
    std::string_view storage;  // "Float" of torch.FloatStorage and torch.FloatTensor; empty if there is no such class
    std::string_view name;     // "float32" of torch.float32
    std::uint64_t bytes;
    std::optional<DType> dtype;
};

using PickleId = std::uint32_t;  // an index into the arena

enum class PickleKind : std::uint8_t {
    none,
    boolean,
    integer,
    real,
    text,
    bytes,
    tuple,
    list,
    dict,
    set,
    global,
    storage,
    tensor,
    inert
};

struct PickleNode {
    PickleKind kind = PickleKind::none;
    std::int64_t integer = 0;  // boolean, integer; the index of a global, storage or tensor
    double real = 0;
    std::string_view text;        // text, bytes (within the pickle); inert: what it is
    std::vector<PickleId> items;  // tuple, list, set; dict: key, value, key, value, ...
};

struct PickleStorage {
    std::string key;
    const ElementType* type = nullptr;
    std::int64_t count = 0;       // elements
    std::int64_t view_begin = 0;  // elements of the storage with that key that come before this part of it
};

struct PickleTensor {
    const ElementType* type = nullptr;
    std::size_t storage = 0;          // index into storages()
    std::int64_t offset = 0;          // elements
    PickleId sizes = 0, strides = 0;  // tuples
};

class Pickle {
  public:
    // What a persistent id stands for: PyTorch keeps storages (in tar files: tensors) outside the pickle.
    using PersistentLoader = std::function<PickleId(Pickle& pickle, PickleId id)>;

    // Runs the pickle at the start of `bytes`, which must stay valid; it may end before them. Without a loader
    // persistent ids are refused. Throws Error.
    explicit Pickle(std::span<const std::byte> bytes, const PersistentLoader& persistent = {});

    std::size_t size() const { return size_; }  // bytes, STOP included
    PickleId root() const { return root_; }
    std::size_t count() const { return nodes_.size(); }
    const PickleNode& operator[](PickleId id) const { return nodes_[id]; }
    std::span<const PickleStorage> storages() const { return storages_; }
    std::span<const PickleTensor> tensors() const { return tensors_; }
    // The storage or tensor class, or the dtype, that a node names; nullptr if it names none.
    const ElementType* element_type(PickleId id) const;

    // For persistent loaders.
    PickleId add(PickleNode node);
    PickleId add_integers(std::span<const std::int64_t> values);  // a tuple
    PickleId add_storage(PickleStorage storage);
    PickleId add_tensor(const PickleTensor& tensor);

    // The integer of a node; throws Error naming `what` if it is none.
    std::int64_t integer(PickleId id, std::string_view what) const;

  private:
    friend class PickleMachine;
    enum class Role : std::uint8_t;
    struct Global {
        std::string name;
        Role role;
        const ElementType* type;
    };

    static std::optional<Global> allowed(std::string_view module, std::string_view name);
    PickleId call(PickleId callee, PickleId arguments);
    PickleId rebuild_tensor(const Global& global, std::span<const PickleId> arguments);
    void set_state(PickleId target) const;
    const Global& global(PickleId id, std::string_view action) const;

    std::vector<PickleNode> nodes_;
    std::vector<Global> globals_;
    std::vector<PickleStorage> storages_;
    std::vector<PickleTensor> tensors_;
    std::size_t size_ = 0;
    PickleId root_ = 0;
};

// ('storage', torch.FloatStorage, key, location, count[, view]): how zip files and legacy streams name a storage.
PickleId load_storage(Pickle& pickle, PickleId id);

std::string describe(const Pickle& pickle, PickleId id);  // for messages: "90", "'resnet50'", "a dict"

}  // namespace cambium::formats
