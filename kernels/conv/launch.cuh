// The choice of the instance. Each direction's instances are compiled in a file of their own (fprop.cu, dgrad.cu,
// wgrad.cu).
#pragma once

#include "kernels/conv/plain.cuh"
#include "kernels/conv/tuned.cuh"

namespace cambium::conv {

struct Launch {
    const Conv& conv;
    const Plan& plan;
    const void* first;
    const void* second;
    void* result;
    dev::Stream& stream;
    // The tuned kernel's.
    Problem problem{};
    dim3 grid{};
    float* partials = nullptr;
    unsigned* arrived = nullptr;
    // The plain kernel's.
    PlainSizes sizes{};
};

void launch_fprop(const Launch& launch);
void launch_dgrad(const Launch& launch);
void launch_wgrad(const Launch& launch);

// Calls launch_with(first, second, result), the pointers named and shaped for reports.
template <Direction direction, class T, class LaunchWith>
void with_declared(const Launch& l, LaunchWith&& launch_with) {
    const Sizes& z = l.conv.sizes;
    const auto x = [&](const auto* data) { return dev::reads(data, "x", {z.n, z.h, z.w, z.c}); };
    const auto filter = [&](const auto* data) { return dev::reads(data, "w", {z.k, z.r, z.s, z.group_c()}); };
    const auto y = [&](const auto* data, std::string_view name) {
        return dev::reads(data, name, {z.n, z.p(), z.q(), z.k});
    };
    const auto* first = static_cast<const T*>(l.first);
    const auto* second = static_cast<const T*>(l.second);
    const auto with_result = [&](auto* result) {
        if constexpr (direction == Direction::fprop) {
            launch_with(x(first), filter(second), dev::writes(result, "y", {z.n, z.p(), z.q(), z.k}));
        } else if constexpr (direction == Direction::dgrad) {
            launch_with(y(first, "dy"), filter(second), dev::writes(result, "dx", {z.n, z.h, z.w, z.c}));
        } else {
            launch_with(x(first), y(second, "dy"), dev::writes(result, "dw", {z.k, z.r, z.s, z.group_c()}));
        }
    };
    if (l.conv.output == Output::f32) {
        with_result(static_cast<float*>(l.result));
    } else {
        with_result(static_cast<bf16*>(l.result));
    }
}

template <Direction direction, class Tiling>
void launch_tuned(const Launch& l) {
    with_declared<direction, typename Tiling::Element>(l, [&](const auto& first, const auto& second, const auto& d) {
        dev::launch(tuned<direction, Tiling>, l.grid, dim3(Tiling::kThreads), sizeof(typename Tiling::Stages), l.stream,
                    first, second, d, l.partials, l.arrived, l.problem);
    });
}

template <Direction direction, Math math, class T>
void launch_plain(const Launch& l) {
    const std::int64_t elements = l.problem.result.m * l.problem.result.n;
    const dim3 grid(static_cast<unsigned>((elements + kPlainThreads - 1) / kPlainThreads));
    with_declared<direction, T>(l, [&](const auto& first, const auto& second, const auto& d) {
        dev::launch(plain<direction, math, T>, grid, dim3(kPlainThreads), 0, l.stream, first, second, d, l.sizes,
                    l.problem.result);
    });
}

template <Direction direction, Math math, class T, bool Swizzled>
void launch_variant(const Launch& l) {
    constexpr Major a = direction == Direction::wgrad ? Major::mn : Major::k;
    constexpr Major b = direction == Direction::fprop ? Major::k : Major::mn;
    if (l.plan.variant == Variant::plain) return launch_plain<direction, math, T>(l);
    if (l.plan.tile == Tile::small) {
        launch_tuned<direction, gemm::Tiling<math, T, a, b, 64, 64, 32, 32, Swizzled>>(l);
    } else if (l.plan.tile == Tile::large) {
        launch_tuned<direction, gemm::Tiling<math, T, a, b, 128, 128, 64, 32, Swizzled>>(l);
    } else if constexpr (direction == Direction::wgrad) {
        launch_tuned<direction, gemm::Tiling<math, T, a, b, 64, 128, 64, 32, Swizzled>>(l);
    } else {
        launch_tuned<direction, gemm::Tiling<math, T, a, b, 128, 64, 64, 32, Swizzled>>(l);
    }
}

// A test asks for tiles without the swizzle, to see that they cost what the bank rule says.
template <Direction direction, bool Swizzled = true>
void launch_direction(const Launch& l) {
    if (l.conv.math == Math::bf16) return launch_variant<direction, Math::bf16, bf16, Swizzled>(l);
    if (l.conv.math == Math::tf32) return launch_variant<direction, Math::tf32, float, Swizzled>(l);
    launch_variant<direction, Math::f32, float, Swizzled>(l);
}

}  // namespace cambium::conv
