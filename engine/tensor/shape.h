// Shape: the extents of a dense tensor, at most five axes, the last one contiguous.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace cambium {

class Shape {
  public:
    static constexpr int max_rank = 5;

    Shape() = default;  // rank 0: a scalar, one element
    Shape(std::initializer_list<std::int64_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}
    // Throws Error if there are more than max_rank axes, an extent is negative or there are more than 2^59 elements.
    explicit Shape(std::span<const std::int64_t> extents);

    int rank() const { return rank_; }
    // Extent of an axis; negative axes count from the end. Throws Error if there is no such axis.
    std::int64_t operator[](int axis) const;
    std::int64_t count() const;  // number of elements
    std::span<const std::int64_t> extents() const { return {extents_.data(), static_cast<std::size_t>(rank_)}; }
    Shape with(int axis, std::int64_t extent) const;  // a copy with one extent replaced

    friend bool operator==(const Shape&, const Shape&) = default;

  private:
    std::array<std::int64_t, max_rank> extents_{};
    int rank_ = 0;
};

std::string to_string(const Shape& shape);  // "[8, 224, 224, 3]"

}  // namespace cambium
