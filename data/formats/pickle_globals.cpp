// The allow-list: every global that a pickle may name, and what calling it builds here.
#include <algorithm>
#include <array>

#include "data/formats/contents.h"
#include "data/formats/pickle.h"
#include "engine/base/fail.h"

namespace cambium::formats {

enum class Pickle::Role : std::uint8_t {
    constant,        // a dtype, class or layout: may be named and passed on, not called
    element,         // a storage or tensor class, or a dtype
    first_argument,  // torch.Size(x), Counter(x), Parameter(tensor, ...): stands for x
    ordered_dict,
    set,
    inert,                // builds a value that nobody looks into
    tensor,               // _rebuild_tensor, _v2: (storage, offset, sizes, strides, ...)
    tensor_of_type,       // _rebuild_tensor_v3: (storage, offset, sizes, strides, requires_grad, hooks, dtype, ...)
    tensor_from_function  // _rebuild_from_type_v2: (function, type, arguments, state)
};

namespace {

constexpr ElementType element_types[] = {
    {"Double", "float64", 8, DType::f64},
    {"Float", "float32", 4, DType::f32},
    {"Half", "float16", 2, DType::f16},
    {"BFloat16", "bfloat16", 2, DType::bf16},
    {"Long", "int64", 8, DType::i64},
    {"Int", "int32", 4, DType::i32},
    {"Byte", "uint8", 1, DType::u8},
    {"Bool", "bool", 1, DType::boolean},
    {"Short", "int16", 2, std::nullopt},
    {"Char", "int8", 1, std::nullopt},
    {"ComplexFloat", "complex64", 8, std::nullopt},
    {"ComplexDouble", "complex128", 16, std::nullopt},
    {"", "complex32", 4, std::nullopt},
    {"", "uint16", 2, std::nullopt},
    {"", "uint32", 4, std::nullopt},
    {"", "uint64", 8, std::nullopt},
    {"", "float8_e4m3fn", 1, std::nullopt},
    {"", "float8_e5m2", 1, std::nullopt},
    {"QInt8", "qint8", 1, std::nullopt},
    {"QUInt8", "quint8", 1, std::nullopt},
    {"QInt32", "qint32", 4, std::nullopt},
    {"Untyped", "untyped bytes", 1, std::nullopt},
};

const ElementType* find_element_type(std::string_view module, std::string_view name) {
    if (module != "torch" && module != "torch.cuda" && module != "torch.storage") return nullptr;
    for (const ElementType& type : element_types) {
        if (module == "torch" && name == type.name) return &type;
        if (type.storage.empty() || !name.starts_with(type.storage)) continue;
        const std::string_view rest = name.substr(type.storage.size());
        if (rest == "Storage" || rest == "Tensor") return &type;
    }
    return nullptr;
}

// posix.system is what Python writes for os.system.
std::string familiar_name(std::string_view module, std::string_view name) {
    const bool system = module == "posix" || module == "nt";
    return quote(fmt::format("{}.{}", system ? "os" : module, name));
}

}  // namespace

std::optional<Pickle::Global> Pickle::allowed(std::string_view module, std::string_view name) {
    struct Allowed {
        std::string_view name;
        Role role;
    };
    static constexpr Allowed list[] = {
        {"collections.OrderedDict", Role::ordered_dict},
        {"collections.Counter", Role::first_argument},
        {"torch._utils._rebuild_tensor", Role::tensor},
        {"torch._utils._rebuild_tensor_v2", Role::tensor},
        {"torch._utils._rebuild_tensor_v3", Role::tensor_of_type},
        {"torch._utils._rebuild_parameter", Role::first_argument},
        {"torch._utils._rebuild_parameter_with_state", Role::first_argument},
        {"torch._tensor._rebuild_from_type_v2", Role::tensor_from_function},
        {"torch.nn.parameter.Parameter", Role::first_argument},
        {"torch.Tensor", Role::constant},
        {"torch.Size", Role::first_argument},
        {"torch.device", Role::inert},
        {"torch.serialization._get_layout", Role::inert},
        {"builtins.set", Role::set},
        {"__builtin__.set", Role::set},
        {"_codecs.encode", Role::inert},  // how Python 3 writes bytes in protocol 2
        {"numpy.dtype", Role::inert},
        {"numpy.core.multiarray.scalar", Role::inert},
        {"numpy._core.multiarray.scalar", Role::inert},
        {"argparse.Namespace", Role::inert},
    };
    std::string full = fmt::format("{}.{}", module, name);
    if (const ElementType* type = find_element_type(module, name)) return Global{std::move(full), Role::element, type};
    const auto known = std::find_if(std::begin(list), std::end(list), [&](const Allowed& a) { return a.name == full; });
    if (known == std::end(list)) {
        fail(
            "refused: its pickle asks for {}, but only tensors and plain values are built from a pickle; if you trust "
            "the "
            "file, load it in PyTorch and save its state_dict()",
            familiar_name(module, name));
    }
    return Global{std::move(full), known->role, nullptr};
}

const Pickle::Global& Pickle::global(PickleId id, std::string_view action) const {
    const PickleNode& node = nodes_[id];
    if (node.kind != PickleKind::global) fail("refused: its pickle {} {}", action, describe(*this, id));
    return globals_[static_cast<std::size_t>(node.integer)];
}

const ElementType* Pickle::element_type(PickleId id) const {
    const PickleNode& node = nodes_[id];
    return node.kind == PickleKind::global ? globals_[static_cast<std::size_t>(node.integer)].type : nullptr;
}

PickleId Pickle::call(PickleId callee, PickleId arguments) {
    const Global global = this->global(callee, "calls");  // a copy: nodes may move
    if (nodes_[arguments].kind != PickleKind::tuple)
        fail("its pickle calls {} without a tuple of arguments", global.name);
    const std::vector<PickleId>& given = nodes_[arguments].items;
    switch (global.role) {
        case Role::constant:
        case Role::element:
            fail("refused: its pickle calls {}, which may be named only", quote(global.name));
        case Role::inert:
            return add({.kind = PickleKind::inert, .text = "a Python object", .items = {}});
        case Role::set:
            return add({.kind = PickleKind::set, .text = {}, .items = {}});
        case Role::first_argument:
            return given.empty() ? add({.kind = PickleKind::tuple, .text = {}, .items = {}}) : given[0];
        case Role::ordered_dict: {  // Python 2 passes a list of [key, value]; Python 3 nothing, and sets the items
                                    // later
            PickleNode dict{.kind = PickleKind::dict, .text = {}, .items = {}};
            for (const PickleId pair : given.empty() ? std::vector<PickleId>{} : nodes_[given[0]].items) {
                const auto& items = nodes_[pair].items;
                if (items.size() != 2) fail("its pickle calls OrderedDict with something that is not a list of pairs");
                dict.items.insert(dict.items.end(), items.begin(), items.end());
            }
            return add(std::move(dict));
        }
        case Role::tensor:
        case Role::tensor_of_type:
            return rebuild_tensor(global, given);
        case Role::tensor_from_function: {
            if (given.size() < 3 || nodes_[given[2]].kind != PickleKind::tuple) {
                fail("its pickle calls {} with the wrong arguments", global.name);
            }
            const Role inner = this->global(given[0], "rebuilds a tensor through").role;
            if (inner != Role::tensor && inner != Role::tensor_of_type && inner != Role::first_argument) {
                fail("refused: its pickle rebuilds a tensor through {}", describe(*this, given[0]));
            }
            return call(given[0], given[2]);
        }
    }
    fail("its pickle calls something unknown");
}

PickleId Pickle::rebuild_tensor(const Global& global, std::span<const PickleId> arguments) {
    const std::size_t needed = global.role == Role::tensor_of_type ? 7 : 4;
    if (arguments.size() < needed || nodes_[arguments[0]].kind != PickleKind::storage) {
        fail("its pickle calls {} without a storage, offset, sizes and strides", global.name);
    }
    PickleTensor tensor;
    tensor.storage = static_cast<std::size_t>(nodes_[arguments[0]].integer);
    tensor.type = global.role == Role::tensor_of_type ? element_type(arguments[6]) : storages_[tensor.storage].type;
    if (tensor.type == nullptr) fail("its pickle rebuilds a tensor of {}", describe(*this, arguments[6]));
    tensor.offset = integer(arguments[1], "a tensor's offset");
    tensor.sizes = arguments[2];
    tensor.strides = arguments[3];
    return add_tensor(tensor);
}

// BUILD: attributes of an OrderedDict (state_dict()._metadata), a parameter or an inert object are dropped.
void Pickle::set_state(PickleId target) const {
    const PickleKind kind = nodes_[target].kind;
    if (kind != PickleKind::dict && kind != PickleKind::inert && kind != PickleKind::tensor) {
        fail("refused: its pickle sets attributes of {}", describe(*this, target));
    }
}

PickleId load_storage(Pickle& pickle, PickleId id) {
    const std::vector<PickleId>& items = pickle[id].items;
    if (pickle[id].kind != PickleKind::tuple || items.size() < 5 || pickle[items[0]].text != "storage") {
        fail("refused: its pickle refers to {} outside of it, and only storages can be there", describe(pickle, id));
    }
    PickleStorage storage;
    storage.type = pickle.element_type(items[1]);
    if (storage.type == nullptr) fail("its pickle has a storage of {}", describe(pickle, items[1]));
    const PickleNode& key = pickle[items[2]];
    storage.key = key.kind == PickleKind::integer ? std::to_string(key.integer) : std::string(key.text);
    storage.count = pickle.integer(items[4], "the size of a storage");
    if (items.size() > 5 &&
        pickle[items[5]].kind == PickleKind::tuple) {  // a part of it: (key, first element, elements)
        const std::vector<PickleId>& view = pickle[items[5]].items;
        if (view.size() != 3) fail("its pickle has a part of a storage that is not (key, begin, size)");
        storage.view_begin = pickle.integer(view[1], "the begin of a part of a storage");
        storage.count = pickle.integer(view[2], "the size of a part of a storage");
    }
    if (storage.count < 0 || storage.view_begin < 0) fail("its pickle has a storage of negative size");
    return pickle.add_storage(std::move(storage));
}

}  // namespace cambium::formats
