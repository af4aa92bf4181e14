// Attention's launches: what a descriptor must satisfy, the width of accesses, and the choice of the instance.
#include "kernels/attention/attention.h"

#include <cmath>
#include <limits>

#include "kernels/attention/backward.cuh"
#include "kernels/attention/backward_head.cuh"
#include "kernels/attention/forward.cuh"
#include "kernels/attention/plain.cuh"
#include "kernels/check.h"

namespace cambium::attention {
namespace {

std::string name_of(const Attention& a) {
    return "attention over [" + std::to_string(a.batch) + ", " + std::to_string(a.tokens) + ", 3, " +
           std::to_string(a.heads) + ", " + std::to_string(a.size) + "]";
}

std::int64_t token_count(const Attention& a) { return a.batch * a.tokens * a.heads; }

// Sizes and pointers; false where there is nothing to do.
bool check(const Attention& a, std::initializer_list<const void*> vectors, std::initializer_list<const void*> floats) {
    const std::string name = name_of(a);
    require(a.batch >= 0 && a.tokens >= 0 && a.heads >= 0, name, "sizes are at least 0");
    require(a.size >= 1 && a.size <= kMostSize, name,
            "heads have 1 to " + std::to_string(kMostSize) + " values a token");
    if (token_count(a) == 0) return false;
    require(a.tokens <= std::numeric_limits<std::int32_t>::max() - 64 &&
                ceil_div(a.tokens, 64) * a.batch * a.heads <= std::numeric_limits<std::int32_t>::max(),
            name, "it takes more blocks than one launch has");
    for (const void* pointer : vectors) {
        require(pointer != nullptr && is_aligned(pointer, size_of(a.dtype())), name,
                "an operand is null or not aligned to its elements");
    }
    for (const void* pointer : floats)
        require(is_aligned(pointer, sizeof(float)), name, "an operand is not aligned to 4 bytes");
    return true;
}

// The widest access that every row of every operand allows.
int access_bytes(const Attention& a, std::initializer_list<const void*> operands) {
    const auto row = static_cast<std::size_t>(a.size) * size_of(a.dtype());
    for (const std::size_t bytes : {16u, 8u, 4u}) {
        bool fits = row % bytes == 0;
        for (const void* pointer : operands) fits = fits && is_aligned(pointer, bytes);
        if (fits) return static_cast<int>(bytes);
    }
    return 2;
}

Extents extents_of(const Attention& a) {
    return {a.batch,
            a.tokens,
            a.heads,
            a.size,
            static_cast<float>(1 / std::sqrt(static_cast<double>(a.size))),
            a.mask == Mask::causal};
}

// One call's operands as the launches take them.
template <class T>
struct Call {
    const Attention& a;
    dev::Stream& stream;
    const std::int32_t* count;
    Extents extents;

    auto vectors(const void* pointer, std::string_view name) const {
        return dev::reads(static_cast<const T*>(pointer), name, {a.batch, a.tokens, a.heads, a.size});
    }
    auto qkv(const void* pointer) const {
        return dev::reads(static_cast<const T*>(pointer), "qkv", {a.batch, a.tokens, 3, a.heads, a.size});
    }
    auto written(void* pointer, std::string_view name) const {
        return dev::writes(static_cast<T*>(pointer), name, {a.batch, a.tokens, a.heads, a.size});
    }
    auto dqkv(void* pointer) const {
        return dev::writes(static_cast<T*>(pointer), "dqkv", {a.batch, a.tokens, 3, a.heads, a.size});
    }
    auto tokens(const float* pointer, std::string_view name) const {
        return dev::reads(pointer, name, {a.batch, a.heads, a.tokens});
    }
    auto tokens_written(float* pointer, std::string_view name) const {
        return dev::writes(pointer, name, {a.batch, a.heads, a.tokens});
    }
    auto counts() const { return dev::reads(count, "count", {a.batch}); }

