#include "tools/common/device.h"

#include <array>

#include "engine/base/fail.h"
#include "models/nearest.h"
#include "tools/common/command.h"

namespace cambium {
namespace {

Precision parse_precision(std::string_view text) {
    constexpr std::array<std::string_view, 3> names{"f64", "f32", "bf16"};
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (text == names[i]) return static_cast<Precision>(i);
    }
    if (text == "tf32") fail_usage("--precision tf32 needs a GPU's tensor cores; on a CPU take f32 or bf16");
    fail_usage("there is no precision '{}'; {}", text, did_you_mean(text, names));
}

}  // namespace

Device open_device(std::string_view device, std::string_view precision) {
    constexpr std::array<std::string_view, 3> names{"auto", "cpu", "reference"};
    if (device == "cuda" || device == "simt") {
        fail_usage("this build has no {} device; take --device cpu", device);
    }
    if (device != "auto" && device != "cpu" && device != "reference") {
        fail_usage("there is no device '{}'; {}", device, did_you_mean(device, names));
    }
    const bool reference = device == "reference";
    Device result;
    result.precision = reference ? Precision::f64 : Precision::f32;
    if (!precision.empty()) result.precision = parse_precision(precision);
    if (reference != (result.precision == Precision::f64)) {
        fail_usage(
            "--precision {} does not go with --device {}: the reference device computes in f64, and only it does",
            name_of(result.precision), device);
    }
    result.backend = reference ? make_reference_backend() : make_cpu_backend();
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
