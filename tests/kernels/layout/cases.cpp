#include "tests/kernels/layout/cases.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace cambium::test {
namespace {

using layout::Axes, layout::kMaxRank;
using i64 = std::int64_t;

std::size_t index(i64 i) { return static_cast<std::size_t>(i); }

i64 product(int rank, const Axes& extent) {
    return std::accumulate(extent.begin(), extent.begin() + rank, i64{1}, std::multiplies<>());
}

// Calls body with every position, the last axis fastest.
template <class Body>
void for_each_position(int rank, const Axes& extent, Body&& body) {
    if (product(rank, extent) == 0) return;
    Axes at{};
    while (true) {
        body(at);
        int axis = rank - 1;
        while (axis >= 0 && ++at[index(axis)] == extent[index(axis)]) at[index(axis--)] = 0;
        if (axis < 0) return;
    }
}

i64 place(int rank, const Axes& at, const Axes& stride) {
    i64 sum = 0;
    for (std::size_t a = 0; a < index(rank); ++a) sum += at[a] * stride[a];
    return sum;
}

int element_bytes(const LayoutCase& c) { return c.pad ? c.pad->element_bytes : c.copy.element_bytes; }

// Elements from the first to the last that is touched.
i64 reach(const layout::Copy& c, const Axes& stride, i64 offset) {
    if (product(c.rank, c.extent) == 0) return offset;
    i64 last = offset;
    for (std::size_t a = 0; a < index(c.rank); ++a) last += (c.extent[a] - 1) * stride[a];
    return last + 1;
}
i64 x_elements(const LayoutCase& c) {
    return c.pad ? product(c.pad->rank, c.pad->extent) : reach(c.copy, c.copy.x_stride, c.copy.x_offset);
}
i64 y_elements(const LayoutCase& c) {
    return c.pad ? product(c.pad->rank, layout::padded(*c.pad)) : reach(c.copy, c.copy.y_stride, c.copy.y_offset);
}

std::vector<std::uint8_t> bytes_of_x(const LayoutCase& c) {
    std::vector<std::uint8_t> bytes(index(x_elements(c) * element_bytes(c)));
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(1 + i % 251);
    return bytes;
}

layout::Copy dense(int rank, const Axes& extent, int element_bytes) {
    return {.rank = rank,
            .extent = extent,
            .x_stride = {},
            .y_stride = layout::dense_strides(rank, extent),
            .element_bytes = element_bytes};
}

template <class T>
void shuffle(RandomStream& random, T* values, int count) {
    for (int i = count; i > 1; --i) std::swap(values[i - 1], values[random.below(static_cast<std::uint32_t>(i))]);
}

Axes random_extents(RandomStream& random, int rank, i64 largest_count) {
    Axes extent{};
    i64 left = largest_count;
    const i64 usual[] = {1, 2, 3, 5, 8, 16, 24, 31, 32, 33, 48, 64, 65, 100};
    for (std::size_t a = 0; a < index(rank); ++a) {
        extent[a] = std::min(usual[random.below(14)], left);
        left = std::max<i64>(left / extent[a], 1);
    }
    shuffle(random, extent.data(), rank);
    return extent;
}

LayoutCase random_slice(RandomStream& random, int rank, const Axes& extent, int bytes) {
    Axes begin{}, count{}, step{};
    for (std::size_t a = 0; a < index(rank); ++a) {
        const auto below = [&](i64 bound) { return static_cast<i64>(random.below(static_cast<std::uint32_t>(bound))); };
        const bool whole = random.below(2) == 0;
        begin[a] = whole ? 0 : below(extent[a]);
        step[a] = whole ? 1 : 1 + below(3);
        count[a] = (extent[a] - begin[a] + step[a] - 1) / step[a];
    }
    return slice(rank, extent, begin, count, step, bytes);
}

LayoutCase random_pad(RandomStream& random, int rank, const Axes& extent, int bytes) {
    LayoutCase c;
    c.what = "pad";
    c.pad = layout::Pad{.rank = rank, .extent = extent, .element_bytes = bytes};
    if (random.below(12) == 0 && rank > 0) c.pad->extent[0] = 0;
    for (std::size_t a = 0; a < index(rank); ++a) {
        const bool whole = random.below(2) == 0;
        const i64 unit = random.below(2) == 0 ? 1 : 8;
        c.pad->before[a] = whole ? 0 : unit * random.below(3);
        c.pad->after[a] = whole ? 0 : unit * random.below(3);
        c.pad->step[a] = whole || random.below(2) == 0 ? 1 : 1 + random.below(3);
    }
    return c;
}

}  // namespace

