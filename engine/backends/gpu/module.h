// What a module of the GPU backend exports: these functions. All else in it is hidden, so that instrumented and plain
// copies of an inline function never mix.
#pragma once

#include "engine/backends/gpu/checker.h"
#include "engine/backends/gpu/gpu_backend.h"
#include "engine/backends/gpu/stopwatch.h"
#include "kernels/gpu/launch.h"

namespace cambium::gpu {

inline constexpr const char* kMakeBackend = "cambium_gpu_make_backend";
using MakeBackend = Backend*(const Options& options);  // the caller owns the result; throws Error
inline constexpr const char* kMakeStopwatch = "cambium_gpu_make_stopwatch";
using MakeStopwatch = Stopwatch*(Backend& backend);  // of this module's backends; the caller owns the result
inline constexpr const char* kDescribe = "cambium_gpu_describe";
using Describe = void(dev::DeviceInfo& info);
inline constexpr const char* kDescribeVendor = "cambium_gpu_describe_vendor";
using DescribeVendor = void(std::string& text);
inline constexpr const char* kMakeChecker = "cambium_gpu_make_checker";
using MakeChecker = Checker*();  // the caller owns the result

}  // namespace cambium::gpu
