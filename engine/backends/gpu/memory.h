// Device memory as the engine's Memory, over the calls that CUDA and simt share.
#pragma once

#include "engine/tensor/memory.h"
#include "kernels/gpu/launch.h"

namespace cambium::gpu {

class DeviceMemory final : public Memory {
  public:
    explicit DeviceMemory(dev::Stream& stream) : stream_(stream) {}
    void* allocate(std::size_t bytes) override { return dev::allocate(bytes == 0 ? 1 : bytes, "value"); }
    void release(void* data) noexcept override { dev::release(data); }
    void upload(void* device, const void* host, std::size_t bytes) override {
        if (bytes == 0) return;
        dev::copy_to_device(device, host, bytes, stream_);
        stream_.synchronize();  // the host may change its copy when this returns
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
};

}  // namespace cambium::gpu
