#include "engine/backends/gpu/vendor.h"

#include <map>

#include "engine/backends/gpu/epilogue.h"
#include "engine/backends/gpu/vendor_blas.h"
#include "engine/backends/gpu/vendor_dnn.h"
#include "engine/backends/gpu/vendor_step.h"
#include "engine/backends/rules.h"
#include "engine/base/fail.h"
#include "engine/ops/any.h"
#include "kernels/elementwise/elementwise.h"

namespace cambium::gpu {
namespace {

// Whether cuBLASLt's own epilogue is the node's: activation(product + residual + bias). Its GELU is an approximation.
bool is_of_cublaslt(const FusedEpilogue& e) {
    using gemm::Activation;
    const bool activates_last = e.residual < 0 || e.activation == Activation::none;
    return e.scale < 0 && activates_last && e.activation != Activation::gelu && e.last != Activation::gelu;
}

class Libraries final : public Vendor {
  public:
    explicit Libraries(const Context& context) : stream_(context.stream), options_(context.options) {}

    bool is_for(const Op& op) const override { return multiplies(op); }
    std::optional<std::string> missing(const NodeSpec& node) const override {
        if (is_attention(node.op)) return missing_attention(node);
        if (takes_moments(node.epilogue)) return "no moments of a convolution by cuDNN";
        for (const std::vector<OperandSpec>* operands : {&node.inputs, &node.outputs}) {
            for (const OperandSpec& operand : *operands) {
                if (operand.tensor.shape.count() == 0) return "no empty operands by the provider vendor";
            }
        }
        return std::nullopt;
    }
    Prepared prepare(const NodeSpec& node) override {
        if (const auto* product = std::get_if<ops::MatMul>(&node.op)) return prepare_product(*product, node);
        if (std::holds_alternative<ops::Attention>(node.op)) return prepare_attention(node);
        if (std::holds_alternative<ops::AttentionGradient>(node.op)) return prepare_attention_gradient(node);
        return prepare_convolution(node);
    }

  private:
    static bool is_attention(const Op& op) {
        return std::holds_alternative<ops::Attention>(op) || std::holds_alternative<ops::AttentionGradient>(op);
    }
    static std::optional<DnnConvolution::Direction> direction_of(const Op& op) {
        if (std::holds_alternative<ops::Conv2d>(op)) return DnnConvolution::Direction::fprop;
        if (std::holds_alternative<ops::Conv2dInputGradient>(op)) return DnnConvolution::Direction::dgrad;
        if (std::holds_alternative<ops::Conv2dFilterGradient>(op)) return DnnConvolution::Direction::wgrad;
        return std::nullopt;
    }

    static std::optional<std::string> missing_attention(const NodeSpec& node) {
        const auto* forward = std::get_if<ops::Attention>(&node.op);
        const auto* gradient = std::get_if<ops::AttentionGradient>(&node.op);
        const ops::AttentionMask mask = forward != nullptr ? forward->mask : gradient->mask;
        const std::size_t unmasked_inputs = forward != nullptr ? 1 : 4;
        const TensorSpec& qkv = node.inputs[forward != nullptr ? 0 : 1].tensor;
        if (qkv.dtype != DType::bf16) return fmt::format("no {} attention by the provider vendor", name_of(qkv.dtype));
        if (mask != ops::AttentionMask::none || node.inputs.size() > unmasked_inputs)
            return "no attention with a mask by the provider vendor";
        if (qkv.shape[4] % 8 != 0)
            return fmt::format("no attention by the provider vendor with heads of {} values, no multiple of 8",
                               qkv.shape[4]);
        if (qkv.shape.count() == 0) return "no empty operands by the provider vendor";
        return std::nullopt;
    }

    static DnnAttention attention_of(const Shape& qkv) {
        return {.batch = qkv[0], .tokens = qkv[1], .heads = qkv[3], .size = qkv[4]};
    }
    // From the place of q to that of k, and on to that of v.
    static std::size_t row_bytes(const DnnAttention& a) {
        return static_cast<std::size_t>(a.heads * a.size) * size_of(DType::bf16);
    }

