#include "tools/training/memory_limit.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace cambium {
namespace {

// The number after `name` in a file of names and numbers; 0 if there is none.
std::size_t field(const char* path, const std::string& name) {
    std::ifstream file(path);
    std::string line;
    while (std::getline(file, line)) {
        if (line.starts_with(name)) return std::stoull(line.substr(name.size()));
    }
    return 0;
}

// Nothing if there is no limit ("max") or no such control group.
std::size_t number_in(const char* path) {
    std::ifstream file(path);
    std::size_t value = 0;
    return file >> value ? value : 0;
}

}  // namespace

std::size_t available_memory() {
    const std::size_t free = field("/proc/meminfo", "MemAvailable:") * 1024;
    const std::size_t limit = number_in("/sys/fs/cgroup/memory.max");
    if (limit == 0) return free;
    // Cached files count as used, but go when memory is wanted.
    const std::size_t current = number_in("/sys/fs/cgroup/memory.current");
    const std::size_t used = current - std::min(current, field("/sys/fs/cgroup/memory.stat", "file "));
    const std::size_t left = limit - std::min(limit, used);
    return free == 0 ? left : std::min(free, left);
}

}  // namespace cambium
