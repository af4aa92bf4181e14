// Device memory as the engine's Memory, over the calls that CUDA and simt share.
#pragma once

#include <array>
#include <optional>

#include "engine/tensor/memory.h"
#include "kernels/gpu/launch.h"

namespace cambium::gpu {

// Copies from the host that it does not wait for, in the order of the stream. Page-locked memory takes what is to be
// copied, so that the caller may change his own at once.
//   small   (scalars, labels) a ring of places, copied on the stream itself
//   large   (images) two places: the copy to the device runs on a stream of its own beside the step before, and a copy
//           within the device, on the stream, brings it to its fixed address, which a recorded step reads
// The host waits only where a place's former copy has not left it: for the last but one large copy.
class Uploads {
  public:
    explicit Uploads(dev::Stream& stream) : stream_(stream) {}
    void copy(void* device, const void* host, std::size_t bytes);

  private:
    static constexpr std::size_t kSmallBytes = 64 << 10, kMostBytes = 64 << 20;  // larger ones go in pieces
    struct Small {
        dev::HostBuffer locked;
        dev::Event copied;
    };
    struct Large {
        dev::HostBuffer locked;
        dev::Buffer<std::byte> staged;
        dev::Event arrived, placed;  // in `staged`; from there at its address
    };
    void copy_small(void* device, const void* host, std::size_t bytes);
    void copy_large(void* device, const void* host, std::size_t bytes);

    dev::Stream& stream_;
    dev::Stream beside_;
    std::array<std::optional<Small>, 16> small_{};
    std::array<std::optional<Large>, 2> large_{};
    std::size_t next_small_ = 0, next_large_ = 0;
};

class DeviceMemory final : public Memory {
  public:
    explicit DeviceMemory(dev::Stream& stream) : stream_(stream), uploads_(stream) {}
    void* allocate(std::size_t bytes) override { return dev::allocate(bytes == 0 ? 1 : bytes, "value"); }
    void release(void* data) noexcept override { dev::release(data); }
    void upload(void* device, const void* host, std::size_t bytes) override {
        if (bytes > 0) uploads_.copy(device, host, bytes);
    }
    void download(void* host, const void* device, std::size_t bytes) override {
        if (bytes > 0) dev::copy_to_host(host, device, bytes, stream_);
    }
    void copy(void* to, const void* from, std::size_t bytes) override {
        if (bytes > 0) dev::copy_on_device(to, from, bytes, stream_);
    }
    void zero(void* device, std::size_t bytes) override {
        if (bytes > 0) dev::fill_bytes(device, 0, bytes, stream_);
    }

  private:
    dev::Stream& stream_;
    Uploads uploads_;
};

}  // namespace cambium::gpu