    Prepared prepare_attention(const NodeSpec& node) {
        const DnnAttention attention = attention_of(node.inputs[0].tensor.shape);
        const SharedPlan plan = plan_for(node, "", [&](Trial& trial) {
            if (!dnn_) dnn_ = std::make_unique<Dnn>();
            return dnn_->fastest(attention, trial, stream_.handle());
        });
        if (plan == nullptr) fail_without("cuDNN", node);
        const std::size_t row = row_bytes(attention);
        auto step = std::make_unique<VendorStep>(plan, [row](const Operands& o) {
            auto* q = static_cast<std::byte*>(o.inputs[0]);
            void* lse = o.outputs[1] != nullptr ? o.outputs[1] : o.workspace.data();  // it is always written
            return std::vector<void*>{q, q + row, q + 2 * row, o.outputs[0], lse};
        });
        step->reserve(attention.rows() * sizeof(float));
        return step;
    }

    Prepared prepare_attention_gradient(const NodeSpec& node) {
        const DnnAttention attention = attention_of(node.inputs[1].tensor.shape);
        const SharedPlan plan = plan_for(node, "", [&](Trial& trial) {
            if (!dnn_) dnn_ = std::make_unique<Dnn>();
            return dnn_->fastest_gradient(attention, trial, stream_.handle());
        });
        if (plan == nullptr) fail_without("cuDNN", node);
        const std::size_t row = row_bytes(attention), delta = rounded_up(attention.rows() * sizeof(float)),
                          dq_sum = attention.values() * sizeof(float);
        auto step = std::make_unique<VendorStep>(plan, [=](const Operands& o) {
            auto *q = static_cast<std::byte*>(o.inputs[1]), *dq = static_cast<std::byte*>(o.outputs[0]);
            std::byte* space = o.workspace.data();
            return std::vector<void*>{q,     q + row,       q + 2 * row, o.inputs[2], o.inputs[3], o.inputs[0],
                                      space, space + delta, dq,          dq + row,    dq + 2 * row};
        });
        step->provider += ", not reproducible";  // parts of dq are added up by atomics
        step->reserve(delta);
        step->reserve(dq_sum);
        step->before([=, &stream = stream_](const Operands& o) {
            dev::fill_bytes(o.workspace.data() + delta, 0, dq_sum, stream);
        });
        return step;
    }

    // A problem's plan, tried when first met. Nodes of one description and of the same dtypes are one problem.
    template <class Find>
    SharedPlan plan_for(const NodeSpec& node, const std::string& what, Find&& find) {
        std::string key = describe(node) + " " + dtypes_of(node) + to_string(node.outputs[0].tensor.shape) + what;
        const auto [at, is_new] = plans_.try_emplace(std::move(key));
        if (is_new) {
            StreamTrial trial(stream_);
            at->second = find(trial);
        }
        return at->second;
    }
    [[noreturn]] static void fail_without(const char* library, const NodeSpec& node) {
        fail("{} has no algorithm for {} ({}); the provider own does it", library, describe(node), dtypes_of(node));
    }
    bool is_tf32(const NodeSpec& node) const {
        return options_.math == Math::tf32 && node.inputs[0].tensor.dtype == DType::f32;
    }

    Prepared prepare_product(const ops::MatMul& op, const NodeSpec& node) {
        const Shape &a = node.inputs[0].tensor.shape, &d = node.outputs[0].tensor.shape;
        const bool turned = op.transpose_a == ops::Transpose::yes;
        const FusedEpilogue epilogue = *fused_epilogue(node.epilogue);
        const bool fused = is_of_cublaslt(epilogue);
        const DType result = node.outputs[0].tensor.dtype;
        BlasProduct product{.m = d[0],
                            .n = d[1],
                            .k = a[turned ? 0 : 1],
                            .transpose_a = turned,
                            .transpose_b = op.transpose_b == ops::Transpose::yes,
                            .operands = node.inputs[0].tensor.dtype,
                            .result = result,
                            .tf32 = is_tf32(node)};
        if (fused) {
            product.bias = epilogue.bias >= 0;
            product.add = epilogue.residual >= 0;
            product.relu = epilogue.activation == gemm::Activation::relu || epilogue.last == gemm::Activation::relu;
        }
        const SharedPlan plan = plan_for(node, "", [&](Trial& trial) {
            if (!blas_) blas_ = std::make_unique<Blas>();
            return blas_->fastest(product, trial, stream_.handle());
        });
        if (plan == nullptr) fail_without("cuBLASLt", node);
        // Its bias is of the result's type.
        const bool rounds_bias = product.bias && result == DType::bf16;
        auto step = std::make_unique<VendorStep>(plan, [=](const Operands& o) {
            void* bias = !product.bias ? nullptr
                         : rounds_bias ? o.workspace.data()
                                       : o.inputs[static_cast<std::size_t>(epilogue.bias)];
            void* added = product.add ? o.inputs[static_cast<std::size_t>(epilogue.residual)] : nullptr;
            return std::vector<void*>{o.inputs[0], o.inputs[1], o.outputs[0], bias, added};
        });
        if (rounds_bias) {
            step->reserve(static_cast<std::size_t>(product.n) * size_of(DType::bf16));
            const elementwise::Conversion rounding{.count = product.n, .from = DType::f32, .to = DType::bf16};
            step->before([=, &stream = stream_](const Operands& o) {
                elementwise::convert(rounding, o.inputs[static_cast<std::size_t>(epilogue.bias)], o.workspace.data(),
                                     stream);
            });
        }
        if (!fused) append_epilogue(*step, epilogue, node.outputs[0].tensor, stream_);
        return step;
    }

