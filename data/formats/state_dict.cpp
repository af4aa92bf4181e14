// Finds the state_dict in what a training script saved. Scripts put it at top level or under one of a few usual names,
// beside epoch, optimizer and arguments; what is not a tensor of it is named in the notes and otherwise left alone.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "data/formats/pytorch.h"
#include "engine/base/fail.h"
#include "engine/base/utf8.h"

namespace cambium::formats {
namespace {

// In order of preference: plain weights before averaged ones.
constexpr std::string_view usual_names[] = {"state_dict",     "model_state_dict", "model_state", "model",   "net",
                                            "network",        "module",           "params",      "weights", "model_ema",
                                            "state_dict_ema", "ema_state_dict",   "ema",         "teacher", "student"};
constexpr int deepest = 8;
constexpr std::size_t most_named = 12;  // in one note

// A tensor repeated by zero strides may need more memory than its storage; beyond this it is taken for an attack.
constexpr std::uint64_t largest_expansion = 256u << 20;

class StateDictFinder {
  public:
    StateDictFinder(const Pickle& pickle, const StorageLocator& locate)
        : pickle_(pickle), locate_(locate), holds_tensors_(pickle.count()) {
        for (PickleId id = 0; id < pickle.count(); ++id) {
            const PickleNode& node = pickle[id];
            if (node.kind != PickleKind::dict) continue;
            for (std::size_t i = 1; i < node.items.size(); i += 2) {
                if (pickle[node.items[i]].kind == PickleKind::tensor) holds_tensors_[id] = true;
            }
        }
        find_wrappers();
    }

    Contents find() {
        PickleId dict = pickle_.root();
        std::string path;
        for (int depth = 0;; ++depth) {
            if (pickle_[dict].kind != PickleKind::dict) {
                fail("it holds {}, not a state_dict of named tensors", describe(pickle_, dict));
            }
            if (depth == deepest) fail("its dicts are nested too deeply to find a state_dict");
            const std::size_t chosen = inner(dict);
            if (chosen == 0) break;
            note_others(dict, chosen);
            const std::vector<PickleId>& items = pickle_[dict].items;
            path += (path.empty() ? "" : ".") + std::string(pickle_[items[chosen - 1]].text);
            dict = items[chosen];
        }
        if (!path.empty())
            contents_.notes.insert(contents_.notes.begin(), fmt::format("the tensors are those under {}", quote(path)));
        collect(dict);
        return std::move(contents_);
    }

  private:
    // The position, in the dict's items, of the value that leads to the tensors; 0 if the dict itself holds them.
    std::size_t inner(PickleId dict) const;
    void find_wrappers();
    void note_others(PickleId dict, std::size_t chosen);
    void note(std::string_view what, const std::vector<std::string>& names);
    void collect(PickleId dict);
    void add(std::string_view name, const PickleTensor& tensor);
    StridedView view_of(std::string_view name, const PickleTensor& tensor, const Shape& shape) const;

