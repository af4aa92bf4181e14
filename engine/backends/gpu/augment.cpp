#include "kernels/augment/augment.h"

#include "engine/backends/gpu/prepare.h"

namespace cambium::gpu {

Prepared prepare(const ops::Augment& op, const NodeSpec& node, const Context& context) {
    const Shape& shape = node.inputs[0].tensor.shape;
    const ops::Normalize& to = op.normalization;
    const augment::Batch batch{
        .images = shape[0],
        .height = shape[1],
        .width = shape[2],
        .dtype = node.outputs[0].tensor.dtype,
        .scale = to.scale,
        .shift = to.shift,
        .order = to.order == ops::ChannelOrder::rgb ? augment::ChannelOrder::rgb : augment::ChannelOrder::bgr,
        .fill = op.fill,
        .contrast =
            op.contrast == ops::Augment::Contrast::possible ? augment::Contrast::possible : augment::Contrast::none,
        .variant = variant_of<augment::Variant>(context)};
    dev::Stream& stream = context.stream;
    return make_step(
        [=, &stream](const Operands& o) {
            augment::run(batch, o.in<std::uint8_t>(0), o.in<AugmentParameters>(1), o.outputs[0], o.workspace, stream);
        },
        augment::workspace_bytes(batch));
}

}  // namespace cambium::gpu
