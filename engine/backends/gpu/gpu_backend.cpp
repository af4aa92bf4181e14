// Opens modules. dlopen() finds them by name through the program's run path.
#include "engine/backends/gpu/gpu_backend.h"

#include <dlfcn.h>

#include "engine/backends/gpu/module.h"
#include "engine/base/fail.h"

namespace cambium::gpu {
namespace {

std::string file_of(Device device) {
    switch (device) {
        case Device::cuda:
            return "libcambium_gpu_cuda.so";
        case Device::simt:
            return "libcambium_gpu_simt.so";
        case Device::simt_check:
            return "libcambium_gpu_simt_check.so";
        case Device::simt_check_zeroed:
            return "libcambium_gpu_simt_check_zeroed.so";
    }
    return {};
}

std::string name_of(Device device) { return device == Device::cuda ? "cuda" : "simt"; }

// A function of a module, or null with the reason. A module stays open: its code may be on somebody's stack.
template <class Entry>
Entry* entry_of(Device device, const char* entry, std::string& reason) {
    const std::string file = file_of(device);
    void* module = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (module == nullptr) {
        const char* message = dlerror();
        const std::string why = message != nullptr ? message : file;
        const bool absent = why.find("No such file") != std::string::npos;
        reason = fmt::format("this build has no {} module{}", name_of(device),
                             !absent                  ? " that can be opened (" + why + ")"
                             : device == Device::cuda ? "; ./cambium --cuda builds it where nvcc is installed"
                                                      : "; ./cambium check builds it");
        return nullptr;
    }
    void* found = dlsym(module, entry);
    if (found == nullptr) reason = fmt::format("{} is not a module of this program", file);
    return reinterpret_cast<Entry*>(found);
}

// What the module says about its device; `unavailable` also where there is no module.
dev::DeviceInfo device_info(Device device) {
    dev::DeviceInfo info;
    if (auto* describe = entry_of<Describe>(device, kDescribe, info.unavailable)) describe(info);
    return info;
}

}  // namespace

std::unique_ptr<Backend> make_backend(Device device, const Options& options) {
    std::string reason = device_info(device).unavailable;
    if (reason.empty()) {
        if (auto* make = entry_of<MakeBackend>(device, kMakeBackend, reason))
            return std::unique_ptr<Backend>(make(options));
    }
    fail("cannot compute on {}: {}", name_of(device), reason);
}

std::unique_ptr<Stopwatch> make_stopwatch(Device device, Backend& backend) {
    std::string reason;
    if (auto* make = entry_of<MakeStopwatch>(device, kMakeStopwatch, reason)) {
        return std::unique_ptr<Stopwatch>(make(backend));
    }
    fail("cannot time kernels on {}: {}", name_of(device), reason);
}

std::optional<std::string> unavailable(Device device) {
    const dev::DeviceInfo info = device_info(device);
    if (info.unavailable.empty()) return std::nullopt;
    return info.unavailable;
}

std::string describe(Device device) {
    const dev::DeviceInfo info = device_info(device);
    if (!info.unavailable.empty()) return "not here: " + info.unavailable;
    if (info.major == 0) return info.name;
    return fmt::format("{}, {:.1f} GB, compute capability {}.{}", info.name,
                       static_cast<double>(info.memory_bytes) / 1e9, info.major, info.minor);
}

std::optional<std::string> describe_vendor() {
    std::string text;
    auto* describe = entry_of<DescribeVendor>(Device::cuda, kDescribeVendor, text);
    if (describe == nullptr) return std::nullopt;
    describe(text);
    return text;
}

std::unique_ptr<Checker> make_checker() {
    std::string reason;
    if (auto* make = entry_of<MakeChecker>(Device::simt_check, kMakeChecker, reason)) {
        return std::unique_ptr<Checker>(make());
    }
    fail("cannot check kernels: {}", reason);
}

}  // namespace cambium::gpu
