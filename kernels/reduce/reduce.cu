// The sums' launches: what a descriptor must satisfy, how long sums are cut, and the choice of the instance.
#include "kernels/reduce/reduce.h"

#include "kernels/check.h"
#include "kernels/reduce/plain.cuh"
#include "kernels/reduce/tuned.cuh"

namespace cambium::reduce {
namespace {

std::string name_of(const Sum& s) {
    return "a sum of [" + std::to_string(s.outer) + ", " + std::to_string(s.reduced) + ", " + std::to_string(s.inner) +
           "] over its second axis";
}
std::string name_of(const Dot& d) {
    return "a dot product per channel of [" + std::to_string(d.rows) + ", " + std::to_string(d.channels) + "]";
}

int wide(DType dtype) { return dtype == DType::bf16 ? dev::kWide<bf16> : dev::kWide<float>; }

// Calls body(T{}) with the operands' type.
template <class Body>
void by_type(DType dtype, Body&& body) {
    if (dtype == DType::bf16) return body(bf16{});
    body(float{});
}

void check_workspace(std::span<std::byte> workspace, std::size_t needed, const std::string& name) {
    require(workspace.size() >= needed && is_aligned(workspace.data(), 16), name,
            "the workspace has " + std::to_string(workspace.size()) + " bytes and must have " + std::to_string(needed) +
                ", aligned to 16");
}

void check_pointer(const void* pointer, std::size_t alignment, const std::string& name) {
    require(pointer != nullptr, name, "an operand is null");
    require(is_aligned(pointer, alignment), name,
            "an operand is not aligned to " + std::to_string(alignment) + " bytes");
}

dim3 plain_blocks(std::int64_t results) { return dim3(static_cast<unsigned>(ceil_div(results, kPlainThreads))); }

// --- sums over an axis that is not the last: columns -------------------------------------------------------------

// Reductions that one launch holds, by blockIdx.z.
constexpr std::int64_t kMostOuter = 65535;

int column_width(const Sum& s) { return s.inner % wide(s.dtype) == 0 ? wide(s.dtype) : 1; }

StripLaunch plan_columns(const Sum& s) {
    const std::int64_t blocks = std::max<std::int64_t>(kColumnBlocks / std::max<std::int64_t>(s.outer, 1), 1);
    return reduce::plan_columns(s.reduced, s.inner, column_width(s), static_cast<int>(blocks));
}

template <class T, int Width>
void launch_columns(const Sum& s, const T* x, float* y, std::span<std::byte> workspace, dev::Stream& stream) {
    const StripLaunch launch = plan_columns(s);
    for (std::int64_t first = 0; first < s.outer; first += kMostOuter) {
        const std::int64_t outer = std::min(s.outer - first, kMostOuter);
        const std::size_t counters = counter_bytes(launch, outer);
        auto* arrived = reinterpret_cast<unsigned*>(workspace.data());
        auto* partials = reinterpret_cast<float*>(workspace.data() + counters);
        if (counters > 0) dev::fill_bytes(arrived, 0, counters, stream);
        const dim3 grid(launch.grid.x, launch.grid.y, static_cast<unsigned>(outer));
        dev::launch(sum_columns<T, Width>, grid, launch.block, sizeof(ColumnMemory<ColumnSum<T, Width>>), stream,
                    dev::reads(x + first * s.reduced * s.inner, "x", {outer, s.reduced, s.inner}),
                    dev::writes(y + first * s.inner, "y", {outer, s.inner}), partials, arrived, launch.strips);
    }
}

// --- sums over the last axis: rows -------------------------------------------------------------------------------

// A warp per row where rows are short; else blocks, and where rows are too few for the device, parts of them. Parts are
// multiples of 8192 elements, so that each begins at a multiple of 16 bytes.
constexpr std::int64_t kShortRow = 1024, kPartUnit = 8192;

RowParts plan_rows(const Sum& s) {
    RowParts p{s.outer, s.reduced, s.reduced, 1};
    if (s.reduced <= kShortRow || s.outer == 0) return p;
    const std::int64_t wanted = std::max<std::int64_t>(kColumnBlocks / s.outer, 1);
    p.part_columns = ceil_div(ceil_div(s.reduced, wanted), kPartUnit) * kPartUnit;
    p.parts = static_cast<int>(ceil_div(s.reduced, p.part_columns));
    return p;
}

template <class T, int Width>
void launch_rows(const RowParts& p, const T* x, float* y, dev::Stream& stream) {
    const std::int64_t results = p.rows * p.parts;
    const bool is_short = p.columns <= kShortRow;
    const std::int64_t blocks = is_short ? ceil_div(results, Row<32>::kRowsPerBlock) : results;
    require(blocks <= 0x7fffffff, "a sum over " + std::to_string(p.rows) + " rows",
            "it has more rows than one launch has blocks");
    dev::launch(is_short ? sum_rows<T, Width, 32> : sum_rows<T, Width, kRowBlock>, dim3(static_cast<unsigned>(blocks)),
                dim3(kRowBlock), sizeof(RowMemory<float>), stream, dev::reads(x, "x", {p.rows, p.columns}),
                dev::writes(y, "y", {p.rows, p.parts}), p);
}

template <class T>
void launch_rows(const RowParts& p, const T* x, float* y, dev::Stream& stream) {
    if (p.columns % dev::kWide<T> == 0) return launch_rows<T, dev::kWide<T>>(p, x, y, stream);
    launch_rows<T, 1>(p, x, y, stream);
}

template <class T>
void sum_last_axis(const Sum& s, const T* x, float* y, std::span<std::byte> workspace, dev::Stream& stream) {
    const RowParts p = plan_rows(s);
    if (p.parts == 1) return launch_rows(p, x, y, stream);
    auto* sums = reinterpret_cast<float*>(workspace.data());
    launch_rows(p, x, sums, stream);
    launch_rows(RowParts{s.outer, p.parts, p.parts, 1}, static_cast<const float*>(sums), y, stream);
}

template <class T>
void sum_typed(const Sum& s, const T* x, float* y, std::span<std::byte> workspace, dev::Stream& stream) {
    if (s.variant == Variant::plain) {
        const std::int64_t results = s.outer * s.inner;
        return dev::launch(sum_plain<T>, plain_blocks(results), dim3(kPlainThreads), 0, stream,
                           dev::reads(x, "x", {s.outer, s.reduced, s.inner}), dev::writes(y, "y", {s.outer, s.inner}),
                           results, s.reduced, s.inner);
    }
    if (s.inner == 1) return sum_last_axis(s, x, y, workspace, stream);
    if (column_width(s) == 1) return launch_columns<T, 1>(s, x, y, workspace, stream);
    launch_columns<T, dev::kWide<T>>(s, x, y, workspace, stream);
}

int column_width(const Dot& d) { return d.channels % wide(d.dtype) == 0 ? wide(d.dtype) : 1; }

template <class T, int Width>
void launch_dot(const Dot& d, const T* a, const T* b, float* y, std::span<std::byte> workspace, dev::Stream& stream) {
    const StripLaunch launch = reduce::plan_columns(d.rows, d.channels, Width);
    auto* arrived = reinterpret_cast<unsigned*>(workspace.data());
    auto* partials = reinterpret_cast<float*>(workspace.data() + counter_bytes(launch));
    if (launch.grid.x > 1) dev::fill_bytes(arrived, 0, counter_bytes(launch), stream);
    dev::launch(dot_columns<T, Width>, launch.grid, launch.block, sizeof(ColumnMemory<ColumnDot<T, Width>>), stream,
                dev::reads(a, "a", {d.rows, d.channels}), dev::reads(b, "b", {d.rows, d.channels}),
                dev::writes(y, "y", {d.channels}), partials, arrived, launch.strips);
}

template <class T>
void dot_typed(const Dot& d, const T* a, const T* b, float* y, std::span<std::byte> workspace, dev::Stream& stream) {
    if (d.variant == Variant::plain) {
        return dev::launch(dot_plain<T>, plain_blocks(d.channels), dim3(kPlainThreads), 0, stream,
                           dev::reads(a, "a", {d.rows, d.channels}), dev::reads(b, "b", {d.rows, d.channels}),
                           dev::writes(y, "y", {d.channels}), d.rows, d.channels);
    }
    if (column_width(d) == 1) return launch_dot<T, 1>(d, a, b, y, workspace, stream);
    launch_dot<T, dev::kWide<T>>(d, a, b, y, workspace, stream);
}

// --- the norm of many tensors ------------------------------------------------------------------------------------

std::int64_t chunks_of(std::span<const NormPart> parts) {
    std::int64_t chunks = 0;
    for (const NormPart& part : parts) chunks += ceil_div(part.elements, kNormChunk);
    return chunks;
}

// One launch for the first tensors of `parts`, as many as a table holds; returns how many those are.
std::size_t launch_squares(std::span<const NormPart> parts, float* squares, std::int64_t& chunks, dev::Stream& stream) {
    NormTable table{};
    std::size_t taken = 0;
    std::int64_t blocks = 0;
    for (; taken < parts.size() && table.tensors < kTensorsPerLaunch; ++taken) {
        if (parts[taken].elements == 0) continue;
        table.data[table.tensors] = parts[taken].data;
        table.elements[table.tensors] = parts[taken].elements;
        table.first_block[table.tensors++] = static_cast<int>(blocks);
        blocks += ceil_div(parts[taken].elements, kNormChunk);
    }
    if (blocks > 0) {
        dev::launch(chunk_squares, dim3(static_cast<unsigned>(blocks)), dim3(kRowBlock), sizeof(RowMemory<float>),
                    stream, table, squares + chunks);
    }
    chunks += blocks;
    return taken;
}

void norm_plain(std::span<const NormPart> parts, float* y, float* squares, dev::Stream& stream) {
    bool first = true;
    for (const NormPart& part : parts) {
        dev::launch(squares_plain, dim3(1), dim3(1), 0, stream, dev::reads(part.data, "x", {part.elements}),
                    part.elements, squares, first);
        first = false;
    }
    dev::launch(root_plain, dim3(1), dim3(1), 0, stream, static_cast<const float*>(squares), dev::writes(y, "y", {1}));
}

}  // namespace

std::size_t workspace_bytes(const Sum& s) {
    if (s.variant == Variant::plain || s.outer <= 0 || s.inner <= 0) return 0;
    if (s.inner > 1) return column_workspace_bytes(plan_columns(s), 1, std::min(s.outer, kMostOuter));
    const RowParts p = plan_rows(s);
    return p.parts == 1 ? 0 : round_to_256(static_cast<std::size_t>(p.rows * p.parts) * sizeof(float));
}

std::size_t workspace_bytes(const Dot& d) {
    if (d.variant == Variant::plain || d.channels <= 0) return 0;
    return column_workspace_bytes(reduce::plan_columns(d.rows, d.channels, column_width(d)), 1);
}

std::size_t workspace_bytes(std::span<const NormPart> parts) {
    const std::int64_t floats = std::max<std::int64_t>(chunks_of(parts), 1);
    return round_to_256(static_cast<std::size_t>(floats) * sizeof(float));
}

void sum(const Sum& s, const void* x, float* y, std::span<std::byte> workspace, dev::Stream& stream) {
    const std::string name = name_of(s);
    require(s.outer >= 0 && s.reduced >= 0 && s.inner >= 0, name, "sizes must not be negative");
    require_activation_type(s.dtype, name);
    if (s.outer == 0 || s.inner == 0) return;
    if (s.reduced > 0) check_pointer(x, 16, name);
    check_pointer(y, s.inner == 1 ? 4 : 16, name);
    check_workspace(workspace, workspace_bytes(s), name);
    by_type(s.dtype, [&](auto type) {
        using T = decltype(type);
        sum_typed(s, static_cast<const T*>(x), y, workspace, stream);
    });
}

void dot(const Dot& d, const void* a, const void* b, float* y, std::span<std::byte> workspace, dev::Stream& stream) {
    const std::string name = name_of(d);
    require(d.rows >= 0 && d.channels >= 0, name, "sizes must not be negative");
    require_activation_type(d.dtype, name);
    if (d.channels == 0) return;
    if (d.rows > 0) {
        check_pointer(a, 16, name);
        check_pointer(b, 16, name);
    }
    check_pointer(y, 16, name);
    check_workspace(workspace, workspace_bytes(d), name);
    by_type(d.dtype, [&](auto type) {
        using T = decltype(type);
        dot_typed(d, static_cast<const T*>(a), static_cast<const T*>(b), y, workspace, stream);
    });
}

void global_norm(std::span<const NormPart> parts, Variant variant, float* y, std::span<std::byte> workspace,
                 dev::Stream& stream) {
    const std::string name = "the norm of " + std::to_string(parts.size()) + " tensors";
    require(!parts.empty(), name, "it needs at least one");
    for (const NormPart& part : parts) {
        require(part.elements >= 0, name, "sizes must not be negative");
        if (part.elements > 0) check_pointer(part.data, 16, name);
    }
    check_pointer(y, 4, name);
    check_workspace(workspace, workspace_bytes(parts), name);
    auto* squares = reinterpret_cast<float*>(workspace.data());
    if (variant == Variant::plain) return norm_plain(parts, y, squares, stream);
    std::int64_t chunks = 0;
    while (!parts.empty()) parts = parts.subspan(launch_squares(parts, squares, chunks, stream));
    dev::launch(root_of_sum, dim3(1), dim3(kRowBlock), sizeof(RowMemory<float>), stream,
                static_cast<const float*>(squares), chunks, dev::writes(y, "y", {1}));
}

}  // namespace cambium::reduce
