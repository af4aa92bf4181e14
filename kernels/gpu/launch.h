// The host's side: device memory, streams, events, launches and their recording. The same calls for CUDA and for simt,
// where a launch runs at once; what may overlap on a GPU is told apart there by clocks, so that a missing event shows
// although nothing overlapped.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "kernels/gpu/language.h"

namespace cambium::dev {

// A queue of launches and copies, which run in order; different streams are not ordered. Errors: cambium::Error.
class Stream {
  public:
    Stream();
    ~Stream();
    Stream(Stream&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Stream& operator=(Stream&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    void synchronize();  // the host waits for all that was enqueued
    void* handle() const { return handle_; }

  private:
    void* handle_ = nullptr;
};

// A point in a stream that other streams and the host can wait for.
class Event {
  public:
    Event();
    ~Event();
    Event(Event&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Event& operator=(Event&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    void record(Stream& stream);
    void make_wait(Stream& stream) const;  // what `stream` runs from here on comes after the recorded point
    void synchronize() const;
    double milliseconds_since(const Event& start) const;

  private:
    void* handle_ = nullptr;
};

// What was enqueued on a stream while it was recorded, to be enqueued again with one call: launches with the arguments
// they had, copies within the device and fills. On a GPU a CUDA graph, which costs the host one call for a whole step.
class Graph {
  public:
    // Calls `enqueue`, whose work on `stream` is recorded and does not run. Throws what it throws, and Error where it
    // allocates, waits, uses an event, or copies from or to the host: a replay could not do that again.
    Graph(Stream& stream, const std::function<void()>& enqueue);
    ~Graph();
    Graph(Graph&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Graph& operator=(Graph&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    void replay(Stream& stream) const;
    std::size_t size() const;  // operations recorded

  private:
    void* handle_ = nullptr;
};

// Host memory which the device copies from and to by itself, while the host does something else (page-locked).
class HostBuffer {
  public:
    HostBuffer() = default;
    explicit HostBuffer(std::size_t bytes);
    ~HostBuffer();
    HostBuffer(HostBuffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    HostBuffer& operator=(HostBuffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    void* data() { return data_; }
    std::size_t bytes() const { return bytes_; }

  private:
    void* data_ = nullptr;
    std::size_t bytes_ = 0;
};

// Device memory, 256-byte aligned, its content undefined. `name` appears in reports, with an index where the size of an
// element is given; it is copied.
void* allocate(std::size_t bytes, std::string_view name = "buffer", std::size_t element_bytes = 0);
void release(void* pointer) noexcept;
void copy_to_device(void* device, const void* host, std::size_t bytes, Stream& stream, Site site = Site::here());
void copy_to_host(void* host, const void* device, std::size_t bytes, Stream& stream,  // waits for the stream
                  Site site = Site::here());
void copy_on_device(void* target, const void* source, std::size_t bytes, Stream& stream, Site site = Site::here());
void fill_bytes(void* device, unsigned char value, std::size_t bytes, Stream& stream, Site site = Site::here());
int device_count();

// The device that everything goes to.
struct DeviceInfo {
    std::string unavailable{};  // why nothing can run here, in words; empty where it can
    std::string name{};
    std::size_t memory_bytes = 0;
    int major = 0, minor = 0;  // compute capability; 0 for simt
    int multiprocessors = 1;
    std::size_t l2_bytes = 0;
    std::string pci{};  // its address on the bus, "0000:65:00.0"
};
DeviceInfo device_info();

// Shared memory that one block may have, in bytes (227 KB on sm_90; 163 KB on sm_80).
std::size_t shared_memory_limit();

inline constexpr int kMaxRank = 5;

// What a launch does with a buffer, for the checked run: its name and shape make addresses readable
// (`activations[3,17,5]`), and a store to what is only read is reported. Converts to the pointer that the kernel takes.
template <class T>
struct Declared {
    T* pointer;
    std::string_view name;
    std::array<std::int64_t, kMaxRank> shape;
    int rank;
    bool written;
    operator T*() const { return pointer; }
};
template <class T>
Declared<T> declare(T* pointer, std::string_view name, std::initializer_list<std::int64_t> shape, bool written) {
    Declared<T> result{pointer, name, {}, 0, written};
    for (const std::int64_t extent : shape) {
        if (result.rank < kMaxRank) result.shape[static_cast<std::size_t>(result.rank++)] = extent;
    }
    return result;
}
template <class T>
Declared<const T> reads(const T* pointer, std::string_view name, std::initializer_list<std::int64_t> shape) {
    return declare(pointer, name, shape, false);
}
template <class T>
Declared<T> writes(T* pointer, std::string_view name, std::initializer_list<std::int64_t> shape) {
    return declare(pointer, name, shape, true);
}

// An owned device array of `size` elements.
template <class T>
class Buffer {
  public:
    static_assert(std::is_trivially_copyable_v<T>);
    explicit Buffer(std::size_t size, std::string_view name = "buffer")
        : data_(static_cast<T*>(allocate(size * sizeof(T), name, sizeof(T)))), size_(size) {}
    Buffer(std::span<const T> values, Stream& stream, std::string_view name = "buffer", Site site = Site::here())
        : Buffer(values.size(), name) {
        upload(values, stream, site);
    }
    ~Buffer() { release(data_); }
    Buffer(Buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    T* data() { return data_; }
    const T* data() const { return data_; }
    std::size_t size() const { return size_; }
    void upload(std::span<const T> values, Stream& stream, Site site = Site::here()) {
        copy_to_device(data_, values.data(), values.size() * sizeof(T), stream, site);
    }
    void download(std::span<T> values, Stream& stream, Site site = Site::here()) const {  // waits for the stream
        copy_to_host(values.data(), data_, values.size() * sizeof(T), stream, site);
    }
    void fill(unsigned char byte, Stream& stream, Site site = Site::here()) {
        fill_bytes(data_, byte, size_ * sizeof(T), stream, site);
    }

  private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace cambium::dev

#if defined(CAMBIUM_CUDA) || defined(__CUDACC__)

namespace cambium::dev {

void launch_kernel(const void* kernel, dim3 grid, dim3 block, void** arguments, std::size_t shared_bytes, void* stream);

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes, Stream& stream,
            const Arguments&... arguments) {
    static_assert(sizeof...(Parameters) == sizeof...(Arguments), "as many arguments as the kernel has parameters");
    std::tuple<std::remove_cv_t<Parameters>...> values(static_cast<Parameters>(arguments)...);
    std::apply(
        [&](auto&... value) {
            void* pointers[] = {static_cast<void*>(&value)..., nullptr};
            launch_kernel(reinterpret_cast<const void*>(kernel), grid, block, pointers, shared_bytes, stream.handle());
        },
        values);
}

}  // namespace cambium::dev

#else

namespace cambium::simt {

struct Launch {
    const void* kernel;
    dim3 grid, block;
    std::size_t shared_bytes;
    dev::Stream& stream;
    void (*call)(const void* arguments);
    const void* arguments;
    std::size_t argument_bytes;
    std::shared_ptr<const void> (*keep)(const void* arguments);  // a copy, for a recording
};
void launch(const Launch& launch);
void declare(const void* pointer, std::string_view name, std::span<const std::int64_t> shape, std::size_t element_bytes,
             bool written);

template <class T>
void declare_argument(const T&) {}
template <class T>
void declare_argument(const dev::Declared<T>& buffer) {
    declare(buffer.pointer, buffer.name, std::span(buffer.shape).first(static_cast<std::size_t>(buffer.rank)),
            sizeof(T), buffer.written);
}

}  // namespace cambium::simt

namespace cambium::dev {

// Runs `kernel` on grid x block threads with `shared_bytes` of dynamic shared memory. Arguments are copied, as a GPU
// does; pointers may be wrapped in reads(...) and writes(...). Throws cambium::Error when the launch is impossible and,
// in the checked run, when the checker has found something and nobody collects its reports (simt.h).
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes, Stream& stream,
            const Arguments&... arguments) {
    static_assert(sizeof...(Parameters) == sizeof...(Arguments), "as many arguments as the kernel has parameters");
    struct Call {
        void (*kernel)(Parameters...);
        std::tuple<std::remove_cv_t<Parameters>...> arguments;
    };
    const Call call{kernel, {static_cast<Parameters>(arguments)...}};
    (simt::declare_argument(arguments), ...);
    simt::launch({reinterpret_cast<const void*>(kernel), grid, block, shared_bytes, stream,
                  [](const void* pointer) {
                      const Call& c = *static_cast<const Call*>(pointer);
                      std::apply(c.kernel, c.arguments);
                  },
                  &call, sizeof call,
                  [](const void* pointer) -> std::shared_ptr<const void> {
                      return std::make_shared<Call>(*static_cast<const Call*>(pointer));
                  }});
}

}  // namespace cambium::dev

#endif
