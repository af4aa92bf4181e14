// The host's side of gpu/launch.h on CUDA's runtime. Compiled with nvcc or with a host compiler and CAMBIUM_CUDA.
#if defined(CAMBIUM_CUDA) || defined(__CUDACC__)

#include <memory>
#include <sstream>
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

std::string megabytes(std::size_t bytes) { return std::to_string(bytes / 1000000) + " MB"; }

std::string version_text(int version) {  // 12020 is 12.2
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// Whether this build has machine code for a device: for one of the same major number and at most its minor one, or,
// with the suffix a, for exactly this one. CAMBIUM_CUDA_ARCHITECTURES: "80 90a".
bool has_code_for([[maybe_unused]] int major, [[maybe_unused]] int minor) {
#if defined(CAMBIUM_CUDA_ARCHITECTURES)
    std::istringstream architectures(CAMBIUM_CUDA_ARCHITECTURES);
    for (std::string text; architectures >> text;) {
        const int number = std::stoi(text);
        const bool exactly = text.back() == 'a';
        if (number / 10 == major && (exactly ? number % 10 == minor : number % 10 <= minor)) return true;
    }
    return false;
#else
    return true;
#endif
}

// Why nothing can run, or empty.
std::string reason_against(cudaError_t status, int devices) {
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    if (driver == 0) return "this machine has no NVIDIA driver";
    if (status == cudaErrorInsufficientDriver) {
        return "the NVIDIA driver knows CUDA up to " + version_text(driver) + " and this build needs " +
               version_text(runtime) + "; update the driver";
    }
    if (status == cudaErrorNoDevice || (status == cudaSuccess && devices == 0)) return "there is no NVIDIA GPU";
    if (status != cudaSuccess) return std::string("CUDA does not start: ") + cudaGetErrorString(status);
    return {};
}

thread_local bool recording = false;  // by this thread

// What a recording could not repeat. CUDA refuses most of it too, by an error that names nothing.
void refuse_in_recording(const char* what) {
    if (recording) throw Error(std::string("cannot ") + what + " while a stream is recorded");
}

struct GraphState {
    cudaGraphExec_t executable = nullptr;
    std::size_t size = 0;
};

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
void Stream::synchronize() {
    refuse_in_recording("wait for a stream");
    CUDA_CHECK(cudaStreamSynchronize(stream_of(handle_)));
}

Event::Event() {
    cudaEvent_t event;
    CUDA_CHECK(cudaEventCreate(&event));
    handle_ = event;
}
Event::~Event() {
    if (handle_ != nullptr) cudaEventDestroy(event_of(handle_));
}
void Event::record(Stream& stream) {
    refuse_in_recording("record an event");
    CUDA_CHECK(cudaEventRecord(event_of(handle_), stream_of(stream.handle())));
}
void Event::make_wait(Stream& stream) const {
    refuse_in_recording("wait for an event");
    CUDA_CHECK(cudaStreamWaitEvent(stream_of(stream.handle()), event_of(handle_), 0));
}
void Event::synchronize() const {
    refuse_in_recording("wait for an event");
    CUDA_CHECK(cudaEventSynchronize(event_of(handle_)));
}
double Event::milliseconds_since(const Event& start) const {
    float milliseconds = 0;
    CUDA_CHECK(cudaEventElapsedTime(&milliseconds, event_of(start.handle_), event_of(handle_)));
    return static_cast<double>(milliseconds);
}

Graph::Graph(Stream& stream, const std::function<void()>& enqueue) {
    refuse_in_recording("record a stream");
    const cudaStream_t recorded = stream_of(stream.handle());
    cudaGraph_t graph = nullptr;
    CUDA_CHECK(cudaStreamBeginCapture(recorded, cudaStreamCaptureModeThreadLocal));
    recording = true;
    try {
        enqueue();
    } catch (...) {
        recording = false;
        cudaStreamEndCapture(recorded, &graph);
        if (graph != nullptr) cudaGraphDestroy(graph);
        cudaGetLastError();  // what the end of a broken capture says would be found by the next call
        throw;
    }
    recording = false;
    CUDA_CHECK(cudaStreamEndCapture(recorded, &graph));
    auto state = std::make_unique<GraphState>();
    const cudaError_t counted = cudaGraphGetNodes(graph, nullptr, &state->size),
                      made = cudaGraphInstantiate(&state->executable, graph, 0);
    cudaGraphDestroy(graph);
    check(counted, "cudaGraphGetNodes");
    check(made, "cudaGraphInstantiate");
    handle_ = state.release();
}
Graph::~Graph() {
    auto* state = static_cast<GraphState*>(handle_);
    if (state == nullptr) return;
    cudaGraphExecDestroy(state->executable);
    delete state;
}
void Graph::replay(Stream& stream) const {
    refuse_in_recording("replay a recording");
    CUDA_CHECK(cudaGraphLaunch(static_cast<const GraphState*>(handle_)->executable, stream_of(stream.handle())));
}
std::size_t Graph::size() const { return static_cast<const GraphState*>(handle_)->size; }

HostBuffer::HostBuffer(std::size_t bytes) : bytes_(bytes) {
    refuse_in_recording("allocate");
    const cudaError_t status = cudaMallocHost(&data_, bytes == 0 ? 1 : bytes);
    if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        throw Error("the host has no room for " + megabytes(bytes) + " of page-locked memory");
    }
    CUDA_CHECK(status);
}
HostBuffer::~HostBuffer() {
    if (data_ != nullptr) cudaFreeHost(data_);
}

