// Launches of the elementwise kernels: checks, the grid, and the choice of the instance by type.
#include "kernels/elementwise/elementwise.h"

#include <algorithm>
#include <string>

#include "kernels/check.h"
#include "kernels/elementwise/functions.cuh"
#include "kernels/grid.h"

namespace cambium::elementwise {
namespace {

// Elements of a chunk: the widest operand's take 16 bytes.
template <class... T>
inline constexpr int kChunk = 16 / std::max({int{sizeof(T)}...});

std::string what_of(const char* name, std::int64_t count) {
    return std::string(name) + " of " + std::to_string(count) + " elements";
}

// True if there is something to launch. The pointers are those that must not be null.
bool has_work(const char* name, std::int64_t count, std::initializer_list<const void*> pointers) {
    require(count >= 0, what_of(name, count), "the count must not be negative");
    if (count == 0) return false;
    for (const void* pointer : pointers) require(pointer != nullptr, what_of(name, count), "an operand is null");
    return true;
}

template <class T>
bool is_chunk_aligned(const T* x, int chunk) {
    return is_aligned(x, std::min<std::size_t>(sizeof(T) * static_cast<std::size_t>(chunk), 16));
}

Extent extent_of(std::int64_t count, bool vectors) { return {count, vectors, 1, 0, false}; }

// For operands of one value per channel, all of them (null or) at `aligned` addresses.
Extent extent_of(std::int64_t count, bool vectors, std::int64_t channels, int chunk, bool aligned, const char* name) {
    require(channels > 0 && channels <= 0x7fffffff && count % channels == 0, what_of(name, count),
            "they are no rows of " + std::to_string(channels) + " channels");
    const Grid grid = grid_for(ceil_div(count, chunk));
    const std::int64_t step = std::int64_t{grid.blocks} * grid.threads * chunk;
    return {count, vectors, static_cast<unsigned>(channels), static_cast<unsigned>(step % channels),
            vectors && aligned && channels % chunk == 0};
}

// Declared for reports. In place, what is read is also written.
template <class T>
auto input(const T* x, const void* y, const char* name, std::int64_t count) {
    return dev::declare(x, name, {count}, static_cast<const void*>(x) == y);
}

template <int N, class Kernel, class... Arguments>
void launch(Kernel kernel, const Extent& extent, dev::Stream& stream, const Arguments&... arguments) {
    const Grid grid = grid_for(ceil_div(extent.count, N));
    dev::launch(kernel, dim3(grid.blocks), dim3(grid.threads), 0, stream, arguments...);
}

template <class Access>
std::int64_t elements_of(const Extent& extent) {
    if constexpr (Access::kPerChannel) return extent.channels;
    return std::is_same_v<Access, Single> ? 1 : extent.count;
}

template <int N, class Y, class... Access, class F>
void launch_map(const F& f, const Extent& extent, dev::Stream& stream, Y* y, const typename Access::Type*... x) {
    launch<N>(map<N, F, Y, Access...>, extent, stream, f, extent, dev::writes(y, "y", {extent.count}),
              input(x, y, Access::kName, elements_of<Access>(extent))...);
}

// y = f(x...) where all are dense and of one type.
template <class T, class F, class... X>
void launch_dense(const F& f, const Elements& e, dev::Stream& stream, void* y, const X*... x) {
    constexpr int N = kChunk<T>;
    const auto aligned = [](const void* pointer) { return is_chunk_aligned(static_cast<const T*>(pointer), N); };
    const bool vectors = e.variant == Variant::tuned && aligned(y) && (aligned(x) && ...);
    launch_map<N, T, std::conditional_t<true, Dense<T>, X>...>(f, extent_of(e.count, vectors), stream,
                                                               static_cast<T*>(y), static_cast<const T*>(x)...);
}

template <class F, class... X>
void run_dense(const char* name, const F& f, const Elements& e, dev::Stream& stream, void* y, const X*... x) {
    require_activation_type(e.dtype, what_of(name, e.count));
    if (!has_work(name, e.count, {y, x...})) return;
    if (e.dtype == DType::f32) return launch_dense<float>(f, e, stream, y, x...);
    launch_dense<bf16>(f, e, stream, y, x...);
}

template <class From, class To>
void launch_convert(const Conversion& c, const void* x, void* y, dev::Stream& stream) {
    constexpr int N = kChunk<From, To>;
    const auto* from = static_cast<const From*>(x);
    auto* to = static_cast<To*>(y);
    const bool vectors = c.variant == Variant::tuned && is_chunk_aligned(from, N) && is_chunk_aligned(to, N);
    launch_map<N, To, Dense<From>>(Identity{}, extent_of(c.count, vectors), stream, to, from);
}

template <class T>
void launch_scale_shift(const Elements& e, std::int64_t channels, const void* x, const float* factors,
                        const float* shift, void* y, const char* name, dev::Stream& stream) {
    constexpr int N = kChunk<T>;
    const auto* from = static_cast<const T*>(x);
    auto* to = static_cast<T*>(y);
    const bool vectors = e.variant == Variant::tuned && is_chunk_aligned(from, N) && is_chunk_aligned(to, N);
    const Extent extent =
        extent_of(e.count, vectors, channels, N, is_aligned(factors, 16) && is_aligned(shift, 16), name);
    if (factors == nullptr) {
        launch_map<N, T, Dense<T>, PerChannel>(Add{}, extent, stream, to, from, shift);
    } else {
        launch_map<N, T, Dense<T>, PerChannel, PerChannel>(ScaleShift{}, extent, stream, to, from, factors, shift);
    }
}

void run_scale_shift(const char* name, const Elements& e, std::int64_t channels, const void* x, const float* factors,
                     const float* shift, void* y, dev::Stream& stream) {
    require_activation_type(e.dtype, what_of(name, e.count));
    if (!has_work(name, e.count, {x, y, factors != nullptr ? factors : shift})) return;
    if (e.dtype == DType::f32) return launch_scale_shift<float>(e, channels, x, factors, shift, y, name, stream);
    launch_scale_shift<bf16>(e, channels, x, factors, shift, y, name, stream);
}

template <class T>
void launch_dropout(const Dropout& draw, const Elements& e, const void* x, const std::int32_t* step, void* y,
                    dev::Stream& stream) {
    constexpr int N = kChunk<T>;
    const auto* from = static_cast<const T*>(x);
    auto* to = static_cast<T*>(y);
    const bool vectors = e.variant == Variant::tuned && is_chunk_aligned(from, N) && is_chunk_aligned(to, N);
    const Extent extent = extent_of(e.count, vectors);
    const Draw d{draw.seed, draw.stream, static_cast<float>(draw.rate), static_cast<float>(1 / (1 - draw.rate))};
    launch<N>(dropout_kernel<N, T>, extent, stream, d, extent, dev::writes(to, "y", {e.count}),
              input(from, y, "x", e.count), dev::reads(step, "step", {1}));
}

template <class T>
void launch_normalize(const Normalization& n, const Elements& e, const std::uint8_t* pixels, void* y,
                      dev::Stream& stream) {
    constexpr int N = kChunk<T>;
    auto* to = static_cast<T*>(y);
    const bool vectors = e.variant == Variant::tuned && is_chunk_aligned(pixels, N) && is_chunk_aligned(to, N);
    const Extent extent = extent_of(e.count, vectors, 3, N, false, "normalize");
    const auto triple = [](const std::array<float, 3>& values) {
        return Triple<float>{{values[0], values[1], values[2]}};
    };
    launch<N>(normalize_kernel<N, T>, extent, stream, triple(n.scale), triple(n.shift), n.order, extent,
              dev::writes(to, "y", {e.count / 3, 3}), dev::reads(pixels, "pixels", {e.count / 3, 3}));
}

}  // namespace

void convert(const Conversion& c, const void* x, void* y, dev::Stream& stream) {
    const std::string what =
        what_of("convert", c.count) + " from " + std::string(name_of(c.from)) + " to " + std::string(name_of(c.to));
    const bool widens = c.to == DType::f32 && (c.from == DType::bf16 || c.from == DType::i32 || c.from == DType::u8);
    const bool same = c.from == c.to;
    require(widens || same || (c.from == DType::f32 && c.to == DType::bf16), what,
            "it turns f32, bf16, i32 and u8 into f32, and f32 into bf16");
    if (!has_work("convert", c.count, {x, y})) return;
    if (same) {
        if (x != y) dev::copy_on_device(y, x, static_cast<std::size_t>(c.count) * size_of(c.to), stream);
        return;
    }
    if (c.to == DType::bf16) return launch_convert<float, bf16>(c, x, y, stream);
    if (c.from == DType::bf16) return launch_convert<bf16, float>(c, x, y, stream);
    if (c.from == DType::i32) return launch_convert<std::int32_t, float>(c, x, y, stream);
    launch_convert<std::uint8_t, float>(c, x, y, stream);
}

void unary(Unary function, const Elements& e, const void* x, void* y, dev::Stream& stream) {
    if (function == Unary::relu) return run_dense("relu", Relu{}, e, stream, y, x);
    run_dense("gelu", Gelu{}, e, stream, y, x);
}

void binary(Binary function, const Elements& e, const void* a, const void* b, void* y, dev::Stream& stream) {
    switch (function) {
        case Binary::add:
            return run_dense("add", Add{}, e, stream, y, a, b);
        case Binary::multiply:
            return run_dense("multiply", Multiply{}, e, stream, y, a, b);
        case Binary::relu_gradient:
            return run_dense("relu_gradient", ReluGradient{}, e, stream, y, a, b);
        case Binary::gelu_gradient:
            return run_dense("gelu_gradient", GeluGradient{}, e, stream, y, a, b);
    }
}

void scale(const Elements& e, const void* x, float factor, void* y, dev::Stream& stream) {
    run_dense("scale", Scale{factor}, e, stream, y, x);
}

void lerp(const Elements& e, const void* a, const void* b, const float* t, void* y, dev::Stream& stream) {
    require(e.dtype == DType::f32, what_of("lerp", e.count), "it averages parameters, which are f32");
    if (!has_work("lerp", e.count, {a, b, t, y})) return;
    constexpr int N = kChunk<float>;
    const auto *from = static_cast<const float*>(a), *towards = static_cast<const float*>(b);
    auto* to = static_cast<float*>(y);
    const bool vectors = e.variant == Variant::tuned && is_chunk_aligned(from, N) && is_chunk_aligned(towards, N) &&
                         is_chunk_aligned(to, N);
    launch_map<N, float, Dense<float>, Dense<float>, Single>(Lerp{}, extent_of(e.count, vectors), stream, to, from,
                                                             towards, t);
}

void add_bias(const Elements& e, std::int64_t channels, const void* x, const float* bias, void* y,
              dev::Stream& stream) {
    run_scale_shift("add_bias", e, channels, x, nullptr, bias, y, stream);
}

void scale_shift(const Elements& e, std::int64_t channels, const void* x, const float* factors, const float* shift,
                 void* y, dev::Stream& stream) {
    require(e.count == 0 || factors != nullptr, what_of("scale_shift", e.count), "the scale is null");
    run_scale_shift("scale_shift", e, channels, x, factors, shift, y, stream);
}

void dropout(const Dropout& draw, const Elements& e, const void* x, const std::int32_t* step, void* y,
             dev::Stream& stream) {
    require_activation_type(e.dtype, what_of("dropout", e.count));
    require(draw.rate >= 0 && draw.rate < 1, what_of("dropout", e.count),
            "the rate must be in [0, 1), not " + std::to_string(draw.rate));
    if (!has_work("dropout", e.count, {x, step, y})) return;
    if (e.dtype == DType::f32) return launch_dropout<float>(draw, e, x, step, y, stream);
    launch_dropout<bf16>(draw, e, x, step, y, stream);
}

void normalize(const Normalization& n, const Elements& e, const std::uint8_t* pixels, void* y, dev::Stream& stream) {
    require_activation_type(e.dtype, what_of("normalize", e.count));
    if (!has_work("normalize", e.count, {pixels, y})) return;
    if (e.dtype == DType::f32) return launch_normalize<float>(n, e, pixels, y, stream);
    launch_normalize<bf16>(n, e, pixels, y, stream);
}

void guard(std::int64_t bytes, const void* kept, const void* fresh, const float* condition, void* y,
           dev::Stream& stream) {
    if (!has_work("guard", bytes, {kept, fresh, condition, y})) return;
    const auto *old = static_cast<const std::uint8_t*>(kept), *made = static_cast<const std::uint8_t*>(fresh);
    auto* to = static_cast<std::uint8_t*>(y);
    const Extent extent = extent_of(bytes, is_aligned(old, 16) && is_aligned(made, 16) && is_aligned(to, 16));
    launch<16>(guard_kernel, extent, stream, extent, dev::writes(to, "y", {bytes}), input(old, y, "kept", bytes),
               input(made, y, "fresh", bytes), dev::reads(condition, "condition", {1}));
}

void increment(const std::int32_t* x, std::int32_t* y, dev::Stream& stream) {
    if (!has_work("increment", 1, {x, y})) return;
    dev::launch(increment_kernel, dim3(1), dim3(1), 0, stream, dev::writes(y, "y", {1}), input(x, y, "x", 1));
}

}  // namespace cambium::elementwise
