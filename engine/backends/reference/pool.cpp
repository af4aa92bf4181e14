// Pooling. Every kind is a loop over windows; a window is a range of rows and columns clipped to the image.
#include <algorithm>
#include <cmath>

#include "engine/backends/reference/reference.h"

namespace cambium::reference {
namespace {

struct Range {
    std::int64_t begin = 0, end = 0;  // clipped to the image
    std::int64_t origin = 0;          // where the window starts, padding included
    std::int64_t divisor = 0;         // positions that count towards a mean
    std::int64_t size() const { return end - begin; }
};

Range window_range(const ops::Window& window, ops::Padding padding, std::size_t axis, std::int64_t p,
                   std::int64_t extent) {
    Range range;
    range.origin = p * window.stride[axis] - window.padding[axis];
    const std::int64_t padded_end = std::min(range.origin + window.kernel[axis], extent + window.padding[axis]);
    range.begin = std::max<std::int64_t>(range.origin, 0);
    range.end = std::min(padded_end, extent);
    range.divisor = padding == ops::Padding::counted ? padded_end - range.origin : range.size();
    return range;
}

Range adaptive_range(std::int64_t p, std::int64_t cells, std::int64_t extent) {
    const std::int64_t begin = p * extent / cells, end = ((p + 1) * extent + cells - 1) / cells;
    return {.begin = begin, .end = end, .origin = begin, .divisor = end - begin};
}

// Calls visit(output index, rows, columns, offset of the image and channel) for each window of each channel, where an
// image element is at offset + (h * W + w) * C.
template <class RowRange, class ColumnRange, class Visit>
void for_each_window(const Shape& image, const Shape& output, RowRange rows, ColumnRange columns, Visit visit) {
    const std::int64_t C = image[3];
    std::int64_t index = 0;
    for (std::int64_t n = 0; n < output[0]; ++n)
        for (std::int64_t p = 0; p < output[1]; ++p)
            for (std::int64_t q = 0; q < output[2]; ++q)
                for (std::int64_t c = 0; c < C; ++c)
                    visit(index++, rows(p), columns(q), n * image[1] * image[2] * C + c);
}

template <class Visit>
void for_each_window(const ops::Window& window, ops::Padding padding, const Shape& image, const Shape& output,
                     Visit visit) {
    for_each_window(
        image, output, [&](std::int64_t p) { return window_range(window, padding, 0, p, image[1]); },
        [&](std::int64_t q) { return window_range(window, padding, 1, q, image[2]); }, visit);
}

template <class Visit>
void for_each_cell(const Shape& image, const Shape& output, Visit visit) {
    for_each_window(
        image, output, [&](std::int64_t p) { return adaptive_range(p, output[1], image[1]); },
        [&](std::int64_t q) { return adaptive_range(q, output[2], image[2]); }, visit);
}

double mean(const double* x, const Shape& image, const Range& rows, const Range& columns) {
    double sum = 0;
    for (std::int64_t h = rows.begin; h < rows.end; ++h)
        for (std::int64_t w = columns.begin; w < columns.end; ++w) sum += x[(h * image[2] + w) * image[3]];
    return sum / static_cast<double>(rows.divisor * columns.divisor);
}

void spread(double* dx, double dy, const Shape& image, const Range& rows, const Range& columns) {
    const double share = dy / static_cast<double>(rows.divisor * columns.divisor);
    for (std::int64_t h = rows.begin; h < rows.end; ++h)
        for (std::int64_t w = columns.begin; w < columns.end; ++w) dx[(h * image[2] + w) * image[3]] += share;
}

}  // namespace

void run(const ops::MaxPool2d& op, const Operands& operands) {
    const Shape& image = operands.shape(0);
    const double* x = operands.in(0);
    double* y = operands.out(0);
    std::uint8_t* index = operands.out<std::uint8_t>(1);
    for_each_window(op.window, ops::Padding::ignored, image, operands.outputs[0].shape,
                    [&](std::int64_t i, const Range& rows, const Range& columns, std::int64_t offset) {
                        double largest = 0;
                        std::int64_t position = -1;
                        for (std::int64_t h = rows.begin; h < rows.end; ++h) {
                            for (std::int64_t w = columns.begin; w < columns.end; ++w) {
                                const double value = x[offset + (h * image[2] + w) * image[3]];
                                const bool wins = value > largest || (std::isnan(value) && !std::isnan(largest));
                                if (position >= 0 && !wins) continue;
                                largest = value;
                                position = (h - rows.origin) * op.window.kernel[1] + (w - columns.origin);
                            }
                        }
                        if (y != nullptr) y[i] = largest;
                        if (index != nullptr) index[i] = static_cast<std::uint8_t>(position);
                    });
}

void run(const ops::MaxPool2dGradient& op, const Operands& operands) {
    const Shape& image = op.input;
    const double* dy = operands.in(0);
    const std::uint8_t* index = operands.in<std::uint8_t>(1);
    double* dx = operands.out();
    std::fill_n(dx, image.count(), 0.0);
    for_each_window(op.window, ops::Padding::ignored, image, operands.shape(0),
                    [&](std::int64_t i, const Range& rows, const Range& columns, std::int64_t offset) {
                        const std::int64_t h = rows.origin + index[i] / op.window.kernel[1];
                        const std::int64_t w = columns.origin + index[i] % op.window.kernel[1];
                        dx[offset + (h * image[2] + w) * image[3]] += dy[i];
                    });
}

void run(const ops::AvgPool2d& op, const Operands& operands) {
    const Shape& image = operands.shape(0);
    for_each_window(op.window, op.padding, image, operands.outputs[0].shape,
                    [&](std::int64_t i, const Range& rows, const Range& columns, std::int64_t offset) {
                        operands.out()[i] = mean(operands.in(0) + offset, image, rows, columns);
                    });
}

void run(const ops::AvgPool2dGradient& op, const Operands& operands) {
    std::fill_n(operands.out(), op.input.count(), 0.0);
    for_each_window(op.window, op.padding, op.input, operands.shape(0),
                    [&](std::int64_t i, const Range& rows, const Range& columns, std::int64_t offset) {
                        spread(operands.out() + offset, operands.in(0)[i], op.input, rows, columns);
                    });
}

void run(const ops::AdaptiveAvgPool2d&, const Operands& operands) {
    const Shape& image = operands.shape(0);
    for_each_cell(image, operands.outputs[0].shape,
                  [&](std::int64_t i, const Range& rows, const Range& columns, std::int64_t offset) {
                      operands.out()[i] = mean(operands.in(0) + offset, image, rows, columns);
                  });
}

void run(const ops::AdaptiveAvgPool2dGradient& op, const Operands& operands) {
    std::fill_n(operands.out(), op.input.count(), 0.0);
    for_each_cell(op.input, operands.shape(0),
                  [&](std::int64_t i, const Range& rows, const Range& columns, std::int64_t offset) {
                      spread(operands.out() + offset, operands.in(0)[i], op.input, rows, columns);
                  });
}

}  // namespace cambium::reference
