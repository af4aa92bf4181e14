// The provider vendor. On a GPU (CAMBIUM_GPU=cuda) cuDNN and cuBLASLt against the reference. Without one, the same
// cases on simt, whose device memory is the CPU's, with stand-ins for both libraries that compute from the descriptors
// alone: what the real ones are told is proven right, not what they then do. And the real cuDNN, where it is installed,
// is asked for the engines that it has for an H100, which needs no GPU.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <cmath>

#include "engine/backends/gpu/module.h"
#include "engine/backends/gpu/vendor_blas.h"
#include "engine/backends/gpu/vendor_dnn.h"
#include "engine/base/fail.h"
#include "engine/cases/case.h"
#include "tests/compare.h"
#include "tests/engine/cpu_harness.h"
#include "tests/engine/gpu_device.h"

using namespace cambium;
using namespace cambium::cases;
using namespace cambium::test;
using Kind = EpilogueStep::Kind;

namespace {

// The provider's backend, opened once for each kind of arithmetic.
Backend& vendor(gpu::Math math) {
    static std::map<gpu::Math, std::unique_ptr<Backend>> opened;
    std::unique_ptr<Backend>& backend = opened[math];
    if (backend != nullptr) return *backend;
    const gpu::Options options{.math = math, .provider = gpu::Provider::vendor};
    if (wanted_device() == gpu::Device::cuda) {
        wanted_backend();  // ends the program where there is no GPU
        backend = gpu::make_backend(gpu::Device::cuda, options);
        return *backend;
    }
    setenv("CAMBIUM_CUDNN", FAKE_DNN, 1);
    setenv("CAMBIUM_CUBLASLT", FAKE_BLAS, 1);
    void* module = dlopen(VENDOR_MODULE, RTLD_NOW | RTLD_LOCAL);
    if (module == nullptr) fail("cannot open {}: {}", VENDOR_MODULE, dlerror());
    backend.reset(reinterpret_cast<gpu::MakeBackend*>(dlsym(module, gpu::kMakeBackend))(options));
    return *backend;
}

struct Fused {
    std::vector<EpilogueStep> steps{};
    std::vector<Tensor> operands{};  // f32 vectors, and a summand of the result's type
};

// One of the orders that our kernels know, so that an operator's own epilogue is a subset of it.
Fused draw_epilogue(RandomStream& random, const TensorSpec& result, int first_operand) {
    Fused fused;
    const auto operand = [&](const Shape& shape, DType dtype) {
        Tensor tensor(shape, DType::f32);
        for (float& value : tensor.values<float>()) value = 2 * uniform01(random.bits()) - 1;
        fused.operands.push_back(tensor.converted(DType::bf16).converted(dtype));
        return first_operand + static_cast<int>(fused.operands.size()) - 1;
    };
    const Shape channels{result.shape[-1]};
    if (random.below(3) == 0) {
        fused.steps.push_back({.kind = Kind::scale_shift, .operand = operand(channels, DType::f32)});
        if (flip(random)) fused.steps.back().second_operand = operand(channels, DType::f32);
    } else if (flip(random)) {
        fused.steps.push_back({.kind = Kind::add_bias, .operand = operand(channels, DType::f32)});
    }
    const auto activation = [&] { fused.steps.push_back({.kind = flip(random) ? Kind::relu : Kind::gelu}); };
    if (random.below(3) == 0) activation();
    if (flip(random)) fused.steps.push_back({.kind = Kind::add, .operand = operand(result.shape, result.dtype)});
    if (!fused.steps.empty() && fused.steps.back().kind == Kind::add && flip(random)) activation();
    return fused;
}

void apply(const std::vector<EpilogueStep>& steps, const std::vector<Tensor>& inputs, Tensor& y) {
    const std::span<double> to = y.values<double>();
    const auto channels = static_cast<std::size_t>(y.shape()[-1]);
    const auto operand = [&](int index) { return inputs[static_cast<std::size_t>(index)].values<double>(); };
    for (const EpilogueStep& step : steps) {
        for (std::size_t i = 0; i < to.size(); ++i) {
            const std::size_t channel = i % channels;
            if (step.kind == Kind::relu) to[i] = std::max(to[i], 0.0);
            if (step.kind == Kind::gelu) to[i] *= 0.5 * (1 + std::erf(to[i] / std::sqrt(2)));
            if (step.kind == Kind::add) to[i] += operand(step.operand)[i];
            if (step.kind == Kind::add_bias) to[i] += operand(step.operand)[channel];
            if (step.kind == Kind::scale_shift) to[i] *= operand(step.operand)[channel];
            if (step.kind == Kind::scale_shift && step.second_operand >= 0)
                to[i] += operand(step.second_operand)[channel];
        }
    }
}

std::vector<Tensor> widened(const std::vector<Tensor>& inputs) {
    std::vector<Tensor> wide;
    for (const Tensor& input : inputs) wide.push_back(input.converted(DType::f64));
    return wide;
}

Tensor expected(const Op& op, const std::vector<Tensor>& inputs, std::size_t own, const Fused& fused) {
    static const std::unique_ptr<Backend> reference = make_reference_backend();
    const std::vector<Tensor> wide = widened(inputs);
    std::vector<Tensor> of_op;
    for (std::size_t i = 0; i < own; ++i) of_op.push_back(wide[i].clone());
    NodeRun run = run_node(*reference, node_of(op, of_op, {}, {DType::f64}), of_op);
    apply(fused.steps, wide, run.outputs[0]);
    return std::move(run.outputs[0]);
}

struct Types {
    DType operands, result;
    gpu::Math math = gpu::Math::f32;
};

Tolerance tolerance(const Types& types, const NodeRun& found, std::size_t steps) {
    if (found.provider.find("Winograd") != std::string::npos || found.provider.find("FFT") != std::string::npos)
        return relative_to_largest(1e-4, "sums of transformed operands lose digits (Lavin & Gray 2016)");
    if (types.operands != DType::bf16) return relative_to_largest(1e-5, "f32 rounding of sums of some hundred terms");
    return relative_to_largest(static_cast<double>(1 + steps) * 0x1p-8,
                               "the result and what every step of the epilogue leaves are rounded to bf16");
}

void hold(const OpCase& op_case, std::uint64_t index, const Types& types) {
    RandomStream random = stream_of(op_case, index);
    const Instance instance = op_case.draw(random);
    // Operands that bf16 and tf32 have: no product of them is rounded.
    std::vector<Tensor> inputs;
    for (const Tensor& input : draw_inputs(instance, random, Values::reals, DType::bf16))
        inputs.push_back(input.converted(types.operands));
    if (types.math == gpu::Math::f32 && types.operands == DType::f32)
        inputs = draw_inputs(instance, random, Values::reals, DType::f32);
    NodeSpec bare = node_of(instance.op, inputs, {}, {types.result});
    Fused fused;
    const std::size_t own = inputs.size();
    const bool fuses =
        std::holds_alternative<ops::MatMul>(instance.op) || std::holds_alternative<ops::Conv2d>(instance.op);
    if (fuses && flip(random)) fused = draw_epilogue(random, bare.outputs[0].tensor, static_cast<int>(own));
    for (const Tensor& operand : fused.operands) inputs.push_back(operand.clone());
    const NodeSpec node = node_of(instance.op, inputs, fused.steps, {types.result});
    CAPTURE(describe(node));
    const NodeRun found = run_node(vendor(types.math), node, inputs);
    const bool product = std::holds_alternative<ops::MatMul>(instance.op);
    CHECK(found.provider.starts_with(product ? "cuBLASLt " : "cuDNN "));
    CHECK(compare(found.outputs[0], expected(instance.op, inputs, own, fused),
                  tolerance(types, found, fused.steps.size())));
}

void hold_all(const Types& types) {
    // On a GPU every node tries up to ten algorithms, some of which are compiled first.
    const std::uint64_t draws = wanted_device() == gpu::Device::cuda ? 3 : 30;
    for (const auto& family : {conv_cases(), matmul_cases()}) {
        for (const OpCase& op_case : family) {
            if (types.result == DType::bf16 && op_case.name.starts_with("conv2d_filter_gradient"))
                continue;  // f32 always
            for (std::uint64_t index = 0; index < draws; ++index) hold(op_case, index, types);
        }
    }
}

// The properties of an H100 SXM as cuDNN writes them.
constexpr const char* h100 =
    R"({"deviceName": "NVIDIA H100 80GB HBM3", "cudaDeviceId": 0, "pciDeviceId": 0, "deviceVer": 900,
        "driverVer": 13000, "multiProcessorCount": 132, "maxGridSize": [2147483647, 65535, 65535],
        "maxBlockSize": [1024, 1024, 64], "regsPerBlock": 65536, "smClockRateKHz": 1980000,
        "memClockRateKHz": 2619000, "l2CacheSize": 52428800, "warpSize": 32, "maxSharedMemoryPerBlock": 49152,
        "maxSharedMemoryPerBlockOptin": 232448, "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536,
        "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "isTccDriver": 0,
        "supportCoopLaunch": 1, "totalGlobalMem": 85000000000})";

