// Which implementation runs each convolution of the models people use: never oneDNN's reference code, and in f32 never
// our own fallback where oneDNN is present.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/onednn.h"
#include "engine/base/isa.h"
#include "engine/ops/op.h"

using namespace cambium;
using cambium::cpu::Options;

namespace {

struct Layer {
    std::int64_t size, c, k, r, stride, padding;
};

// AlexNet (torchvision's, one tower), ResNet-18/34's basic blocks, ResNet-50's bottlenecks, SqueezeNet's fires, ViT's
// patches; 224 px.
constexpr Layer layers[] = {
    {224, 3, 64, 11, 4, 2},    {27, 64, 192, 5, 1, 2},   {13, 192, 384, 3, 1, 1},  {13, 384, 256, 3, 1, 1},
    {13, 256, 256, 3, 1, 1},   {224, 3, 64, 7, 2, 3},    {56, 64, 64, 3, 1, 1},    {56, 64, 128, 3, 2, 1},
    {56, 64, 128, 1, 2, 0},    {28, 128, 128, 3, 1, 1},  {28, 128, 256, 3, 2, 1},  {28, 128, 256, 1, 2, 0},
    {14, 256, 256, 3, 1, 1},   {14, 256, 512, 3, 2, 1},  {14, 256, 512, 1, 2, 0},  {7, 512, 512, 3, 1, 1},
    {56, 64, 64, 1, 1, 0},     {56, 64, 256, 1, 1, 0},   {56, 256, 64, 1, 1, 0},   {56, 256, 128, 1, 1, 0},
    {56, 128, 128, 3, 2, 1},   {28, 128, 512, 1, 1, 0},  {56, 256, 512, 1, 2, 0},  {28, 512, 128, 1, 1, 0},
    {28, 512, 256, 1, 1, 0},   {28, 256, 256, 3, 2, 1},  {14, 256, 1024, 1, 1, 0}, {28, 512, 1024, 1, 2, 0},
    {14, 1024, 256, 1, 1, 0},  {14, 1024, 512, 1, 1, 0}, {14, 512, 512, 3, 2, 1},  {7, 512, 2048, 1, 1, 0},
    {14, 1024, 2048, 1, 2, 0}, {7, 2048, 512, 1, 1, 0},  {224, 3, 64, 3, 2, 0},    {55, 64, 16, 1, 1, 0},
    {55, 16, 64, 1, 1, 0},     {55, 16, 64, 3, 1, 1},    {13, 512, 1000, 1, 1, 0}, {224, 3, 768, 16, 16, 0},
};

NodeSpec node_of(const Op& op, const std::vector<TensorSpec>& inputs, DType result) {
    NodeSpec node{op, {}, {}, {}};
    for (const TensorSpec& input : inputs) node.inputs.push_back({input, {}});
    for (TensorSpec output : infer(op, inputs)) {
        output.dtype = result;
        node.outputs.push_back({output, {}});
    }
    return node;
}

void check(Backend& backend, const NodeSpec& node, const std::string& what) {
    const std::string provider = backend.prepare(node)->provider;
    CAPTURE(what);
    CAPTURE(provider);
    CHECK(provider.find("ref") == std::string::npos);
    const bool library = cpu::OneDnn::present() && isa() > Isa::v1;
    if (library) CHECK(provider.starts_with("oneDNN"));
    if (library && provider.find("emulated") == std::string::npos) MESSAGE(what << ": " << provider);
}

void check_all(DType dtype, Options::Activations activations) {
    const std::unique_ptr<Backend> backend = cpu::make_backend({activations});
    for (const Layer& l : layers) {
        const ops::Conv2d conv{.stride = {l.stride, l.stride}, .padding = {l.padding, l.padding}};
        const TensorSpec x{{4, l.size, l.size, l.c}, dtype}, w{{l.k, l.r, l.r, l.c}, dtype};
        const TensorSpec y = infer(conv, std::vector{x, w})[0];
        const std::string what = fmt::format("{} {} {}x{} {} -> {} stride {} at {}", name_of(dtype),
                                             activations == Options::Activations::nhwc ? "nhwc" : "blocked", l.r, l.r,
                                             l.c, l.k, l.stride, l.size);
        check(*backend, node_of(conv, {x, w}, dtype), what + " fprop");
        check(*backend, node_of(ops::Conv2dFilterGradient{conv, w.shape}, {x, y}, DType::f32), what + " wgrad");
        // No network asks for the gradient of its images.
        if (l.c > 3) check(*backend, node_of(ops::Conv2dInputGradient{conv, x.shape}, {y, w}, dtype), what + " dgrad");
    }
}

}  // namespace

TEST_CASE("no convolution of the known models runs on reference code") {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        check_all(dtype, Options::Activations::nhwc);
        check_all(dtype, Options::Activations::blocked);
    }
}
