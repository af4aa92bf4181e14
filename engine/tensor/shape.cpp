#include "engine/tensor/shape.h"

#include "engine/base/fail.h"

namespace cambium {

Shape::Shape(std::span<const std::int64_t> extents) {
    constexpr std::int64_t max_count = std::int64_t{1} << 59;  // its bytes still fit in 63 bits
    if (extents.size() > max_rank) fail("a tensor has at most {} axes, not {}", int{max_rank}, extents.size());
    std::int64_t count = 1;
    for (const std::int64_t extent : extents) {
        if (extent < 0) fail("a tensor cannot have the extent {}", extent);
        if (__builtin_mul_overflow(count, extent == 0 ? 1 : extent, &count) || count > max_count) {
            fail("a tensor's element count overflows");
        }
        extents_[static_cast<std::size_t>(rank_++)] = extent;
    }
}

std::int64_t Shape::operator[](int axis) const {
    const int index = axis < 0 ? axis + rank_ : axis;
    if (index < 0 || index >= rank_) fail("a tensor of shape {} has no axis {}", to_string(*this), axis);
    return extents_[static_cast<std::size_t>(index)];
}

std::int64_t Shape::count() const {
    std::int64_t count = 1;
    for (const std::int64_t extent : extents()) count *= extent;
    return count;
}

Shape Shape::with(int axis, std::int64_t extent) const {
    static_cast<void>((*this)[axis]);  // checks the axis
    Shape result = *this;
    result.extents_[static_cast<std::size_t>(axis < 0 ? axis + rank_ : axis)] = extent;
    return Shape(result.extents());
}

std::string to_string(const Shape& shape) {
    std::string text = "[";
    for (int axis = 0; axis < shape.rank(); ++axis) {
        if (axis > 0) text += ", ";
        text += std::to_string(shape[axis]);
    }
    return text + "]";
}

}  // namespace cambium