std::string LayoutCase::text() const {
    const int rank = pad ? pad->rank : copy.rank;
    const auto list = [rank](const char* name, const Axes& axes) {
        std::string s = std::string(" ") + name;
        for (std::size_t a = 0; a < index(rank); ++a) s += " " + std::to_string(axes[a]);
        return s;
    };
    const std::string head =
        what + ", " + std::to_string(element_bytes(*this)) + " bytes, skew " + std::to_string(skew);
    if (pad) {
        return head + list("extent", pad->extent) + list("before", pad->before) + list("after", pad->after) +
               list("step", pad->step);
    }
    return head + list("extent", copy.extent) + list("x", copy.x_stride) + list("y", copy.y_stride) +
           (copy.variant == layout::Variant::plain ? " plain" : "");
}

void LayoutCase::set_variant(layout::Variant variant) {
    copy.variant = variant;
    if (pad) pad->variant = variant;
}

LayoutCase transposition(int rank, const Axes& extent, const std::array<int, kMaxRank>& permutation,
                         int element_bytes) {
    Axes permuted{};
    const Axes strides = layout::dense_strides(rank, extent);
    for (std::size_t a = 0; a < index(rank); ++a) permuted[a] = extent[index(permutation[a])];
    LayoutCase c{.copy = dense(rank, permuted, element_bytes), .pad = {}, .what = "transposition"};
    for (std::size_t a = 0; a < index(rank); ++a) c.copy.x_stride[a] = strides[index(permutation[a])];
    return c;
}

LayoutCase slice(int rank, const Axes& extent, const Axes& begin, const Axes& count, const Axes& step,
                 int element_bytes) {
    LayoutCase c{.copy = dense(rank, count, element_bytes), .pad = {}, .what = "slice"};
    const Axes strides = layout::dense_strides(rank, extent);
    for (std::size_t a = 0; a < index(rank); ++a) {
        c.copy.x_stride[a] = strides[a] * step[a];
        c.copy.x_offset += strides[a] * begin[a];
    }
    return c;
}

LayoutCase broadcast(int rank, const Axes& extent, unsigned repeated_axes, int element_bytes) {
    LayoutCase c{.copy = dense(rank, extent, element_bytes), .pad = {}, .what = "broadcast"};
    i64 stride = 1;
    for (int a = rank - 1; a >= 0; --a) {
        const bool repeated = (repeated_axes >> a & 1) != 0;
        c.copy.x_stride[index(a)] = repeated ? 0 : stride;
        if (!repeated) stride *= extent[index(a)];
    }
    return c;
}

LayoutCase part_of_concat(int rank, const Axes& y_extent, int axis, i64 start, i64 count, int element_bytes) {
    LayoutCase c{.copy = dense(rank, y_extent, element_bytes), .pad = {}, .what = "part of a concatenation"};
    c.copy.extent[index(axis)] = count;
    c.copy.x_stride = layout::dense_strides(rank, c.copy.extent);
    c.copy.y_offset = start * c.copy.y_stride[index(axis)];
    return c;
}