    dim3 plain_blocks() const { return dim3(static_cast<unsigned>(ceil_div(token_count(a), kPlainThreads))); }
};

template <class Tiling>
unsigned tiles_of(const Attention& a) {
    return static_cast<unsigned>(ceil_div(a.tokens, Tiling::kOwn));
}
template <class Tiling>
dim3 blocks_of(const Attention& a) {
    return dim3(tiles_of<Tiling>(a) * static_cast<unsigned>(a.batch * a.heads));
}

// Calls body with the math as a constant.
template <class Body>
void with_math(const Attention& a, Body&& body) {
    if (a.math == Math::bf16) return body.template operator()<Math::bf16>();
    if (a.math == Math::tf32) return body.template operator()<Math::tf32>();
    body.template operator()<Math::f32>();
}

// Calls body(Tiling) with the instance for the math and the head's size. Heads of up to 64 values take the smaller one.
template <class Body>
void with_tiling(const Attention& a, Body&& body) {
    with_math(a, [&]<Math math>() {
        if (a.size <= 64) return body.template operator()<Tiling<math, 64>>();
        body.template operator()<Tiling<math, 128>>();
    });
}

// Calls body(HeadTiling) with the instance that gives a head one block.
template <class Body>
void with_head_tiling(const Attention& a, Body&& body) {
    if (a.math == Math::tf32) return body.template operator()<HeadTiling<Math::tf32, 64, 128>>();
    if (a.math == Math::f32) return body.template operator()<HeadTiling<Math::f32, 64, 128>>();
    if (a.size > 64) return body.template operator()<HeadTiling<Math::bf16, 128, 128>>();
    if (a.tokens > 128) return body.template operator()<HeadTiling<Math::bf16, 64, 256>>();
    body.template operator()<HeadTiling<Math::bf16, 64, 128>>();
}

template <Math math>
void forward_plain(const Call<PlainElement<math>>& c, const Forward& f) {
    dev::launch(attention_plain<math>, c.plain_blocks(), dim3(kPlainThreads), 0, c.stream, c.qkv(f.qkv), c.counts(),
                c.written(f.y, "y"), c.tokens_written(f.lse, "lse"), c.extents);
}

void forward_tuned(const Attention& a, const Forward& f, dev::Stream& stream) {
    const int bytes = access_bytes(a, {f.qkv, f.y});
    with_tiling(a, [&]<class Tiling>() {
        const Call<typename Tiling::Element> c{a, stream, f.count, extents_of(a)};
        dev::launch(attention_tiles<Tiling>, blocks_of<Tiling>(a), dim3(Tiling::kThreads),
                    sizeof(ForwardMemory<Tiling>), stream, c.qkv(f.qkv), c.counts(), c.written(f.y, "y"),
                    c.tokens_written(f.lse, "lse"), c.extents, static_cast<int>(tiles_of<Tiling>(a)), bytes);
    });
}

template <Math math>
void backward_plain(const Call<PlainElement<math>>& c, const Backward& b, float* delta) {
    dev::launch(attention_delta_plain<PlainElement<math>>, c.plain_blocks(), dim3(kPlainThreads), 0, c.stream,
                c.vectors(b.dy, "dy"), c.vectors(b.y, "y"), c.tokens_written(delta, "delta"), c.extents);
    const auto launch = [&](auto* kernel) {
        dev::launch(kernel, c.plain_blocks(), dim3(kPlainThreads), 0, c.stream, c.vectors(b.dy, "dy"), c.qkv(b.qkv),
                    c.tokens(b.lse, "lse"), c.tokens(delta, "delta"), c.counts(), c.dqkv(b.dqkv), c.extents);
    };
    launch(attention_query_gradient_plain<math>);
    launch(attention_key_gradient_plain<math>);
}

template <class T>
void find_delta(const Call<T>& c, const Backward& b, float* delta, bool wide) {
    const std::int64_t blocks = ceil_div(token_count(c.a), kDeltaThreads / kDeltaLanes);
    dev::launch(wide ? attention_delta<T, dev::kWide<T>> : attention_delta<T, 1>, dim3(static_cast<unsigned>(blocks)),
                dim3(kDeltaThreads), 0, c.stream, c.vectors(b.dy, "dy"), c.vectors(b.y, "y"),
                c.tokens_written(delta, "delta"), c.extents);
}

void backward_split(const Attention& a, const Backward& b, float* delta, dev::Stream& stream) {
    const int bytes = access_bytes(a, {b.dy, b.qkv, b.y, b.dqkv});
    with_tiling(a, [&]<class Tiling>() {
        const Call<typename Tiling::Element> c{a, stream, b.count, extents_of(a)};
        find_delta(c, b, delta, bytes == 16);
        const auto launch = [&](auto* kernel, std::size_t shared_bytes) {
            dev::launch(kernel, blocks_of<Tiling>(a), dim3(Tiling::kThreads), shared_bytes, stream,
                        c.vectors(b.dy, "dy"), c.qkv(b.qkv), c.tokens(b.lse, "lse"), c.tokens(delta, "delta"),
                        c.counts(), c.dqkv(b.dqkv), c.extents, static_cast<int>(tiles_of<Tiling>(a)), bytes);
        };
        launch(attention_key_gradient<Tiling>, sizeof(KeyMemory<Tiling>));
        launch(attention_query_gradient<Tiling>, sizeof(QueryMemory<Tiling>));
    });
}

void backward_head(const Attention& a, const Backward& b, dev::Stream& stream) {
    const int bytes = access_bytes(a, {b.dy, b.qkv, b.y, b.dqkv});
    with_head_tiling(a, [&]<class Tiling>() {
        const Call<typename Tiling::Element> c{a, stream, b.count, extents_of(a)};
        dev::launch(attention_head_gradient<Tiling>, dim3(static_cast<unsigned>(a.batch * a.heads)),
                    dim3(Tiling::kThreads), sizeof(HeadMemory<Tiling>), stream, c.vectors(b.dy, "dy"), c.qkv(b.qkv),
                    c.vectors(b.y, "y"), c.tokens(b.lse, "lse"), c.counts(), c.dqkv(b.dqkv), c.extents, bytes);
    });
}

}  // namespace

bool gradient_is_one_kernel(const Attention& a) {
    const bool is_narrow = a.size <= 64, is_short = a.math == Math::bf16;  // heads, elements
    const int most_tokens = is_narrow && is_short ? 256 : is_narrow || is_short ? 128 : 0;
    return a.variant == Variant::tuned && a.tokens <= most_tokens;
}

std::size_t workspace_bytes(const Attention& a) {
    return gradient_is_one_kernel(a) ? 0 : static_cast<std::size_t>(token_count(a)) * sizeof(float);
}

void forward(const Attention& a, const Forward& f, dev::Stream& stream) {
    if (!check(a, {f.qkv, f.y}, {f.count, f.lse})) return;
    if (a.variant != Variant::plain) return forward_tuned(a, f, stream);
    with_math(a, [&]<Math math>() { forward_plain<math>({a, stream, f.count, extents_of(a)}, f); });
}

void backward(const Attention& a, const Backward& b, std::span<std::byte> workspace, dev::Stream& stream) {
    if (!check(a, {b.dy, b.qkv, b.y, b.dqkv}, {b.count, b.lse})) return;
    const std::string name = name_of(a);
    require(b.lse != nullptr, name, "its gradient needs lse");
    if (gradient_is_one_kernel(a)) return backward_head(a, b, stream);
    require(workspace.size() >= workspace_bytes(a) && is_aligned(workspace.data(), 16), name,
            "the workspace has " + std::to_string(workspace.size()) + " bytes and must have " +
                std::to_string(workspace_bytes(a)) + ", aligned to 16");
    auto* delta = reinterpret_cast<float*>(workspace.data());
    if (a.variant != Variant::plain) return backward_split(a, b, delta, stream);
    with_math(a, [&]<Math math>() { backward_plain<math>({a, stream, b.count, extents_of(a)}, b, delta); });
}

}  // namespace cambium::attention
