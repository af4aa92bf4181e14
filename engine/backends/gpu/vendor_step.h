// What makes an Executable of a library's plan: a place to try plans, the step around one, and our kernels behind it.
#pragma once

#include <span>
#include <vector>

#include "engine/backends/gpu/epilogue.h"
#include "engine/backends/gpu/executable.h"
#include "engine/backends/gpu/vendor_plan.h"

namespace cambium::gpu {

using SharedPlan = std::shared_ptr<const VendorPlan>;

// Workspaces hold several things behind one another.
inline std::size_t rounded_up(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

class StreamTrial final : public Trial {
  public:
    explicit StreamTrial(dev::Stream& stream) : stream_(stream) {}
    void* buffer(std::size_t bytes) override {
        constexpr unsigned char small = 0x3c;  // 0.0115 as bf16 and as f32
        dev::Buffer<std::byte>& made = buffers_.emplace_back(bytes, "trial");
        made.fill(small, stream_);
        return made.data();
    }
    double microseconds(const std::function<void()>& enqueue) override {
        begin_.record(stream_);
        enqueue();
        end_.record(stream_);
        end_.synchronize();
        return 1000 * end_.milliseconds_since(begin_);
    }

  private:
    dev::Stream& stream_;
    dev::Event begin_, end_;
    std::vector<dev::Buffer<std::byte>> buffers_;
};

// The plan between what comes before it and behind it, bound to addresses once.
class VendorStep final : public Executable {
  public:
    // The operands of the plan, of these of the node.
    using Choose = std::function<std::vector<void*>(const Operands&)>;

    VendorStep(SharedPlan plan, Choose choose) : plan_(std::move(plan)), choose_(std::move(choose)) {
        provider = plan_->name;
        own_ = rounded_up(plan_->workspace_bytes);
        workspace_bytes = own_;
    }
    // Bytes behind the plan's own workspace; Operands::workspace is these alone.
    void reserve(std::size_t bytes) { workspace_bytes += rounded_up(bytes); }
    void before(Run run) { before_.push_back(std::move(run)); }
    void after(Run run) { after_.push_back(std::move(run)); }

    void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override {
        const std::span<std::byte> all(static_cast<std::byte*>(workspace), workspace_bytes);
        operands_ = {{inputs.begin(), inputs.end()}, {outputs.begin(), outputs.end()}, all.subspan(own_)};
        call_ = plan_->bind(choose_(operands_), plan_->workspace_bytes == 0 ? nullptr : workspace);
    }
    void enqueue() override {
        for (const Run& run : before_) run(operands_);
        call_();
        for (const Run& run : after_) run(operands_);
    }

  private:
    SharedPlan plan_;
    Choose choose_;
    std::size_t own_ = 0;
    std::vector<Run> before_, after_;
    Operands operands_;
    std::function<void()> call_;
};

// The node's epilogue by our kernels, in place on its output, each step rounded to the output's type.
void append_epilogue(VendorStep& step, const FusedEpilogue& epilogue, const TensorSpec& output, dev::Stream& stream);

}  // namespace cambium::gpu
