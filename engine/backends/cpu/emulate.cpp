#include "engine/backends/cpu/emulate.h"

#include "engine/backends/cpu/executable.h"
#include "engine/backends/cpu/kernels.h"
#include "engine/base/parallel.h"

namespace cambium::cpu {
namespace {

void widen_all(const bf16* x, float* y, std::int64_t count) {
    parallel_for(count, 16384, [&](std::int64_t begin, std::int64_t end) {
        kernels().elementwise.widen(x + begin, y + begin, end - begin);
    });
}

void narrow_all(const float* x, bf16* y, std::int64_t count) {
    parallel_for(count, 16384, [&](std::int64_t begin, std::int64_t end) {
        kernels().elementwise.narrow(x + begin, y + begin, end - begin);
    });
}

class Emulated final : public Executable {
  public:
    Emulated(const NodeSpec& node, std::unique_ptr<Executable> inner, const Reorder& reorder)
        : inner_(std::move(inner)) {
        const NodeSpec wide = in_f32(node);
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
            Operand operand = make(node.inputs[i]);
            const Layout& wanted = inner_->input_layouts[i];
            if (!wanted.plain()) operand.reorder = reorder(wide.inputs[i], wanted);
            place(operand, wanted);
            inputs_.push_back(std::move(operand));
        }
        for (std::size_t i = 0; i < node.outputs.size(); ++i) {
            Operand operand = make(node.outputs[i]);
            const Layout& left = inner_->output_layouts[i];
            if (!left.plain()) operand.reorder = reorder({wide.outputs[i].tensor, left}, {});
            place(operand, left);
            outputs_.push_back(std::move(operand));
        }
        inner_at_ = reserve(inner_->workspace_bytes);
        input_layouts.resize(inputs_.size());
        output_layouts.resize(outputs_.size());
        provider = inner_->provider + ", bf16 emulated";
    }

    void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override {
        base_ = static_cast<char*>(workspace);
        std::vector<void*> in, out;
        for (std::size_t i = 0; i < inputs_.size(); ++i) in.push_back(bind(inputs_[i], inputs[i], true));
        for (std::size_t i = 0; i < outputs_.size(); ++i) out.push_back(bind(outputs_[i], outputs[i], false));
        inner_->bind(in, out, base_ + inner_at_);
    }

    void enqueue() override {
        for (const Operand& x : inputs_) {
            if (x.low) widen_all(static_cast<const bf16*>(x.address), at<float>(x.wide_at), x.count);
            if (x.reorder) x.reorder->enqueue();
        }
        inner_->enqueue();
        for (const Operand& y : outputs_) {
            if (y.address == nullptr) continue;
            if (y.reorder) y.reorder->enqueue();
            if (y.low) narrow_all(at<const float>(y.wide_at), static_cast<bf16*>(y.address), y.count);
        }
    }

  private:
    // The caller's plain tensor <-> plain f32 (where it is bf16) <-> the layout of inner (where that is another).
    struct Operand {
        bool low = false;
        std::int64_t count = 0;
        std::size_t wide_at = 0, packed_at = 0, reorder_at = 0;
        std::unique_ptr<Executable> reorder;
        void* address = nullptr;
    };

    template <class T>
    T* at(std::size_t offset) const {
        return reinterpret_cast<T*>(base_ + offset);
    }
    std::size_t reserve(std::size_t bytes) {
        const std::size_t offset = workspace_bytes;
        workspace_bytes += aligned(bytes);
        return offset;
    }
    static Operand make(const OperandSpec& spec) {
        Operand operand;
        operand.low = spec.tensor.dtype == DType::bf16;
        operand.count = spec.tensor.shape.count();
        return operand;
    }
    void place(Operand& operand, const Layout& layout) {
        if (operand.low) operand.wide_at = reserve(static_cast<std::size_t>(operand.count) * sizeof(float));
        if (!operand.reorder) return;
        operand.packed_at = reserve(layout.bytes);
        operand.reorder_at = reserve(operand.reorder->workspace_bytes);
    }
    // The address that inner sees.
    void* bind(Operand& operand, void* address, bool input) const {
        operand.address = address;
        if (address == nullptr) return nullptr;
        void* plain = operand.low ? at<void>(operand.wide_at) : address;
        if (!operand.reorder) return plain;
        void* packed = at<void>(operand.packed_at);
        void* const from[] = {input ? plain : packed};
        void* const to[] = {input ? packed : plain};
        operand.reorder->bind(from, to, at<void>(operand.reorder_at));
        return packed;
    }

    std::unique_ptr<Executable> inner_;
    std::vector<Operand> inputs_, outputs_;
    std::size_t inner_at_ = 0;
    char* base_ = nullptr;
};

}  // namespace

NodeSpec in_f32(const NodeSpec& node) {
    NodeSpec wide = node;
    for (std::vector<OperandSpec>* operands : {&wide.inputs, &wide.outputs}) {
        for (OperandSpec& operand : *operands) {
            operand.layout = {};
            if (operand.tensor.dtype == DType::bf16) operand.tensor.dtype = DType::f32;
        }
    }
    return wide;
}

std::unique_ptr<Executable> emulate(const NodeSpec& node, std::unique_ptr<Executable> inner, const Reorder& reorder) {
    return std::make_unique<Emulated>(node, std::move(inner), reorder);
}

}  // namespace cambium::cpu
