// Sums over axes, their adjoint, and the norm of many tensors together.
#include <algorithm>
#include <cmath>

#include "engine/backends/reference/reference.h"

namespace cambium::reference {
namespace {

// Calls visit(index in `whole`, index in the shape that is left when `axes` vanish).
template <class Visit>
void for_each_pair(const Shape& whole, const Shape& rest, const std::vector<int>& axes, Visit visit) {
    std::int64_t index = 0;
    std::vector<std::int64_t> kept;
    for_each_position(whole, [&](const std::vector<std::int64_t>& at) {
        kept.clear();
        for (std::size_t axis = 0; axis < at.size(); ++axis) {
            if (std::find(axes.begin(), axes.end(), static_cast<int>(axis)) == axes.end()) kept.push_back(at[axis]);
        }
        visit(index++, flat_index(rest, kept));
    });
}

}  // namespace

void run(const ops::ReduceSum& op, const Operands& operands) {
    const double* x = operands.in(0);
    double* y = operands.out();
    std::fill_n(y, operands.outputs[0].shape.count(), 0.0);
    for_each_pair(operands.shape(0), operands.outputs[0].shape, op.axes,
                  [&](std::int64_t whole, std::int64_t rest) { y[rest] += x[whole]; });
}

void run(const ops::Broadcast& op, const Operands& operands) {
    const double* x = operands.in(0);
    double* y = operands.out();
    for_each_pair(op.shape, operands.shape(0), op.axes,
                  [&](std::int64_t whole, std::int64_t rest) { y[whole] = x[rest]; });
}

void run(const ops::GlobalNorm&, const Operands& operands) {
    double squares = 0;
    for (std::size_t input = 0; input < operands.inputs.size(); ++input)
        for (std::int64_t i = 0; i < operands.count(input); ++i)
            squares += operands.in(input)[i] * operands.in(input)[i];
    *operands.out() = std::sqrt(squares);
}

}  // namespace cambium::reference