std::vector<std::uint8_t> exact_result(const LayoutCase& c) {
    const auto size = index(element_bytes(c));
    const std::vector<std::uint8_t> x = bytes_of_x(c);
    std::vector<std::uint8_t> y(index(y_elements(c)) * size, c.pad ? 0 : 0xA5);
    const auto move = [&](i64 to, i64 from) { std::copy_n(&x[index(from) * size], size, &y[index(to) * size]); };
    if (!c.pad) {
        for_each_position(c.copy.rank, c.copy.extent, [&](const Axes& at) {
            move(c.copy.y_offset + place(c.copy.rank, at, c.copy.y_stride),
                 c.copy.x_offset + place(c.copy.rank, at, c.copy.x_stride));
        });
        return y;
    }
    const Axes y_stride = layout::dense_strides(c.pad->rank, layout::padded(*c.pad));
    i64 from = 0;
    for_each_position(c.pad->rank, c.pad->extent, [&](Axes at) {
        for (std::size_t a = 0; a < index(c.pad->rank); ++a) at[a] = c.pad->before[a] + at[a] * c.pad->step[a];
        move(place(c.pad->rank, at, y_stride), from++);
    });
    return y;
}

// x and y in buffers with 64 bytes more on both sides of y, which must stay as they are.
std::vector<std::uint8_t> run_on_device(const LayoutCase& c) {
    constexpr std::size_t kMargin = 64;
    const auto skew = index(c.skew * element_bytes(c));
    dev::Stream stream;
    std::vector<std::uint8_t> x = bytes_of_x(c);
    x.insert(x.begin(), skew, 0);
    std::vector<std::uint8_t> y(skew + index(y_elements(c) * element_bytes(c)) + kMargin, 0xA5);
    const dev::Buffer<std::uint8_t> device_x(x, stream, "x");
    dev::Buffer<std::uint8_t> device_y(y, stream, "y");
    if (c.pad) {
        layout::run(*c.pad, device_x.data() + skew, device_y.data() + skew, stream);
    } else {
        layout::run(c.copy, device_x.data() + skew, device_y.data() + skew, stream);
    }
    device_y.download(y, stream);
    const auto untouched = [](std::uint8_t byte) { return byte == 0xA5; };
    if (!std::all_of(y.begin(), y.begin() + static_cast<std::ptrdiff_t>(skew), untouched) ||
        !std::all_of(y.end() - kMargin, y.end(), untouched)) {
        throw std::runtime_error("written beside y: " + c.text());
    }
    return {y.begin() + static_cast<std::ptrdiff_t>(skew), y.end() - kMargin};
}

LayoutCase random_case(int number, i64 largest_count) {
    RandomStream random(static_cast<std::uint64_t>(number), hash_name("layout case", 11));
    const int sizes[] = {1, 2, 4, 8, 2, 4};
    const int bytes = sizes[random.below(6)], rank = static_cast<int>(random.below(kMaxRank + 1));
    const Axes extent = random_extents(random, rank, largest_count);
    LayoutCase c;
    if (number % 5 == 0) {
        c = random_slice(random, rank, extent, bytes);
    } else if (number % 5 == 1) {
        c = broadcast(rank, extent, random.below(32), bytes);
    } else if (number % 5 == 2 && rank > 0) {
        const int axis = static_cast<int>(random.below(static_cast<std::uint32_t>(rank)));
        const i64 start = random.below(static_cast<std::uint32_t>(extent[index(axis)]));
        c = part_of_concat(rank, extent, axis, start, extent[index(axis)] - start, bytes);
    } else if (number % 5 == 3) {
        c = random_pad(random, rank, extent, bytes);
    } else {
        std::array<int, kMaxRank> permutation{0, 1, 2, 3, 4};
        shuffle(random, permutation.data(), rank);
        c = transposition(rank, extent, permutation, bytes);
    }
    c.skew = random.below(3) == 0 ? static_cast<int>(1 + random.below(4)) : 0;
    return c;
}

}  // namespace cambium::test