gpu::DnnConvolution convolution_of(const Op& op, const std::vector<Shape>& inputs, const Shape& output) {
    gpu::DnnConvolution c;
    if (const auto* fprop = std::get_if<ops::Conv2d>(&op)) {
        c.conv = *fprop, c.x = inputs[0], c.w = inputs[1], c.y = output;
    } else if (const auto* dgrad = std::get_if<ops::Conv2dInputGradient>(&op)) {
        c.direction = gpu::DnnConvolution::Direction::dgrad;
        c.conv = dgrad->conv, c.y = inputs[0], c.w = inputs[1], c.x = output;
    } else {
        c.direction = gpu::DnnConvolution::Direction::wgrad;
        c.conv = std::get<ops::Conv2dFilterGradient>(op).conv, c.x = inputs[0], c.y = inputs[1], c.w = output;
    }
    return c;
}

}  // namespace

TEST_CASE("f32") { hold_all({.operands = DType::f32, .result = DType::f32}); }

TEST_CASE("tf32") { hold_all({.operands = DType::f32, .result = DType::f32, .math = gpu::Math::tf32}); }

TEST_CASE("bf16") { hold_all({.operands = DType::bf16, .result = DType::bf16}); }

TEST_CASE("bf16 to f32, which cuDNN lacks") { hold_all({.operands = DType::bf16, .result = DType::f32}); }

