#include "tools/common/device.h"

#include <array>

#include "engine/backends/gpu/gpu_backend.h"
#include "engine/base/fail.h"
#include "models/nearest.h"
#include "tools/common/command.h"

namespace cambium {
namespace {

Precision parse_precision(std::string_view text) {
    constexpr std::array<std::string_view, 4> names{"f64", "f32", "bf16", "tf32"};
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (text == names[i]) return static_cast<Precision>(i);
    }
    fail_usage("there is no precision '{}'; {}", text, did_you_mean(text, names));
}

// What --device names.
enum class Kind : std::uint8_t { cpu, reference, simt, simt_check, cuda };

Kind parse_device(std::string_view text) {
    constexpr std::array<std::string_view, 6> names{"cpu", "reference", "simt", "simt-check", "cuda", "auto"};
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (text != names[i]) continue;
        if (text != "auto") return static_cast<Kind>(i);
        return gpu::unavailable(gpu::Device::cuda) ? Kind::cpu : Kind::cuda;
    }
    fail_usage("there is no device '{}'; {}", text, did_you_mean(text, names));
}

gpu::Provider parse_provider(std::string_view text, Kind kind) {
    if (text == "own") return gpu::Provider::own;
    if (text != "vendor") fail_usage("--provider is own or vendor, not '{}'", text);
    if (kind != Kind::cuda) {
        fail_usage("--provider vendor needs --device cuda: cuDNN and cuBLASLt run on a GPU; leave it out elsewhere");
    }
    return gpu::Provider::vendor;
}

std::unique_ptr<Backend> make_backend(Kind kind, Precision precision, gpu::Provider provider) {
    const gpu::Options options{.math = precision == Precision::tf32 ? gpu::Math::tf32 : gpu::Math::f32,
                               .provider = provider};
    switch (kind) {
        case Kind::cpu:
            return make_cpu_backend();
        case Kind::reference:
            return make_reference_backend();
        case Kind::simt:
            return gpu::make_backend(gpu::Device::simt, options);
        case Kind::simt_check:
            return gpu::make_backend(gpu::Device::simt_check, options);
        case Kind::cuda:
            return gpu::make_backend(gpu::Device::cuda, options);
    }
    return nullptr;
}

}  // namespace

Device open_device(std::string_view device, std::string_view precision, std::string_view provider) {
    const Kind kind = parse_device(device);
    const gpu::Provider chosen = parse_provider(provider, kind);
    const bool reference = kind == Kind::reference;
    Device result;
    result.precision = reference ? Precision::f64 : kind == Kind::cuda ? Precision::bf16 : Precision::f32;
    if (!precision.empty()) result.precision = parse_precision(precision);
    if (reference != (result.precision == Precision::f64)) {
        fail_usage(
            "--precision {} does not go with --device {}: the reference device computes in f64, and only it does",
            name_of(result.precision), device);
    }
    if (kind == Kind::cpu && result.precision == Precision::tf32) {
        fail_usage("--precision tf32 needs a GPU's tensor cores; on a CPU take f32 or bf16");
    }
    result.backend = make_backend(kind, result.precision, chosen);
    return result;
}

void say_how(const Program& program, const Device& device) {
    if (device.precision != Precision::bf16) return;
    for (const Program::Line& line : program.summary()) {
        if (line.provider.find("emulated") == std::string::npos) continue;
        say("bf16 is emulated here: values are rounded to bf16, arithmetic is f32; f32 would be faster");
        return;
    }
}

}  // namespace cambium
