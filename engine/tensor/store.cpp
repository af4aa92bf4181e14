#include "engine/tensor/store.h"

#include "engine/base/fail.h"
#include "engine/base/philox.h"

namespace cambium {
namespace {

TensorSpec widened(TensorSpec spec, DType real) {
    if (spec.dtype == DType::f32) spec.dtype = real;
    return spec;
}

double draw(const Initializer& initializer, RandomStream& random) {
    switch (initializer.kind) {
        case Initializer::Kind::constant:
            return initializer.value;
        case Initializer::Kind::normal:
            return initializer.value * random.normal();
        case Initializer::Kind::uniform:
            return random.uniform(-initializer.value, initializer.value);
    }
    return 0;
}

Tensor initial_value(const EntrySpec& entry, std::uint64_t seed) {
    RandomStream random(seed, hash_name(entry.name.data(), entry.name.size()));
    Tensor values(entry.spec.shape, DType::f64);
    for (double& value : values.values<double>()) value = draw(entry.initializer, random);
    return values.converted(entry.spec.dtype);
}

}  // namespace

void Store::declare(const EntrySpec& spec, std::uint64_t seed, FirstValue first) {
    EntrySpec wanted = spec;
    wanted.spec = widened(spec.spec, real_);
    if (const auto found = entries_.find(spec.name); found != entries_.end()) {
        const TensorSpec& present = found->second.spec.spec;
        if (!(present == wanted.spec)) {
            fail("'{}' is {} in the store, but the graph declares {}", spec.name, to_string(present),
                 to_string(wanted.spec));
        }
        found->second.spec.trainable = spec.trainable;
        return;
    }
    Entry entry{wanted, Buffer(memory_, wanted.spec.bytes()), 1};
    entries_.emplace(spec.name, std::move(entry));
    const Initializer& initializer = spec.initializer;
    const bool zero = initializer.kind == Initializer::Kind::constant && initializer.value == 0;
    if (first == FirstValue::drawn && !zero) {
        write(spec.name, initial_value(wanted, seed));
    } else {
        const Buffer& buffer = entries_.at(spec.name).buffer;
        memory_.zero(buffer.data(), buffer.bytes());
    }
}

const Store::Entry& Store::entry(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) fail("the store has no entry '{}'", name);
    return found->second;
}

Store::Entry& Store::mutable_entry(const std::string& name) { return const_cast<Entry&>(entry(name)); }

std::vector<std::string> Store::names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
}

void Store::erase(const std::string& name) { entries_.erase(name); }

Tensor Store::read(const std::string& name) const {
    const Entry& source = entry(name);
    Tensor value(source.spec.spec);
    memory_.download(value.bytes().data(), source.buffer.data(), value.bytes().size());
    return value;
}

Tensor Store::read_file(const std::string& name) const { return entry(name).spec.layout.to_file(read(name)); }

void Store::write(const std::string& name, const Tensor& value) {
    Entry& target = mutable_entry(name);
    if (value.shape() != target.spec.spec.shape) {
        fail("'{}' has the shape {}, but {} was to be written to it", name, to_string(target.spec.spec.shape),
             to_string(value.shape()));
    }
    const Tensor converted = value.converted(target.spec.spec.dtype);
    memory_.upload(target.buffer.data(), converted.bytes().data(), converted.bytes().size());
    ++target.version;
}

void Store::write_file(const std::string& name, const Tensor& value) {
    const EntrySpec& spec = entry(name).spec;
    const Shape expected = spec.layout.file_shape(spec.spec.shape);
    if (value.shape() != expected) {
        fail("'{}' has the shape {} in files, not {}", name, to_string(expected), to_string(value.shape()));
    }
    write(name, spec.layout.to_engine(value));
}

void Store::touch(const std::string& name) { ++mutable_entry(name).version; }

std::map<std::string, Tensor> Store::snapshot() const {
    std::map<std::string, Tensor> copy;
    for (const auto& [name, entry] : entries_) copy.emplace(name, read(name));
    return copy;
}

void Store::restore(const std::map<std::string, Tensor>& snapshot) {
    for (const auto& [name, value] : snapshot) write(name, value);
}

Store::Derived& Store::derived(const std::string& key, std::size_t bytes) {
    const auto found = derived_.find(key);
    if (found != derived_.end()) return found->second;
    return derived_.emplace(key, Derived{Buffer(memory_, bytes), {}}).first->second;
}

void* Store::arena(std::size_t bytes) {
    if (bytes > arena_.bytes()) {
        arena_ = Buffer();  // the old one first, or both would be needed at once
        arena_ = Buffer(memory_, bytes);
    }
    return arena_.data();
}

std::size_t Store::entry_bytes() const {
    std::size_t total = 0;
    for (const auto& [name, entry] : entries_) total += entry.buffer.bytes();
    return total;
}

std::size_t Store::derived_bytes() const {
    std::size_t total = 0;
    for (const auto& [key, derived] : derived_) total += derived.buffer.bytes();
    return total;
}

}  // namespace cambium
