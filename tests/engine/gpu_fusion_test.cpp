// A convolution, the batch norm behind it and both gradients, on the GPU backend, where the convolution takes the
// norm's moments, against the reference, where nothing is fused.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/graph/gradients.h"
#include "engine/graph/program.h"
#include "engine/ops/functions.h"
#include "tests/compare.h"
#include "tests/engine/gpu_device.h"
#include "tests/hash_fill.h"

using namespace cambium;
using namespace cambium::test;

namespace {

struct Layer {
    std::int64_t images, side, channels, filters, kernel, groups;
};

Graph block(const Layer& l) {
    Graph graph;
    const auto parameter = [&](const char* name, Shape shape, Initializer initializer) {
        return graph.entry({.name = name, .spec = {shape, DType::f32}, .initializer = initializer, .trainable = true});
    };
    const Value x = graph.input("x", {l.images, l.side, l.side, l.channels}, DType::f32);
    const Value w = parameter("w", {l.filters, l.kernel, l.kernel, l.channels / l.groups}, Initializer::uniform(0.3));
    const Value sum = conv2d(x, w, {.padding = {l.kernel / 2, l.kernel / 2}, .groups = l.groups});
    const BatchNormResult norm = batch_norm(sum, parameter("gamma", {l.filters}, Initializer::uniform(1)),
                                            parameter("beta", {l.filters}, Initializer::uniform(1)), 1e-3);
    const Value y = relu(add(norm.y, graph.input("shortcut", sum.shape(), DType::f32)));
    graph.output("y", y);
    graph.output("mean", norm.mean);
    graph.output("variance", norm.variance);
    const Value loss = reduce_sum(multiply(y, graph.input("dy", sum.shape(), DType::f32)), {0, 1, 2, 3});
    for (const ParameterGradient& p : parameter_gradients(loss)) graph.output(p.parameter.name, p.gradient);
    return graph;
}

struct Run {
    std::vector<std::pair<std::string, Tensor>> outputs;
    int moments = 0, whole_norms = 0;  // steps that take moments behind a convolution; batch norms that read x twice
};

Run run_block(const Layer& layer, Backend& backend, Precision precision) {
    const Graph graph = block(layer);
    Store store(backend.memory(), precision == Precision::f64 ? DType::f64 : DType::f32);
    declare_entries(graph, store);
    Program program = compile(graph, store, backend, {.precision = precision});
    Run run;
    for (const Program::Listed& step : program.listing()) {
        run.moments += step.attributes.ends_with("moments") ? 1 : 0;
        run.whole_norms += step.op == "batch_norm" ? 1 : 0;
    }
    std::uint32_t seed = 0;
    for (const char* name : {"x", "shortcut", "dy"}) {
        const Shape narrow{layer.images, layer.side, layer.side, layer.channels};
        Tensor values(seed == 0 ? narrow : narrow.with(-1, layer.filters), DType::f32);
        hash_fill(values.values<float>(), ++seed, 15);
        program.set(name, values.converted(DType::bf16).converted(DType::f32));
    }
    program.run();
    for (const auto& [name, value] : graph.outputs()) run.outputs.emplace_back(name, program.get(name));
    return run;
}

}  // namespace

TEST_CASE("a convolution takes the moments of the batch norm behind it") {
    const std::vector<Layer> layers{{.images = 2, .side = 9, .channels = 3, .filters = 13, .kernel = 3, .groups = 1},
                                    {.images = 3, .side = 6, .channels = 16, .filters = 24, .kernel = 1, .groups = 1},
                                    {.images = 2, .side = 5, .channels = 12, .filters = 8, .kernel = 3, .groups = 2}};
    const std::unique_ptr<Backend> reference = make_reference_backend();
    for (const Layer& layer : layers) {
        CAPTURE(layer.filters);
        const Run expected = run_block(layer, *reference, Precision::f64);
        CHECK(expected.moments == 0);
        for (const Precision precision : {Precision::f32, Precision::bf16}) {
            CAPTURE(name_of(precision));
            const Run found = run_block(layer, wanted_backend(), precision);
            CHECK(found.moments == 1);
            CHECK(found.whole_norms == 0);
            for (std::size_t i = 0; i < expected.outputs.size(); ++i) {
                CAPTURE(expected.outputs[i].first);
                const Tolerance tolerance =
                    precision == Precision::f32
                        ? relative_to_largest(2e-5, "f32 sums of some hundred terms, through a norm and its gradient")
                        : relative_l2(0.03, "weights and activations are bf16; some cross relu's kink");
                CHECK(compare(found.outputs[i].second, expected.outputs[i].second, tolerance));
            }
        }
    }
}

TEST_CASE("a batch norm of which only the moments are read stays whole") {
    Graph graph;
    const Value x = graph.input("x", {2, 4, 4, 3}, DType::f32);
    const auto parameter = [&](const char* name, Shape shape) {
        return graph.entry({.name = name, .spec = {shape, DType::f32}, .initializer = Initializer::uniform(0.3)});
    };
    const Value gamma = parameter("gamma", {5});
    graph.output("mean", batch_norm(conv2d(x, parameter("w", {5, 3, 3, 3})), gamma, gamma, 1e-3).mean);
    Store store(wanted_backend().memory());
    declare_entries(graph, store);
    Program program = compile(graph, store, wanted_backend());
    CHECK(program.text().find("moments") == std::string::npos);
    Tensor values({2, 4, 4, 3}, DType::f32);
    hash_fill(values.values<float>(), 1, 15);
    program.set("x", values);
    program.run();
    const Tensor mean = program.get("mean");
    for (const float channel : mean.values<float>()) CHECK(channel != 0.0f);
}

TEST_CASE("a depthwise convolution, whose kernel is plain, leaves the batch norm whole") {
    const Layer layer{.images = 2, .side = 5, .channels = 64, .filters = 64, .kernel = 3, .groups = 64};
    const Run found = run_block(layer, wanted_backend(), Precision::f32);
    CHECK(found.moments == 0);
    CHECK(found.whole_norms == 1);
}
