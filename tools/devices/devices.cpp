// cambium devices: processor, instruction set, threads, the devices of this build and the libraries it was built with.
#include "tools/devices/devices.h"

#include <fmt/format.h>

#include <fstream>

#include "engine/backends/gpu/gpu_backend.h"
#include "engine/base/isa.h"
#include "engine/base/parallel.h"
#include "tools/common/command.h"
#include "tools/common/json_writer.h"

namespace cambium {
namespace {

struct Fact {
    std::string_view name;
    bool present;
    std::string_view meaning;  // of its presence or absence
};

constexpr Fact libraries[] = {
    {"OpenMP", CAMBIUM_HAVE_OPENMP, "threads shared with oneDNN; without it, threads of ours"},
    {"oneDNN", CAMBIUM_HAVE_ONEDNN, "convolutions, matrix products; without it, slower loops"},
    {"libjpeg-turbo", CAMBIUM_HAVE_JPEG, "JPEG as Pillow decodes it; without it, stb_image"},
    {"libcurl", CAMBIUM_HAVE_CURL, "cambium fetch"},
};

// The first line of /proc/cpuinfo with this key; empty where there is none.
std::string cpuinfo(std::string_view key) {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(key)) return line.substr(std::min(line.find(':') + 2, line.size()));
    }
    return {};
}

Exit devices(bool as_json) {
    const std::string model = cpuinfo("model name"), flags = cpuinfo("flags") + " ";
    const bool bf16 = flags.find(" avx512_bf16 ") != std::string::npos || flags.find(" amx_bf16 ") != std::string::npos;
    const std::optional<std::string> vendor = gpu::describe_vendor();
    const bool has_gpu = !gpu::unavailable(gpu::Device::cuda);
    if (as_json) {
        JsonWriter json;
        json.begin_object().field("cpu", model).field("instruction_set", name_of(isa()));
        json.field("threads", thread_count()).field("native_bf16", bf16 && CAMBIUM_HAVE_ONEDNN);
        json.key("devices").begin_array().value("cpu").value("reference");
        for (const gpu::Device device : {gpu::Device::cuda, gpu::Device::simt})
            if (!gpu::unavailable(device)) json.value(device == gpu::Device::cuda ? "cuda" : "simt");
        json.end_array().field("default_device", has_gpu ? "cuda" : "cpu");
        if (vendor) json.field("provider_vendor", *vendor);
        json.key("libraries").begin_object();
        for (const Fact& library : libraries) json.field(library.name, library.present);
        print(json.end_object().end_object().text() + "\n");
        return Exit::done;
    }
    std::string text = fmt::format("{}\n  loops for {}, {} threads; bf16 {}\n\n", model, name_of(isa()), thread_count(),
                                   bf16 && CAMBIUM_HAVE_ONEDNN ? "in hardware" : "emulated (slower than f32)");
    text += fmt::format("devices (--device auto takes {})\n", has_gpu ? "cuda" : "cpu");
    text += "  cpu        oneDNN and loops of our own\n";
    text += "  reference  plain loops in double precision, to compare with\n";
    text += fmt::format("  cuda       {}\n", gpu::describe(gpu::Device::cuda));
    if (vendor) text += fmt::format("             --provider vendor: {}\n", *vendor);
    text += fmt::format("  simt       {}\n\nlibraries of this build\n", gpu::describe(gpu::Device::simt));
    for (const Fact& library : libraries) {
        text += fmt::format("  {:14} {:4} {}\n", library.name, library.present ? "yes" : "no", library.meaning);
    }
    print(text);
    return Exit::done;
}

}  // namespace

int devices_command(int argc, char** argv) {
    bool json = false;
    CommandLine line("devices", "Says what can compute here, and which libraries this build has.");
    line.flag("--json", json, "One JSON object on standard output");
    return line.run(argc, argv, [&] { return devices(json); });
}

}  // namespace cambium
