// The host's side of gpu/launch.h on CUDA's runtime. Compiled with nvcc or with a host compiler and CAMBIUM_CUDA.
#if defined(CAMBIUM_CUDA) || defined(__CUDACC__)

#include <string>

#include "engine/base/error.h"
#include "kernels/gpu/launch.h"

namespace cambium::dev {
namespace {

void check(cudaError_t status, const char* statement) {
    if (status == cudaSuccess) return;
    throw Error(std::string("CUDA failed in ") + statement + ": " + cudaGetErrorString(status));
}
#define CUDA_CHECK(statement) check(statement, #statement)

cudaStream_t stream_of(void* handle) { return static_cast<cudaStream_t>(handle); }
cudaEvent_t event_of(void* handle) { return static_cast<cudaEvent_t>(handle); }

}  // namespace

Stream::Stream() {
    cudaStream_t stream;
    CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    handle_ = stream;
}
Stream::~Stream() {
    if (handle_ != nullptr) cudaStreamDestroy(stream_of(handle_));
}
void Stream::synchronize() { CUDA_CHECK(cudaStreamSynchronize(stream_of(handle_))); }

Event::Event() {
    cudaEvent_t event;
    CUDA_CHECK(cudaEventCreate(&event));
    handle_ = event;
}
Event::~Event() {
    if (handle_ != nullptr) cudaEventDestroy(event_of(handle_));
}
void Event::record(Stream& stream) { CUDA_CHECK(cudaEventRecord(event_of(handle_), stream_of(stream.handle()))); }
void Event::make_wait(Stream& stream) const {
    CUDA_CHECK(cudaStreamWaitEvent(stream_of(stream.handle()), event_of(handle_), 0));
}
void Event::synchronize() const { CUDA_CHECK(cudaEventSynchronize(event_of(handle_))); }
double Event::milliseconds_since(const Event& start) const {
    float milliseconds = 0;
    CUDA_CHECK(cudaEventElapsedTime(&milliseconds, event_of(start.handle_), event_of(handle_)));
    return static_cast<double>(milliseconds);
}

void* allocate(std::size_t bytes, std::string_view, std::size_t) {
    void* pointer = nullptr;
    CUDA_CHECK(cudaMalloc(&pointer, bytes == 0 ? 1 : bytes));
    return pointer;
}
void release(void* pointer) noexcept { cudaFree(pointer); }

void copy_to_device(void* device, const void* host, std::size_t bytes, Stream& stream, Site) {
    CUDA_CHECK(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_of(stream.handle())));
}
void copy_to_host(void* host, const void* device, std::size_t bytes, Stream& stream, Site) {
    CUDA_CHECK(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_of(stream.handle())));
    stream.synchronize();
}
void copy_on_device(void* target, const void* source, std::size_t bytes, Stream& stream, Site) {
    CUDA_CHECK(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToDevice, stream_of(stream.handle())));
}
void fill_bytes(void* device, unsigned char value, std::size_t bytes, Stream& stream, Site) {
    CUDA_CHECK(cudaMemsetAsync(device, value, bytes, stream_of(stream.handle())));
}

int device_count() {
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}
std::size_t shared_memory_limit() {
    int device = 0, bytes = 0;
    CUDA_CHECK(cudaGetDevice(&device));
    CUDA_CHECK(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
    return static_cast<std::size_t>(bytes);
}

void launch_kernel(const void* kernel, dim3 grid, dim3 block, void** arguments, std::size_t shared_bytes,
                   void* stream) {
    constexpr std::size_t kWithoutOptIn = 48 << 10;
    if (shared_bytes > kWithoutOptIn) {
        CUDA_CHECK(
            cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)));
    }
    CUDA_CHECK(cudaLaunchKernel(kernel, grid, block, arguments, shared_bytes, stream_of(stream)));
}

}  // namespace cambium::dev

#endif