TEST_CASE("attention in bf16") {
    const std::unique_ptr<Backend> reference = make_reference_backend();
    RandomStream random(3, 0);
    for (int index = 0; index < 10; ++index) {
        const Shape shape{between(random, 1, 3), between(random, 1, 70), 3, between(random, 1, 4),
                          one_of<std::int64_t>(random, {32, 64, 128})};
        Tensor drawn(shape, DType::f32);
        for (float& value : drawn.values<float>()) value = 2 * uniform01(random.bits()) - 1;
        std::vector<Tensor> inputs;
        inputs.push_back(drawn.converted(DType::bf16));
        const NodeSpec node = node_of(ops::Attention{}, inputs, {}, {});
        CAPTURE(describe(node));
        const std::vector<Tensor> wide = widened(inputs);
        const NodeRun expected = run_node(*reference, node_of(ops::Attention{}, wide, {}, {}), wide);
        for (const bool wants_lse : {true, false}) {
            const Offer offer{.layout = {},
                              .inputs = {},
                              .dead_outputs = wants_lse ? std::vector<std::size_t>{} : std::vector<std::size_t>{1}};
            const NodeRun found = run_node(vendor(gpu::Math::f32), node, inputs, offer);
            CHECK(found.provider.starts_with("cuDNN "));
            CHECK(compare(found.outputs[0], expected.outputs[0],
                          relative_to_largest(0x1p-6, "operands and the weights are bf16; so is the result")));
            if (wants_lse)
                CHECK(compare(found.outputs[1], expected.outputs[1], relative_to_largest(1e-5, "sums are f32")));
        }
    }
}

TEST_CASE("the gradient of attention in bf16") {
    const std::unique_ptr<Backend> reference = make_reference_backend();
    RandomStream random(4, 0);
    for (int index = 0; index < 6; ++index) {
        const Shape qkv{between(random, 1, 2), between(random, 1, 20), 3, between(random, 1, 3),
                        one_of<std::int64_t>(random, {32, 40, 64})};
        const Shape y{qkv[0], qkv[1], qkv[3], qkv[4]};
        const auto draw = [&](const Shape& shape) {
            Tensor drawn(shape, DType::f32);
            for (float& value : drawn.values<float>()) value = 2 * uniform01(random.bits()) - 1;
            return drawn.converted(DType::bf16);
        };
        std::vector<Tensor> forward, inputs;
        forward.push_back(draw(qkv).converted(DType::f64));
        NodeRun attended = run_node(*reference, node_of(ops::Attention{}, forward, {}, {}), forward);
        inputs.push_back(draw(y));
        inputs.push_back(forward[0].converted(DType::bf16));
        inputs.push_back(attended.outputs[0].converted(DType::f32).converted(DType::bf16));
        inputs.push_back(attended.outputs[1].converted(DType::f32));
        const NodeSpec node = node_of(ops::AttentionGradient{}, inputs, {}, {});
        CAPTURE(describe(node));
        const std::vector<Tensor> wide = widened(inputs);
        const NodeRun expected = run_node(*reference, node_of(ops::AttentionGradient{}, wide, {}, {}), wide);
        const NodeRun found = run_node(vendor(gpu::Math::f32), node, inputs);
        CHECK(found.provider.starts_with("cuDNN "));
        CHECK(compare(found.outputs[0], expected.outputs[0],
                      relative_to_largest(0x1p-6, "operands and the weights are bf16; so is the result")));
    }
}

