#include "engine/tensor/memory.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "engine/base/fail.h"

namespace cambium {
namespace {

constexpr std::align_val_t alignment{64};

class HostMemory final : public Memory {
  public:
    void* allocate(std::size_t bytes) override {
        void* data = ::operator new(std::max<std::size_t>(bytes, 1), alignment, std::nothrow);
        if (data == nullptr) fail("not enough memory: {} MB more were needed", (bytes >> 20) + 1);
        return data;
    }
    void release(void* data) noexcept override { ::operator delete(data, alignment); }
    void upload(void* device, const void* host, std::size_t bytes) override { copy(device, host, bytes); }
    void download(void* host, const void* device, std::size_t bytes) override { copy(host, device, bytes); }
    void copy(void* to, const void* from, std::size_t bytes) override {
        if (bytes > 0) std::memmove(to, from, bytes);
    }
    void zero(void* device, std::size_t bytes) override {
        if (bytes > 0) std::memset(device, 0, bytes);
    }
};

}  // namespace

Memory& host_memory() {
    static HostMemory memory;
    return memory;
}

}  // namespace cambium
