// What a benchmark needs to know of a device beside results: how long enqueued work took, what the device can do at
// best, and in which state its clocks were.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace cambium::dev {
class Stream;
}

namespace cambium::gpu {

class Stopwatch {
  public:
    virtual ~Stopwatch() = default;

    // Microseconds from start() to stop() on the device; stop() waits.
    virtual void start() = 0;
    virtual double stop() = 0;
    // Enqueues writing a buffer of twice the size of L2, so that what follows reads from memory.
    virtual void flush_l2() = 0;

    // The number of 4-byte words in which two pieces of device memory differ; waits.
    virtual std::uint64_t differences(const void* a, const void* b, std::size_t bytes) = 0;

    // Measured now, best of a few: bytes per second of a copy within device memory, reads and writes counted; FLOP/s of
    // mma.sync alone (kernels/ceiling) on bf16 or on tf32.
    virtual double copy_rate() = 0;
    virtual double tensor_core_rate(bool low_precision) = 0;

    struct Clock {
        int sm_mhz = 0;           // 0: not known
        std::string throttled{};  // why clocks are lower than they could be; empty: they are not, or it is not known
    };
    virtual Clock clock() = 0;

    // A named range of the time line, for a profiler (NVTX).
    virtual void begin_range(const std::string& name) = 0;
    virtual void end_range() = 0;
};

std::unique_ptr<Stopwatch> stopwatch_on(dev::Stream& stream);

}  // namespace cambium::gpu
