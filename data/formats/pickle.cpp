#include "data/formats/pickle.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <unordered_map>

#include "data/formats/contents.h"
#include "data/formats/pickle_opcodes.h"
#include "engine/base/fail.h"

namespace cambium::formats {
namespace {

// A pickle makes at most one object per byte; this keeps a hostile one from making gigabytes of them.
constexpr std::size_t most_objects = 4'000'000;

}  // namespace

// The stack machine. Each family of opcodes has a function that says whether it knew the opcode.
class PickleMachine {
  public:
    PickleMachine(Pickle& pickle, std::string_view code, const Pickle::PersistentLoader& persistent)
        : pickle_(pickle), code_(code), persistent_(persistent) {}

    void run() {
        while (true) {
            const std::size_t position = at_;
            const auto opcode = static_cast<Opcode>(take(1)[0]);
            if (opcode == Opcode::stop) break;
            if (!constant(opcode) && !container(opcode) && !memo(opcode) && !object(opcode)) {
                fail("refused: its pickle uses the opcode {} at byte {}, which a file of tensors has no need of",
                     name_of(opcode), position);
            }
        }
        pickle_.root_ = pop();
        pickle_.size_ = at_;
    }

  private:
    std::string_view take(std::uint64_t count) {
        if (count > code_.size() - at_) fail("its pickle ends in mid-sentence at byte {}; it is cut off", code_.size());
        at_ += static_cast<std::size_t>(count);
        return code_.substr(at_ - static_cast<std::size_t>(count), static_cast<std::size_t>(count));
    }
    template <class T>
    T number() {
        T value;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }
    template <class Size>
    std::string_view counted() {
        return take(number<Size>());
    }
    std::string_view line() {
        const std::size_t end = code_.find('\n', at_);
        if (end == std::string_view::npos) fail("its pickle ends in mid-line; it is cut off");
        const std::string_view text = take(end - at_);
        take(1);
        return text;
    }

    PickleId pop() {
        if (stack_.size() <= (marks_.empty() ? 0 : marks_.back()))
            fail("its pickle takes more than it has put; it is damaged");
        const PickleId id = stack_.back();
        stack_.pop_back();
        return id;
    }
    std::vector<PickleId> pop_to_mark() {
        if (marks_.empty()) fail("its pickle has no mark where one is needed; it is damaged");
        const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
        std::vector<PickleId> items(first, stack_.end());
        stack_.erase(first, stack_.end());
        marks_.pop_back();
        return items;
    }
    std::vector<PickleId> pop_several(std::size_t count) {
        std::vector<PickleId> items(count);
        for (std::size_t i = count; i > 0; --i) items[i - 1] = pop();
        return items;
    }
    PickleId top() {
        const PickleId id = pop();
        stack_.push_back(id);
        return id;
    }

    bool push(PickleNode node) {
        stack_.push_back(pickle_.add(std::move(node)));
        return true;
    }
    bool push_integer(std::int64_t value) {
        return push({.kind = PickleKind::integer, .integer = value, .text = {}, .items = {}});
    }
    bool push_boolean(bool value) {
        return push({.kind = PickleKind::boolean, .integer = value, .text = {}, .items = {}});
    }
    bool push_text(std::string_view text) { return push({.kind = PickleKind::text, .text = text, .items = {}}); }
    bool push_bytes(std::string_view text) { return push({.kind = PickleKind::bytes, .text = text, .items = {}}); }
    bool push_items(PickleKind kind, std::vector<PickleId> items) {
        return push({.kind = kind, .text = {}, .items = std::move(items)});
    }
    bool push_global(std::string_view module, std::string_view name);
    bool push_long(std::string_view little_endian);
    bool push_decimal(std::string_view text);
    bool extend(PickleKind kind, const std::vector<PickleId>& items);
    bool remember(std::uint32_t slot);
    bool recall(std::uint32_t slot);

    bool constant(Opcode opcode);
    bool container(Opcode opcode);
    bool memo(Opcode opcode);
    bool object(Opcode opcode);

    Pickle& pickle_;
    std::string_view code_;
    const Pickle::PersistentLoader& persistent_;
    std::size_t at_ = 0;
    std::vector<PickleId> stack_;
    std::vector<std::size_t> marks_;  // heights of the stack
    std::unordered_map<std::uint32_t, PickleId> memo_;
};

// Two's complement of any length; what exceeds 64 bits keeps its bytes (torch's magic number) and has no value.
bool PickleMachine::push_long(std::string_view little_endian) {
    if (little_endian.size() > 8) return push({.kind = PickleKind::inert, .text = little_endian, .items = {}});
    std::uint64_t value = 0;
    std::memcpy(&value, little_endian.data(), little_endian.size());
    const auto unused = static_cast<int>(64 - 8 * little_endian.size());
    return push_integer(unused == 64 ? 0 : static_cast<std::int64_t>(value << unused) >> unused);
}

bool PickleMachine::push_decimal(std::string_view text) {
    if (text == "00" || text == "01") return push_boolean(text == "01");  // how protocol 0 writes booleans
    if (text.ends_with('L')) text.remove_suffix(1);
    std::int64_t value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc() || end != text.data() + text.size()) fail("its pickle has a bad number {}", quote(text));
    return push_integer(value);
}

