// Device memory behind one small interface: the host's own, or a GPU's. A Buffer owns a piece of it.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace cambium {

// Memory of one device. Copies are ordered with the device's work. When a call returns, the host may read what it
// downloaded and change what it uploaded.
class Memory {
  public:
    virtual ~Memory() = default;
    // At least `bytes` (1 if 0), aligned to 64. Throws Error naming the size if there is not enough.
    virtual void* allocate(std::size_t bytes) = 0;
    virtual void release(void* data) noexcept = 0;
    virtual void upload(void* device, const void* host, std::size_t bytes) = 0;
    virtual void download(void* host, const void* device, std::size_t bytes) = 0;
    virtual void copy(void* to, const void* from, std::size_t bytes) = 0;  // device to device
    virtual void zero(void* device, std::size_t bytes) = 0;
};

Memory& host_memory();

class Buffer {
  public:
    Buffer() = default;
    Buffer(Memory& memory, std::size_t bytes) : memory_(&memory), data_(memory.allocate(bytes)), bytes_(bytes) {}
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        Buffer(std::move(other)).swap(*this);
        return *this;
    }
    ~Buffer() {
        if (data_ != nullptr) memory_->release(data_);
    }

    void* data() const { return data_; }
    std::size_t bytes() const { return bytes_; }

  private:
    void swap(Buffer& other) noexcept {
        std::swap(memory_, other.memory_);
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
    }
    Memory* memory_ = nullptr;
    void* data_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace cambium
