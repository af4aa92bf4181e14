// --device and --precision: which backend computes, and in what.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/backends/backend.h"
#include "engine/graph/program.h"

namespace cambium {

struct Device {
    std::unique_ptr<Backend> backend;
    Precision precision = Precision::f32;

    // f64 on the reference backend, else f32.
    DType real() const { return precision == Precision::f64 ? DType::f64 : DType::f32; }
};

// `device` is auto, cpu or reference; `precision` is empty (f32; f64 on reference), f32, bf16, or f64. Throws
// UsageError for any other, with the nearest right one, or for a precision that the device lacks.
Device open_device(std::string_view device, std::string_view precision);

// Says once, on standard error, if bf16 is emulated.
void say_how(const Program& program, const Device& device);

inline constexpr const char* device_help = "Where to compute: auto, cpu, reference (slow, double precision)";
inline constexpr const char* precision_help = "f32, bf16, or f64 (with --device reference)";

}  // namespace cambium
