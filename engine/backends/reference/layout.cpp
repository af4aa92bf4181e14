// Moving elements without computing: each operator says where an element of one side lies on the other.
#include <algorithm>
#include <cstring>

#include "engine/backends/reference/reference.h"

namespace cambium::reference {
namespace {

// Copies elements of any dtype from the first input to the output, by index.
class Mover {
  public:
    explicit Mover(const Operands& operands, std::size_t input = 0)
        : from_(operands.in<std::byte>(input)),
          to_(operands.out<std::byte>()),
          size_(size_of(operands.inputs[0].dtype)) {}
    void move(std::int64_t to, std::int64_t from) const {
        std::memcpy(to_ + static_cast<std::size_t>(to) * size_, from_ + static_cast<std::size_t>(from) * size_, size_);
    }

  private:
    const std::byte* from_;
    std::byte* to_;
    std::size_t size_;
};

}  // namespace

void run(const ops::Concat& op, const Operands& operands) {
    const Shape& whole = operands.outputs[0].shape;
    const auto axis = static_cast<std::size_t>(op.axis < 0 ? op.axis + whole.rank() : op.axis);
    std::int64_t start = 0;
    for (std::size_t part = 0; part < operands.inputs.size(); ++part) {
        const Mover mover(operands, part);
        std::int64_t from = 0;
        for_each_position(operands.shape(part), [&](std::vector<std::int64_t> at) {
            at[axis] += start;
            mover.move(flat_index(whole, at), from++);
        });
        start += operands.shape(part)[static_cast<int>(axis)];
    }
}

void run(const ops::Slice& op, const Operands& operands) {
    const Mover mover(operands);
    std::int64_t to = 0;
    for_each_position(operands.outputs[0].shape, [&](std::vector<std::int64_t> at) {
        for (std::size_t axis = 0; axis < at.size(); ++axis) at[axis] = op.begin[axis] + at[axis] * op.step[axis];
        mover.move(to++, flat_index(operands.shape(0), at));
    });
}

void run(const ops::Pad& op, const Operands& operands) {
    const Mover mover(operands);
    std::fill_n(operands.out<std::byte>(), operands.outputs[0].bytes(), std::byte{0});
    std::int64_t from = 0;
    for_each_position(operands.shape(0), [&](std::vector<std::int64_t> at) {
        for (std::size_t axis = 0; axis < at.size(); ++axis) at[axis] = op.before[axis] + at[axis] * op.step[axis];
        mover.move(flat_index(operands.outputs[0].shape, at), from++);
    });
}

void run(const ops::Reshape&, const Operands& operands) {
    std::copy_n(operands.in<std::byte>(0), operands.inputs[0].bytes(), operands.out<std::byte>());
}

void run(const ops::Transposition& op, const Operands& operands) {
    const Mover mover(operands);
    std::int64_t to = 0;
    std::vector<std::int64_t> source(op.permutation.size());
    for_each_position(operands.outputs[0].shape, [&](const std::vector<std::int64_t>& at) {
        for (std::size_t axis = 0; axis < at.size(); ++axis)
            source[static_cast<std::size_t>(op.permutation[axis])] = at[axis];
        mover.move(to++, flat_index(operands.shape(0), source));
    });
}

}  // namespace cambium::reference