    const Pickle& pickle_;
    const StorageLocator& locate_;
    std::vector<bool> holds_tensors_;  // for each node: a dict with a tensor among its values
    std::vector<bool> leads_;          // the same, or such a dict is inside it under usual names
    Contents contents_;
};

std::size_t rank_of(std::string_view key) {
    const auto usual = std::find(std::begin(usual_names), std::end(usual_names), key);
    return static_cast<std::size_t>(usual - std::begin(usual_names));
}

// Level by level, so that the work stays proportional to the file whatever its dicts refer to.
void StateDictFinder::find_wrappers() {
    constexpr int levels = 3;  // {"checkpoint": {"model": {"state_dict": ...}}}
    leads_ = holds_tensors_;
    for (int level = 0; level < levels; ++level) {
        const std::vector<bool> inner = leads_;
        for (PickleId id = 0; id < pickle_.count(); ++id) {
            const PickleNode& node = pickle_[id];
            if (node.kind != PickleKind::dict || inner[id]) continue;
            for (std::size_t i = 1; i < node.items.size(); i += 2) {
                const PickleNode& key = pickle_[node.items[i - 1]];
                if (inner[node.items[i]] && key.kind == PickleKind::text &&
                    rank_of(key.text) < std::size(usual_names)) {
                    leads_[id] = true;
                }
            }
        }
    }
}

std::size_t StateDictFinder::inner(PickleId dict) const {
    const std::vector<PickleId>& items = pickle_[dict].items;
    std::size_t best = 0, best_rank = std::size(usual_names);
    std::vector<std::size_t> candidates;
    for (std::size_t i = 1; i < items.size(); i += 2) {
        const PickleNode& key = pickle_[items[i - 1]];
        if (key.kind != PickleKind::text || !leads_[items[i]]) continue;
        candidates.push_back(i);
        if (const std::size_t rank = rank_of(key.text); rank < best_rank) best = i, best_rank = rank;
    }
    if (best != 0) return best;
    if (holds_tensors_[dict]) return 0;
    if (candidates.empty()) fail("it holds a dict without tensors, not a state_dict");
    if (candidates.size() > 1) {
        fail("it holds {} sets of tensors, such as {} and {}, and none under a usual name such as 'state_dict'",
             candidates.size(), quote(pickle_[items[candidates[0] - 1]].text),
             quote(pickle_[items[candidates[1] - 1]].text));
    }
    return candidates[0];
}

std::string key_name(const Pickle& pickle, PickleId key) {
    return pickle[key].kind == PickleKind::text ? quote(pickle[key].text) : describe(pickle, key);
}

void StateDictFinder::note_others(PickleId dict, std::size_t chosen) {
    const std::vector<PickleId>& items = pickle_[dict].items;
    std::vector<std::string> others;
    for (std::size_t i = 1; i < items.size(); i += 2) {
        if (i == chosen) continue;
        const PickleNode& key = pickle_[items[i - 1]];
        const PickleNode& value = pickle_[items[i]];
        const std::string described = describe(pickle_, items[i]);
        others.push_back(fmt::format("{} ({})", key_name(pickle_, items[i - 1]), described));
        const bool plain = value.kind == PickleKind::text || value.kind == PickleKind::integer ||
                           value.kind == PickleKind::real || value.kind == PickleKind::boolean;
        if (plain && key.kind == PickleKind::text && is_utf8(key.text) && is_utf8(value.text)) {
            contents_.metadata[std::string(key.text)] =
                value.kind == PickleKind::text ? std::string(value.text) : described;
        }
    }
    note("beside the tensors the file holds", others);
}

void StateDictFinder::note(std::string_view what, const std::vector<std::string>& names) {
    if (names.empty()) return;
    const std::size_t named = std::min(names.size(), most_named);
    std::string text =
        fmt::format("{} {}", what, fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(named), ", "));
    if (named < names.size()) text += fmt::format(" and {} more", names.size() - named);
    contents_.notes.push_back(text);
}

void StateDictFinder::collect(PickleId dict) {
    const std::vector<PickleId>& items = pickle_[dict].items;
    std::map<std::string_view, std::size_t> last;  // as in Python, the last value of a key counts
    std::vector<std::string> others;
    for (std::size_t i = 1; i < items.size(); i += 2) {
        const PickleNode& key = pickle_[items[i - 1]];
        if (key.kind == PickleKind::text) last[key.text] = i;
    }
    for (std::size_t i = 1; i < items.size(); i += 2) {
        const PickleNode& key = pickle_[items[i - 1]];
        const PickleNode& value = pickle_[items[i]];
        if (key.kind != PickleKind::text || value.kind != PickleKind::tensor) {
            others.push_back(fmt::format("{} ({})", key_name(pickle_, items[i - 1]), describe(pickle_, items[i])));
        } else if (last[key.text] == i) {
            add(key.text, pickle_.tensors()[static_cast<std::size_t>(value.integer)]);
        }
    }
    note("among the tensors the file holds, not read,", others);
}

void StateDictFinder::add(std::string_view name, const PickleTensor& tensor) {
    if (name.empty() || !is_utf8(name)) fail("it has a tensor whose name {} is not text", quote(name));
    const std::vector<PickleId>& sizes = pickle_[tensor.sizes].items;
    if (!tensor.type->dtype || sizes.size() > Shape::max_rank) {
        contents_.unreadable.emplace(name, tensor.type->dtype ? fmt::format("it has {} axes", sizes.size())
                                                              : fmt::format("its elements are {}", tensor.type->name));
        return;
    }
    std::vector<std::int64_t> extents;
    for (const PickleId size : sizes) {
        extents.push_back(pickle_.integer(size, "an extent"));
        if (extents.back() < 0) fail("tensor {} has the extent {}", quote(name), extents.back());
    }
    const TensorSpec spec{Shape(extents), *tensor.type->dtype};
    contents_.views.push_back(view_of(name, tensor, spec.shape));
    contents_.entries.push_back({std::string(name), spec});
}

// Checks that every element lies in the storage, and the storage in the file.
StridedView StateDictFinder::view_of(std::string_view name, const PickleTensor& tensor, const Shape& shape) const {
    const PickleStorage& storage = pickle_.storages()[tensor.storage];
    const std::vector<PickleId>& strides = pickle_[tensor.strides].items;
    if (strides.size() != static_cast<std::size_t>(shape.rank())) {
        fail("tensor {} has {} axes but {} strides", quote(name), shape.rank(), strides.size());
    }
    StridedView view{.storage = locate_(storage), .offset = tensor.offset, .strides = {}};
    bool inside = tensor.offset >= 0;
    std::int64_t end = tensor.offset, product = 0;  // one past the last element
    inside = inside && !__builtin_add_overflow(end, std::int64_t{1}, &end);
    for (std::size_t axis = 0; axis < strides.size(); ++axis) {
        const std::int64_t stride = pickle_.integer(strides[axis], "a stride");
        view.strides[axis] = stride;
        const std::int64_t steps = shape[static_cast<int>(axis)] - 1;
        inside = inside && stride >= 0 && !__builtin_mul_overflow(stride, std::max<std::int64_t>(steps, 0), &product) &&
                 !__builtin_add_overflow(end, product, &end);
    }
    const std::uint64_t held = view.storage.size / tensor.type->bytes;
    if (shape.count() > 0 && (!inside || static_cast<std::uint64_t>(end) > held)) {
        fail("tensor {} of shape {} reaches beyond its storage of {} elements", quote(name), to_string(shape), held);
    }
    std::uint64_t needed = 0;
    if (__builtin_mul_overflow(static_cast<std::uint64_t>(shape.count()), tensor.type->bytes, &needed) ||
        (needed > view.storage.size && needed > largest_expansion)) {
        fail("tensor {} of shape {} repeats a storage of {} bytes too often", quote(name), to_string(shape),
             view.storage.size);
    }
    return view;
}

}  // namespace

std::uint64_t storage_bytes(const PickleStorage& storage) {
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(static_cast<std::uint64_t>(storage.count), storage.type->bytes, &bytes)) {
        fail("its storage {} has an impossible size", quote(storage.key));
    }
    return bytes;
}

Contents find_state_dict(const Pickle& pickle, const StorageLocator& locate) {
    return StateDictFinder(pickle, locate).find();
}

}  // namespace cambium::formats
