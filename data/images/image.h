// Image: 8-bit RGB pixels in host memory, [height, width, 3], rows top to bottom without gaps. A few readable bytes
// follow the last pixel, so that vector loads need no special case at the end of a row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace cambium {

struct Size {
    int width = 0, height = 0;
    friend bool operator==(const Size&, const Size&) = default;
};

// A rectangle in pixels, its origin at the image's top left corner.
struct Box {
    int left = 0, top = 0, width = 0, height = 0;
    friend bool operator==(const Box&, const Box&) = default;
};

class Image {
  public:
    static constexpr std::size_t channels = 3;
    static constexpr std::size_t slack = 32;  // readable and writable bytes after the last pixel

    Image() = default;
    // Pixels are left uninitialised: a file that promises a huge image and then breaks off costs no memory.
    explicit Image(Size size) : size_(size), pixels_(std::make_unique_for_overwrite<std::uint8_t[]>(bytes() + slack)) {
        std::memset(pixels_.get() + bytes(), 0, slack);
    }

    int width() const { return size_.width; }
    int height() const { return size_.height; }
    Size size() const { return size_; }
    std::size_t stride() const { return static_cast<std::size_t>(size_.width) * channels; }  // bytes from row to row
    std::size_t bytes() const { return stride() * static_cast<std::size_t>(size_.height); }

    std::span<std::uint8_t> pixels() { return {pixels_.get(), bytes()}; }
    std::span<const std::uint8_t> pixels() const { return {pixels_.get(), bytes()}; }
    std::uint8_t* row(int y) { return pixels_.get() + stride() * static_cast<std::size_t>(y); }
    const std::uint8_t* row(int y) const { return pixels_.get() + stride() * static_cast<std::size_t>(y); }
    // The three bytes of one pixel.
    std::uint8_t* at(int x, int y) { return row(y) + static_cast<std::size_t>(x) * channels; }
    const std::uint8_t* at(int x, int y) const { return row(y) + static_cast<std::size_t>(x) * channels; }

  private:
    Size size_;
    std::unique_ptr<std::uint8_t[]> pixels_;
};

}  // namespace cambium
