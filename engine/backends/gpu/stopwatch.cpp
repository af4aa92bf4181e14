#include "engine/backends/gpu/stopwatch.h"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "engine/base/philox.h"
#include "kernels/ceiling/ceiling.h"
#if defined(CAMBIUM_CUDA)
#include <dlfcn.h>
#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define CAMBIUM_NVTX
#endif
#endif

namespace cambium::gpu {
namespace {

#if defined(CAMBIUM_CUDA)

// NVML's bits (nvml.h, nvmlClocksEventReason...) in words; those of an idle GPU, of clocks that somebody has set and of
// a display are none.
std::string throttle_reasons(std::uint64_t bits) {
    constexpr std::array<std::pair<std::uint64_t, const char*>, 6> names{{{0x04, "power cap"},
                                                                          {0x08, "hardware slowdown"},
                                                                          {0x10, "sync boost"},
                                                                          {0x20, "thermal slowdown"},
                                                                          {0x40, "hardware thermal slowdown"},
                                                                          {0x80, "power brake"}}};
    std::string text;
    for (const auto& [bit, name] : names) {
        if ((bits & bit) != 0) text += (text.empty() ? "" : ", ") + std::string(name);
    }
    return text;
}

// The SM clock and why it is low, from NVML, which comes with the driver and is opened when first asked.
class Clocks {
  public:
    explicit Clocks(const std::string& pci) {
        library_ = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
        if (library_ == nullptr) return;
        const auto init = find<int (*)()>("nvmlInit_v2");
        const auto by_address = find<int (*)(const char*, Handle*)>("nvmlDeviceGetHandleByPciBusId_v2");
        clock_ = find<int (*)(Handle, int, unsigned*)>("nvmlDeviceGetClockInfo");
        reasons_ = find<int (*)(Handle, unsigned long long*)>("nvmlDeviceGetCurrentClocksThrottleReasons");
        const bool complete = init != nullptr && by_address != nullptr && clock_ != nullptr && reasons_ != nullptr;
        if (!complete || init() != 0 || by_address(pci.c_str(), &device_) != 0) device_ = nullptr;
    }
    Stopwatch::Clock now() const {
        Stopwatch::Clock result;
        if (device_ == nullptr) return result;
        constexpr int kSm = 1;  // NVML_CLOCK_SM
        unsigned mhz = 0;
        unsigned long long bits = 0;
        if (clock_(device_, kSm, &mhz) == 0) result.sm_mhz = static_cast<int>(mhz);
        if (reasons_(device_, &bits) == 0) result.throttled = throttle_reasons(bits);
        return result;
    }

  private:
    using Handle = void*;
    template <class Function>
    Function find(const char* name) const {
        return reinterpret_cast<Function>(dlsym(library_, name));
    }
    void* library_ = nullptr;
    Handle device_ = nullptr;
    int (*clock_)(Handle, int, unsigned*) = nullptr;
    int (*reasons_)(Handle, unsigned long long*) = nullptr;
};

#else

class Clocks {
  public:
    explicit Clocks(const std::string&) {}
    Stopwatch::Clock now() const { return {}; }
};

#endif

class StreamStopwatch final : public Stopwatch {
  public:
    explicit StreamStopwatch(dev::Stream& stream)
        : stream_(stream), info_(dev::device_info()), clocks_(info_.pci), differing_(1, "differing words") {}

    void start() override { begin_.record(stream_); }
    double stop() override {
        end_.record(stream_);
        end_.synchronize();
        return 1000 * end_.milliseconds_since(begin_);
    }
    void flush_l2() override {
        const std::size_t bytes = 2 * info_.l2_bytes;
        if (bytes == 0) return;
        if (other_.empty()) other_.emplace_back(bytes, "what L2 holds instead");
        other_.front().fill(static_cast<unsigned char>(++fills_), stream_);
    }
    std::uint64_t differences(const void* a, const void* b, std::size_t bytes) override {
        differing_.fill(0, stream_);
        ceiling::count_differences(a, b, bytes, differing_.data(), stream_);
        unsigned found = 0;
        differing_.download({&found, 1}, stream_);
        return found;
    }

    double copy_rate() override {
        // Far beyond L2; simt has neither, and is here for its tests.
        const std::size_t bytes = info_.l2_bytes > 0 ? std::size_t{1} << 30 : std::size_t{1} << 20;
        dev::Buffer<std::byte> from(bytes), to(bytes);
        from.fill(0x5a, stream_);
        const double best = best_microseconds([&] { dev::copy_on_device(to.data(), from.data(), bytes, stream_); });
        return 2e6 * static_cast<double>(bytes) / best;
    }
    double tensor_core_rate(bool low_precision) override {
        const bool is_gpu = info_.major > 0;
        const ceiling::MmaLoop loop{.operand = low_precision ? ceiling::Operand::bf16 : ceiling::Operand::tf32,
                                    .blocks = is_gpu ? 4 * info_.multiprocessors : 1,
                                    .steps = is_gpu ? 20000 : 10};
        // Random numbers: zeros take less power, hence run at higher clocks.
        RandomStream random(0, 0);
        std::vector<std::uint32_t> words(ceiling::kOperandWords);
        const auto bits = [&] { return std::bit_cast<std::uint32_t>(2 * uniform01(random.bits()) - 1); };
        for (std::uint32_t& word : words) word = low_precision ? bits() >> 16 | (bits() & 0xffff0000u) : bits();
        const dev::Buffer<std::uint32_t> operands(words, stream_);
        dev::Buffer<float> sums(static_cast<std::size_t>(loop.blocks) * ceiling::kMmaThreads);
        const double best = best_microseconds([&] { ceiling::run(loop, operands.data(), sums.data(), stream_); });
        return 1e6 * loop.flops() / best;
    }

    Clock clock() override { return clocks_.now(); }

#if defined(CAMBIUM_NVTX)
    void begin_range(const std::string& name) override { nvtxRangePushA(name.c_str()); }
    void end_range() override { nvtxRangePop(); }
#else
    void begin_range(const std::string&) override {}
    void end_range() override {}
#endif

  private:
    template <class Enqueue>
    double best_microseconds(Enqueue&& enqueue) {
        enqueue();
        double best = 0;
        for (int run = 0; run < 5; ++run) {
            start();
            enqueue();
            const double microseconds = stop();
            best = run == 0 ? microseconds : std::min(best, microseconds);
        }
        return std::max(best, 1e-3);
    }

    dev::Stream& stream_;
    const dev::DeviceInfo info_;
    Clocks clocks_;
    dev::Event begin_, end_;
    dev::Buffer<unsigned> differing_;
    std::vector<dev::Buffer<unsigned char>> other_;
    unsigned fills_ = 0;
};

}  // namespace

std::unique_ptr<Stopwatch> stopwatch_on(dev::Stream& stream) { return std::make_unique<StreamStopwatch>(stream); }

}  // namespace cambium::gpu
