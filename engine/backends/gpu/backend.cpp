// The backend itself, inside a module: one stream, the device's memory, and a table of operators. Layouts are plain:
// NHWC and KRSC are what the kernels read.
#include <type_traits>

#include "engine/backends/gpu/memory.h"
#include "engine/backends/gpu/module.h"
#include "engine/backends/gpu/prepare.h"
#include "engine/backends/gpu/support.h"
#include "engine/backends/gpu/vendor.h"
#include "engine/backends/rules.h"
#include "engine/base/fail.h"
#if !defined(CAMBIUM_CUDA)
#include "kernels/simt/simt.h"
#endif

namespace cambium::gpu {
namespace {

class Recorded final : public Recording {
  public:
    Recorded(dev::Stream& stream, const std::function<void()>& enqueue) : stream_(stream), graph_(stream, enqueue) {}
    void replay() override { graph_.replay(stream_); }

  private:
    dev::Stream& stream_;
    dev::Graph graph_;
};

class GpuBackend final : public Backend {
  public:
    explicit GpuBackend(const Options& options) : memory_(stream_), context_{stream_, options} {
        if (options.provider == Provider::vendor) vendor_ = make_vendor(context_);
    }

#if defined(CAMBIUM_CUDA)
    std::string_view name() const override { return "cuda"; }
#else
    std::string_view name() const override { return "simt"; }
    bool keeps_values_apart() const override { return simt::is_checked(); }
#endif
    Memory& memory() override { return memory_; }
    void synchronize() override { stream_.synchronize(); }
    std::unique_ptr<Executable> join(std::span<Executable* const> parts) override {
        return join_updates(parts, context_);
    }
    std::unique_ptr<Recording> record(const std::function<void()>& enqueue) override {
        return std::make_unique<Recorded>(stream_, enqueue);
    }

    std::optional<std::string> unsupported(const NodeSpec& node) const override {
        if (auto missing = missing_from_table(node, context_.options)) return missing;
        return is_vendors(node) ? vendor_->missing(node) : std::nullopt;
    }

    std::unique_ptr<Executable> prepare(const NodeSpec& node) override {
        if (const auto missing = unsupported(node)) {
            fail("the {} backend cannot run {} ({}): it has {}", name(), operator_name(node), dtypes_of(node),
                 *missing);
        }
        if (is_vendors(node)) return vendor_->prepare(node);
        return std::visit([&](const auto& op) { return prepare_op(op, node); }, node.op);
    }

    std::unique_ptr<Executable> reorder(const OperandSpec& from, const Layout& to) override {
        fail("the {} backend cannot reorder {} from layout '{}' to '{}': it knows only the plain layout", name(),
             to_string(from.tensor), from.layout.key, to.key);
    }

    dev::Stream& stream() { return stream_; }

  private:
    bool is_vendors(const NodeSpec& node) const { return vendor_ != nullptr && vendor_->is_for(node.op); }

    template <class T>
    std::unique_ptr<Executable> prepare_op(const T& op, const NodeSpec& node) {
        if constexpr (requires { gpu::prepare(op, node, context_); }) {
            return gpu::prepare(op, node, context_);
        } else {
            fail("the {} backend has {} in its table but no kernel for it", name(), T::name);
        }
    }

    dev::Stream stream_;
    DeviceMemory memory_;
    Context context_;
    std::unique_ptr<Vendor> vendor_;
};

}  // namespace
}  // namespace cambium::gpu

extern "C" __attribute__((visibility("default"))) void cambium_gpu_describe(cambium::dev::DeviceInfo& info) {
    info = cambium::dev::device_info();
}

extern "C" __attribute__((visibility("default"))) void cambium_gpu_describe_vendor(std::string& text) {
    text = cambium::gpu::vendor_versions();
}

extern "C" __attribute__((visibility("default"))) cambium::gpu::Stopwatch* cambium_gpu_make_stopwatch(
    cambium::Backend& backend) {
    return cambium::gpu::stopwatch_on(static_cast<cambium::gpu::GpuBackend&>(backend).stream()).release();
}

extern "C" __attribute__((visibility("default"))) cambium::Backend* cambium_gpu_make_backend(
    const cambium::gpu::Options& options) {
    return std::make_unique<cambium::gpu::GpuBackend>(options).release();
}