bool PickleMachine::push_global(std::string_view module, std::string_view name) {
    pickle_.globals_.push_back(*Pickle::allowed(module, name));
    const auto index = static_cast<std::int64_t>(pickle_.globals_.size() - 1);
    return push({.kind = PickleKind::global, .integer = index, .text = {}, .items = {}});
}

bool PickleMachine::constant(Opcode opcode) {
    switch (opcode) {
        case Opcode::none:
            return push({.kind = PickleKind::none, .text = {}, .items = {}});
        case Opcode::newtrue:
            return push_boolean(true);
        case Opcode::newfalse:
            return push_boolean(false);
        case Opcode::binint:
            return push_integer(number<std::int32_t>());
        case Opcode::binint1:
            return push_integer(number<std::uint8_t>());
        case Opcode::binint2:
            return push_integer(number<std::uint16_t>());
        case Opcode::int_:
        case Opcode::long_:
            return push_decimal(line());
        case Opcode::long1:
            return push_long(counted<std::uint8_t>());
        case Opcode::long4:
            return push_long(counted<std::uint32_t>());
        case Opcode::binfloat: {
            const auto bits = __builtin_bswap64(number<std::uint64_t>());
            return push({.kind = PickleKind::real, .real = std::bit_cast<double>(bits), .text = {}, .items = {}});
        }
        case Opcode::short_binunicode:
        case Opcode::short_binstring:
            return push_text(counted<std::uint8_t>());
        case Opcode::binunicode:
        case Opcode::binstring:
            return push_text(counted<std::uint32_t>());
        case Opcode::binunicode8:
            return push_text(counted<std::uint64_t>());
        case Opcode::short_binbytes:
            return push_bytes(counted<std::uint8_t>());
        case Opcode::binbytes:
            return push_bytes(counted<std::uint32_t>());
        case Opcode::binbytes8:
            return push_bytes(counted<std::uint64_t>());
        default:
            return false;
    }
}

bool PickleMachine::extend(PickleKind kind, const std::vector<PickleId>& items) {
    PickleNode& target = pickle_.nodes_[top()];
    if (target.kind != kind) fail("its pickle adds items to {}; it is damaged", describe(pickle_, top()));
    if (kind == PickleKind::dict && items.size() % 2 != 0) fail("its pickle has a key without a value; it is damaged");
    target.items.insert(target.items.end(), items.begin(), items.end());
    return true;
}

bool PickleMachine::container(Opcode opcode) {
    switch (opcode) {
        case Opcode::mark:
            marks_.push_back(stack_.size());
            return true;
        case Opcode::empty_tuple:
            return push_items(PickleKind::tuple, {});
        case Opcode::tuple1:
            return push_items(PickleKind::tuple, pop_several(1));
        case Opcode::tuple2:
            return push_items(PickleKind::tuple, pop_several(2));
        case Opcode::tuple3:
            return push_items(PickleKind::tuple, pop_several(3));
        case Opcode::tuple:
            return push_items(PickleKind::tuple, pop_to_mark());
        case Opcode::empty_list:
            return push_items(PickleKind::list, {});
        case Opcode::append:
            return extend(PickleKind::list, pop_several(1));
        case Opcode::appends:
            return extend(PickleKind::list, pop_to_mark());
        case Opcode::empty_dict:
            return push_items(PickleKind::dict, {});
        case Opcode::setitem:
            return extend(PickleKind::dict, pop_several(2));
        case Opcode::setitems:
            return extend(PickleKind::dict, pop_to_mark());
        case Opcode::empty_set:
            return push_items(PickleKind::set, {});
        case Opcode::frozenset:
            return push_items(PickleKind::set, pop_to_mark());
        case Opcode::additems:
            return extend(PickleKind::set, pop_to_mark());
        default:
            return false;
    }
}

bool PickleMachine::remember(std::uint32_t slot) {
    memo_[slot] = top();
    if (memo_.size() > most_objects) fail("its pickle remembers more than {} objects", most_objects);
    return true;
}

