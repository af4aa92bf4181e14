// Interning and resolving of source places. Interning is on the path of every checked access, so a direct-mapped cache
// answers for the few hundred places a kernel has.
#include "kernels/simt/site.h"

#include <backtrace.h>
#include <cxxabi.h>
#include <fmt/core.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace cambium::simt {
namespace {

struct Source {
    const char* file;  // null: `address` is a program counter
    std::uintptr_t address;
    unsigned line;
};

struct Table {
    std::mutex mutex;
    std::vector<Source> sources{{nullptr, 0, 0}};  // index 0 is kNoSite
    std::map<std::pair<std::uintptr_t, unsigned>, SiteId> ids;

    SiteId intern(const char* file, std::uintptr_t key, unsigned line) {
        const std::lock_guard lock(mutex);
        const auto [at, is_new] = ids.try_emplace({key, line}, static_cast<SiteId>(sources.size()));
        if (is_new) sources.push_back({file, key, line});
        return at->second;
    }
};

Table& table() {
    static Table& instance = *new Table;
    return instance;
}

struct CacheLine {
    std::uintptr_t key;
    unsigned line;
    SiteId id;
};
constexpr std::size_t kCacheLines = 8192;
thread_local CacheLine* cache =
    nullptr;  // a pointer, so that a module opened later still finds room for its thread data

SiteId lookup(const char* file, std::uintptr_t key, unsigned line) {
    if (cache == nullptr) {
        static thread_local std::unique_ptr<CacheLine[]> owned;
        owned = std::make_unique<CacheLine[]>(kCacheLines);
        cache = owned.get();
    }
    CacheLine& entry = cache[(key ^ (key >> 13) ^ (line * 0x9e37u)) % kCacheLines];
    if (entry.key != key || entry.line != line) entry = {key, line, table().intern(file, key, line)};
    return entry.id;
}

backtrace_state* symbols() {
    static backtrace_state* state = backtrace_create_state(nullptr, 1, nullptr, nullptr);
    return state;
}

std::string demangle(const char* name) {
    if (name == nullptr) return "";
    int status = 0;
    char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    std::string result = status == 0 && text != nullptr ? text : name;
    std::free(text);
    return result;
}

// "void cambium::softmax<(int)4>(float const*, int)" -> "cambium::softmax<(int)4>"
std::string without_signature(std::string name) {
    int depth = 0;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] == '<') ++depth;
        if (name[i] == '>') --depth;
        const bool is_call = i >= 8 && name.compare(i - 8, 10, "operator()") == 0;
        if (name[i] == '(' && depth == 0 && i > 0 && !is_call && name.compare(i, 11, "(anonymous ") != 0) {
            name.resize(i);
            break;
        }
    }
    depth = 0;
    for (std::size_t i = name.size(); i-- > 0;) {  // drop the return type of a template
        if (name[i] == '>') ++depth;
        if (name[i] == '<') --depth;
        if (name[i] == ' ' && depth == 0 && (i < 10 || name.compare(i - 10, 10, "(anonymous") != 0)) {
            return name.substr(i + 1);
        }
    }
    return name;
}

struct Frame {
    std::string file, function;
    int line;
};

// Frames of one program counter, innermost (most inlined) first.
std::vector<Frame> frames_of(std::uintptr_t address) {
    std::vector<Frame> frames;
    backtrace_pcinfo(
        symbols(), address,
        [](void* data, std::uintptr_t, const char* file, int line, const char* function) {
            auto& list = *static_cast<std::vector<Frame>*>(data);
            list.push_back({file == nullptr ? "" : file, without_signature(demangle(function)), line});
            return 0;
        },
        [](void*, const char*, int) {}, &frames);
    return frames;
}

std::string symbol_at(std::uintptr_t address, std::string otherwise) {
    backtrace_syminfo(
        symbols(), address,
        [](void* data, std::uintptr_t, const char* symbol, std::uintptr_t, std::uintptr_t) {
            if (symbol != nullptr) *static_cast<std::string*>(data) = without_signature(demangle(symbol));
        },
        [](void*, const char*, int) {}, &otherwise);
    return otherwise;
}

bool is_device_layer(const std::string& file) {
    return file.find("kernels/gpu/") != std::string::npos || file.find("engine/base/numeric.h") != std::string::npos;
}

}  // namespace

SiteId site_of(std::uintptr_t return_address) { return lookup(nullptr, return_address, 0); }
SiteId site_of(dev::Site site) { return lookup(site.file, reinterpret_cast<std::uintptr_t>(site.file), site.line); }
SiteId site_of(const char* file, unsigned line) { return site_of(dev::Site{file, line}); }

Place place_of(SiteId site) {
    Source source{};
    {
        const std::lock_guard lock(table().mutex);
        source = table().sources[site];
    }
    Place place;
    if (source.file != nullptr) {
        place.file = source.file;
        place.line = static_cast<int>(source.line);
        return place;
    }
    if (source.address == 0) return place;
    const std::vector<Frame> frames = frames_of(source.address - 1);
    std::size_t first = 0;  // the kernel's own line, not the device layer's that was inlined into it
    while (first + 1 < frames.size() && is_device_layer(frames[first].file)) ++first;
    if (frames.empty()) return place;
    place.file = frames[first].file;
    place.line = frames[first].line;
    place.function = frames[first].function;
    for (std::size_t i = first + 1; i < frames.size(); ++i) {
        place.called_from.push_back(frames[i].file + ":" + std::to_string(frames[i].line));
    }
    return place;
}

std::string function_name(const void* address) {
    const std::vector<Frame> frames = frames_of(reinterpret_cast<std::uintptr_t>(address));
    if (!frames.empty() && !frames.back().function.empty()) return frames.back().function;
    return symbol_at(reinterpret_cast<std::uintptr_t>(address), "kernel");
}

std::string variable_name(std::uintptr_t address) { return symbol_at(address, fmt::format("address {:#x}", address)); }

}  // namespace cambium::simt
