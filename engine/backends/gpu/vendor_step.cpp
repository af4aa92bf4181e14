#include "engine/backends/gpu/vendor_step.h"

#include "kernels/elementwise/elementwise.h"

namespace cambium::gpu {

void append_epilogue(VendorStep& step, const FusedEpilogue& epilogue, const TensorSpec& output, dev::Stream& stream) {
    using namespace elementwise;
    const Elements e{.count = output.shape.count(), .dtype = output.dtype};
    const std::int64_t channels = output.shape[-1];
    const auto vector = [](const Operands& o, int input) {
        return input < 0 ? nullptr : o.in<float>(static_cast<std::size_t>(input));
    };
    const auto activate = [&](gemm::Activation activation) {
        if (activation == gemm::Activation::none) return;
        const Unary function = activation == gemm::Activation::relu ? Unary::relu : Unary::gelu;
        step.after([=, &stream](const Operands& o) { unary(function, e, o.outputs[0], o.outputs[0], stream); });
    };
    if (epilogue.scale >= 0) {
        step.after([=, &stream](const Operands& o) {
            scale_shift(e, channels, o.outputs[0], vector(o, epilogue.scale), vector(o, epilogue.bias), o.outputs[0],
                        stream);
        });
    } else if (epilogue.bias >= 0) {
        step.after([=, &stream](const Operands& o) {
            add_bias(e, channels, o.outputs[0], vector(o, epilogue.bias), o.outputs[0], stream);
        });
    }
    activate(epilogue.activation);
    if (epilogue.residual >= 0) {
        step.after([=, &stream](const Operands& o) {
            binary(Binary::add, e, o.outputs[0], o.inputs[static_cast<std::size_t>(epilogue.residual)], o.outputs[0],
                   stream);
        });
    }
    activate(epilogue.last);
}

}  // namespace cambium::gpu