bool PickleMachine::recall(std::uint32_t slot) {
    const auto known = memo_.find(slot);
    if (known == memo_.end()) fail("its pickle recalls object {}, which it never made; it is damaged", slot);
    stack_.push_back(known->second);
    return true;
}

bool PickleMachine::memo(Opcode opcode) {
    switch (opcode) {
        case Opcode::binput:
            return remember(number<std::uint8_t>());
        case Opcode::long_binput:
            return remember(number<std::uint32_t>());
        case Opcode::memoize:
            return remember(static_cast<std::uint32_t>(memo_.size()));
        case Opcode::binget:
            return recall(number<std::uint8_t>());
        case Opcode::long_binget:
            return recall(number<std::uint32_t>());
        default:
            return false;
    }
}

bool PickleMachine::object(Opcode opcode) {
    switch (opcode) {
        case Opcode::proto:
            if (const auto protocol = number<std::uint8_t>(); protocol < 2 || protocol > 5) {
                fail("its pickle has the unknown protocol {}", protocol);
            }
            return true;
        case Opcode::frame:
            number<std::uint64_t>();
            return true;  // only a hint for buffering
        case Opcode::global: {
            const std::string_view module = line(), name = line();
            return push_global(module, name);
        }
        case Opcode::stack_global: {
            const std::vector<PickleId> names = pop_several(2);
            const PickleNode &module = pickle_[names[0]], &name = pickle_[names[1]];
            if (module.kind != PickleKind::text || name.kind != PickleKind::text)
                fail("its pickle names a global without text");
            return push_global(module.text, name.text);
        }
        case Opcode::reduce:
        case Opcode::newobj: {
            const std::vector<PickleId> call = pop_several(2);
            stack_.push_back(pickle_.call(call[0], call[1]));
            return true;
        }
        case Opcode::build:
            pop();
            pickle_.set_state(top());
            return true;
        case Opcode::binpersid: {
            const PickleId id = pop();
            if (!persistent_) fail("refused: its pickle refers to {} outside of it", describe(pickle_, id));
            stack_.push_back(persistent_(pickle_, id));
            return true;
        }
        default:
            return false;
    }
}

Pickle::Pickle(std::span<const std::byte> bytes, const PersistentLoader& persistent) {
    const std::string_view code(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    PickleMachine(*this, code, persistent).run();
}

PickleId Pickle::add(PickleNode node) {
    if (nodes_.size() == most_objects) fail("its pickle makes more than {} objects", most_objects);
    nodes_.push_back(std::move(node));
    return static_cast<PickleId>(nodes_.size() - 1);
}

PickleId Pickle::add_integers(std::span<const std::int64_t> values) {
    PickleNode tuple{.kind = PickleKind::tuple, .text = {}, .items = {}};
    for (const std::int64_t value : values) {
        tuple.items.push_back(add({.kind = PickleKind::integer, .integer = value, .text = {}, .items = {}}));
    }
    return add(std::move(tuple));
}

PickleId Pickle::add_storage(PickleStorage storage) {
    storages_.push_back(std::move(storage));
    const auto index = static_cast<std::int64_t>(storages_.size() - 1);
    return add({.kind = PickleKind::storage, .integer = index, .text = {}, .items = {}});
}

PickleId Pickle::add_tensor(const PickleTensor& tensor) {
    tensors_.push_back(tensor);
    const auto index = static_cast<std::int64_t>(tensors_.size() - 1);
    return add({.kind = PickleKind::tensor, .integer = index, .text = {}, .items = {}});
}

std::int64_t Pickle::integer(PickleId id, std::string_view what) const {
    if (nodes_[id].kind != PickleKind::integer) fail("its pickle gives {} for {}", describe(*this, id), what);
    return nodes_[id].integer;
}

std::string describe(const Pickle& pickle, PickleId id) {
    const PickleNode& node = pickle[id];
    switch (node.kind) {
        case PickleKind::none:
            return "None";
        case PickleKind::boolean:
            return node.integer != 0 ? "True" : "False";
        case PickleKind::integer:
            return std::to_string(node.integer);
        case PickleKind::real:
            return fmt::format("{}", node.real);
        case PickleKind::text:
            return quote(node.text);
        case PickleKind::bytes:
            return "bytes";
        case PickleKind::tuple:
            return "a tuple";
        case PickleKind::list:
            return "a list";
        case PickleKind::dict:
            return "a dict";
        case PickleKind::set:
            return "a set";
        case PickleKind::global:
            return "a class or function";
        case PickleKind::storage:
            return "a storage";
        case PickleKind::tensor:
            return "a tensor";
        case PickleKind::inert:
            return "a Python object";
    }
    return "something unknown";
}

}  // namespace cambium::formats