TEST_CASE("what the provider lacks is an error that names it, and what it is not about stays our own") {
    Backend& backend = vendor(gpu::Math::f32);
    std::vector<Tensor> qkv, matrices, two;
    const auto attention = [&](const Shape& shape, DType dtype, ops::AttentionMask mask = {}) {
        qkv.clear();
        qkv.emplace_back(shape, dtype);
        return node_of(ops::Attention{mask}, qkv, {}, {});
    };
    CHECK(backend.unsupported(attention({1, 4, 3, 1, 8}, DType::f32)) == "no f32 attention by the provider vendor");
    CHECK(backend.unsupported(attention({1, 4, 3, 1, 8}, DType::bf16, ops::AttentionMask::causal)) ==
          "no attention with a mask by the provider vendor");
    CHECK(backend.unsupported(attention({1, 4, 3, 1, 12}, DType::bf16)) ==
          "no attention by the provider vendor with heads of 12 values, no multiple of 8");
    CHECK_THROWS_WITH(
        backend.prepare(attention({1, 4, 3, 1, 8}, DType::f32)),
        doctest::Contains("cannot run attention (f32 -> f32 f32): it has no f32 attention by the provider"));
    matrices.emplace_back(Shape{0, 4}, DType::f32);
    matrices.emplace_back(Shape{4, 3}, DType::f32);
    CHECK(backend.unsupported(node_of(ops::MatMul{}, matrices, {}, {})) == "no empty operands by the provider vendor");
    two.emplace_back(Shape{5}, DType::f32);
    CHECK(backend.prepare(node_of(ops::Relu{}, two, {}, {}))->provider == "own");
}

TEST_CASE("simt has no such provider") {
    CHECK_THROWS_WITH(gpu::make_backend(gpu::Device::simt, {.provider = gpu::Provider::vendor}),
                      "there is no provider vendor here: cuDNN and cuBLASLt need a GPU");
}

TEST_CASE("a library that is not there is one sentence") {
    const std::string kept = std::getenv("CAMBIUM_CUDNN") != nullptr ? std::getenv("CAMBIUM_CUDNN") : "";
    setenv("CAMBIUM_CUDNN", "/nowhere/libcudnn.so", 1);
    CHECK_THROWS_WITH(gpu::Dnn(), doctest::Contains("cannot open cuDNN as CAMBIUM_CUDNN says: /nowhere/libcudnn.so"));
    setenv("CAMBIUM_CUDNN", "libm.so.6", 1);
    CHECK_THROWS_WITH(gpu::Dnn(), "this cuDNN has no function cudnnGetVersion; it is too old or too new");
    setenv("CAMBIUM_CUDNN", kept.c_str(), 1);
}

TEST_CASE("the libraries of this machine open, and cuDNN has engines on an H100 for every convolution") {
    if (wanted_device() != gpu::Device::cuda) {  // not the stand-ins
        unsetenv("CAMBIUM_CUDNN");
        unsetenv("CAMBIUM_CUBLASLT");
    }
    try {
        MESSAGE("cuBLASLt " << gpu::Blas().version());
    } catch (const Error& error) {
        MESSAGE("skipped: " << error.what());
    }
    std::unique_ptr<gpu::Dnn> dnn;
    try {
        dnn = std::make_unique<gpu::Dnn>();
    } catch (const Error& error) {
        MESSAGE("skipped: " << error.what());
        return;
    }
    const std::string version = dnn->version();
    MESSAGE("cuDNN " << version);
    if (version.starts_with("9.") && std::stoi(version.substr(2)) < 8) return;  // it cannot describe a device
    for (const OpCase& op_case : conv_cases()) {
        for (std::uint64_t index = 0; index < 10; ++index) {
            RandomStream random = stream_of(op_case, index);
            const Instance instance = op_case.draw(random);
            std::vector<TensorSpec> specs;
            for (const Operand& operand : instance.inputs) specs.push_back({operand.shape, DType::f32});
            const Shape output = infer(instance.op, specs)[0].shape;
            gpu::DnnConvolution c = convolution_of(instance.op, {specs[0].shape, specs[1].shape}, output);
            CAPTURE(describe(instance.op, specs));
            CHECK_FALSE(dnn->engines(c, h100).empty());
            c.tf32 = true;
            CHECK_FALSE(dnn->engines(c, h100).empty());
            c.operands = c.result = DType::bf16;
            CHECK_FALSE(dnn->engines(c, h100).empty());
            c.result = DType::f32;  // hence the detour over bf16
            CHECK(dnn->engines(c, h100).empty());
        }
    }
}