    DnnConvolution convolution_of(const NodeSpec& node) const {
        const TensorSpec &first = node.inputs[0].tensor, &second = node.inputs[1].tensor,
                         &result = node.outputs[0].tensor;
        DnnConvolution c{.direction = *direction_of(node.op),
                         .conv = {},
                         .x = {},
                         .w = {},
                         .y = {},
                         .operands = first.dtype,
                         .result = result.dtype,
                         .tf32 = is_tf32(node)};
        if (const auto* forward = std::get_if<ops::Conv2d>(&node.op)) {
            c.conv = *forward, c.x = first.shape, c.w = second.shape, c.y = result.shape;
        } else if (const auto* dgrad = std::get_if<ops::Conv2dInputGradient>(&node.op)) {
            c.conv = dgrad->conv, c.y = first.shape, c.w = second.shape, c.x = result.shape;
        } else {
            c.conv = std::get<ops::Conv2dFilterGradient>(node.op).conv;
            c.x = first.shape, c.y = second.shape, c.w = result.shape;
        }
        return c;
    }

    Prepared prepare_convolution(const NodeSpec& node) {
        const DnnConvolution wanted = convolution_of(node);
        const auto tried = [&](const DnnConvolution& c) {
            return plan_for(node, std::string(name_of(c.result)), [&](Trial& trial) {
                if (!dnn_) dnn_ = std::make_unique<Dnn>();
                return dnn_->fastest(c, trial, stream_.handle());
            });
        };
        SharedPlan plan = tried(wanted);
        // cuDNN 9 has no engine from bf16 to f32: the result is rounded to bf16 and widened, as frameworks do.
        const bool widens = plan == nullptr && wanted.operands == DType::bf16 && wanted.result == DType::f32;
        if (widens) {
            DnnConvolution rounded = wanted;
            rounded.result = DType::bf16;
            plan = tried(rounded);
        }
        if (plan == nullptr) fail_without("cuDNN", node);
        auto step = std::make_unique<VendorStep>(plan, [=](const Operands& o) {
            void* result = widens ? static_cast<void*>(o.workspace.data()) : o.outputs[0];
            return std::vector<void*>{o.inputs[0], o.inputs[1], result};
        });
        const TensorSpec& output = node.outputs[0].tensor;
        if (widens) {
            step->provider += ", result rounded to bf16";
            const std::int64_t count = output.shape.count();
            step->reserve(static_cast<std::size_t>(count) * size_of(DType::bf16));
            const elementwise::Conversion widening{.count = count, .from = DType::bf16, .to = DType::f32};
            step->after([=, &stream = stream_](const Operands& o) {
                elementwise::convert(widening, o.workspace.data(), o.outputs[0], stream);
            });
        }
        append_epilogue(*step, *fused_epilogue(node.epilogue), output, stream_);
        return step;
    }

    dev::Stream& stream_;
    Options options_;
    std::unique_ptr<Blas> blas_;
    std::unique_ptr<Dnn> dnn_;
    std::map<std::string, SharedPlan> plans_;
};

template <class Opened>
std::string version_of(const char* name) {
    try {
        return std::string(name) + " " + Opened().version();
    } catch (const Error& error) {
        return error.what();
    }
}

}  // namespace

std::unique_ptr<Vendor> make_vendor(const Context& context) { return std::make_unique<Libraries>(context); }

std::string vendor_versions() { return version_of<Dnn>("cuDNN") + "; " + version_of<Blas>("cuBLASLt"); }

}  // namespace cambium::gpu