void* allocate(std::size_t bytes, std::string_view name, std::size_t) {
    refuse_in_recording("allocate");
    void* pointer = nullptr;
    const cudaError_t status = cudaMalloc(&pointer, bytes == 0 ? 1 : bytes);
    if (status == cudaErrorMemoryAllocation) {
        std::size_t free = 0, total = 0;
        cudaGetLastError();  // it would be found again by the next call
        cudaMemGetInfo(&free, &total);
        throw Error("the GPU has no room for " + megabytes(bytes) + " (" + std::string(name) + "): " + megabytes(free) +
                    " of its " + megabytes(total) + " are free; take a smaller batch, or end what else runs on it");
    }
    CUDA_CHECK(status);
    return pointer;
}
void release(void* pointer) noexcept { cudaFree(pointer); }

void copy_to_device(void* device, const void* host, std::size_t bytes, Stream& stream, Site) {
    refuse_in_recording("copy from the host");
    CUDA_CHECK(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_of(stream.handle())));
}
void copy_to_host(void* host, const void* device, std::size_t bytes, Stream& stream, Site) {
    refuse_in_recording("copy to the host");
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
DeviceInfo device_info() {
    DeviceInfo info;
    int devices = 0;
    const cudaError_t status = cudaGetDeviceCount(&devices);
    info.unavailable = reason_against(status, devices);
    if (!info.unavailable.empty()) return info;
    cudaDeviceProp properties{};
    CUDA_CHECK(cudaGetDeviceProperties(&properties, 0));
    info.name = properties.name;
    info.memory_bytes = properties.totalGlobalMem;
    info.major = properties.major;
    info.minor = properties.minor;
    info.multiprocessors = properties.multiProcessorCount;
    info.l2_bytes = static_cast<std::size_t>(properties.l2CacheSize);
    char pci[32] = "";
    CUDA_CHECK(cudaDeviceGetPCIBusId(pci, sizeof pci, 0));
    info.pci = pci;
    const std::string capability = std::to_string(info.major) + "." + std::to_string(info.minor);
    if (info.major < 8) {
        info.unavailable = "the " + info.name + " has compute capability " + capability + ", and the kernels need 8.0";
    } else if (!has_code_for(info.major, info.minor)) {
        info.unavailable = "this build has no code for compute capability " + capability + " (" + info.name +
                           "); build with the preset cuda-all";
    }
    return info;
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
