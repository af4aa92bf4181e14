// Graphs and passes as data: what is built, pruned, folded, fused and cast. Nothing is computed here.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/base/error.h"
#include "engine/base/philox.h"
#include "engine/graph/gradients.h"
#include "engine/graph/passes/passes.h"
#include "engine/ops/functions.h"

using namespace cambium;

namespace {

template <class T>
int count(const Graph& graph) {
    return static_cast<int>(
        std::ranges::count_if(graph.nodes(), [](const Node& node) { return std::holds_alternative<T>(node.op); }));
}

Value parameter(Graph& graph, const std::string& name, Shape shape, bool trainable) {
    return graph.entry({.name = name, .spec = {shape, DType::f32}, .trainable = trainable});
}

// conv -> norm (evaluation) -> relu -> conv -> pool -> linear, with the given parts trainable.
struct SmallNet {
    Graph graph;
    Value logits, loss;

    explicit SmallNet(bool first, bool second, bool head) {
        const Value images = graph.input("images", {2, 8, 8, 3}, DType::u8);
        const Value labels = graph.input("labels", {2}, DType::i32);
        Value x =
            conv2d(normalize(images, {}), parameter(graph, "conv1.weight", {4, 3, 3, 3}, first), {.padding = {1, 1}});
        x = batch_norm_inference(
            x, parameter(graph, "bn1.weight", {4}, false), parameter(graph, "bn1.bias", {4}, false),
            parameter(graph, "bn1.running_mean", {4}, false), parameter(graph, "bn1.running_var", {4}, false), 1e-5);
        x = relu(x);
        x = conv2d(x, parameter(graph, "conv2.weight", {6, 3, 3, 4}, second), {.stride = {2, 2}});
        x = global_avg_pool2d(relu(x));
        logits = linear(x, parameter(graph, "fc.weight", {5, 6}, head), parameter(graph, "fc.bias", {5}, head));
        loss = softmax_cross_entropy(logits, labels).sum;
    }
};

const auto accept_all = [](const NodeSpec&) { return true; };

}  // namespace

TEST_SUITE("unit") {
    TEST_CASE("a node whose operands do not fit is refused by name, with shapes") {
        Graph graph;
        const Value x = graph.input("x", {2, 8, 8, 3}, DType::f32);
        const Value w = graph.input("w", {4, 3, 3, 5}, DType::f32);
        CHECK_THROWS_WITH_AS(conv2d(x, w), doctest::Contains("conv2d"), Error);
        CHECK_THROWS_WITH_AS(conv2d(x, w), doctest::Contains("[4, 3, 3, 5]"), Error);
        CHECK_THROWS_WITH_AS(graph.input("x", {1}, DType::f32), doctest::Contains("'x'"), Error);
        CHECK_THROWS_AS(add(x, w), Error);
        Graph other;
        CHECK_THROWS_AS(add(x, other.input("x", {2, 8, 8, 3}, DType::f32)), Error);
    }

    TEST_CASE("freezing prunes the backward pass") {
        SmallNet all(true, true, true), last(false, true, true), head(false, false, true);
        CHECK(parameter_gradients(all.loss).size() == 4);
        CHECK(count<ops::Conv2dFilterGradient>(all.graph) == 2);
        CHECK(count<ops::Conv2dInputGradient>(all.graph) == 1);  // never that of the images
        CHECK(parameter_gradients(last.loss).size() == 3);
        CHECK(count<ops::Conv2dFilterGradient>(last.graph) == 1);
        CHECK(count<ops::Conv2dInputGradient>(last.graph) == 0);
        CHECK(parameter_gradients(head.loss).size() == 2);
        CHECK(count<ops::Conv2dFilterGradient>(head.graph) == 0);
        SmallNet none(false, false, false);
        CHECK_THROWS_WITH_AS(parameter_gradients(none.loss), doctest::Contains("trainable"), Error);
    }

    TEST_CASE("a value used twice receives the sum of both gradients") {
        Graph graph;
        const Value x = graph.input("x", {3}, DType::f32);
        const Value loss = reduce_sum(multiply(x, x), {0});
        const Value dx = gradients(loss, {x})[0];
        CHECK(std::holds_alternative<ops::Add>(graph.producer(dx.id).op));
    }

    TEST_CASE("a loss that does not depend on a target, or passes an operator without gradient, is an error") {
        Graph graph;
        const Value x = graph.input("x", {3}, DType::f32), y = graph.input("y", {3}, DType::f32);
        CHECK_THROWS_WITH_AS(gradients(reduce_sum(x, {0}), {y}), doctest::Contains("does not depend"), Error);
        const Value operands[] = {x};
        CHECK_THROWS_WITH_AS(gradients(global_norm(operands), {x}), doctest::Contains("global_norm"), Error);
        CHECK_THROWS_WITH_AS(gradients(x, {x}), doctest::Contains("scalar"), Error);
    }

    TEST_CASE("dead nodes go, those that an assign needs stay") {
        Graph graph;
        const Value x = graph.input("x", {3}, DType::f32);
        const Value state = parameter(graph, "state", {3}, false);
        graph.assign(state, add(state, x));
        static_cast<void>(relu(x));
        passes::drop_dead_nodes(graph);
        CHECK(count<ops::Relu>(graph) == 0);
        CHECK(count<ops::Assign>(graph) == 1);
        CHECK(count<ops::Add>(graph) == 1);
    }

    TEST_CASE("a norm folds only where filter and norm are frozen and nobody else reads the convolution") {
        SmallNet frozen(false, false, true);
        frozen.graph.output("logits", frozen.logits);
        passes::fold_frozen_norms(frozen.graph);
        CHECK(count<ops::ScaleFilter>(frozen.graph) == 1);
        CHECK(count<ops::ScaleShift>(frozen.graph) == 0);

        SmallNet trained(true, true, true);  // conv1.weight is assigned: it changes between runs
        const Value weight = parameter(trained.graph, "conv1.weight", {4, 3, 3, 3}, true);
        trained.graph.assign(weight, scale(weight, 0.5));
        passes::fold_frozen_norms(trained.graph);
        CHECK(count<ops::ScaleFilter>(trained.graph) == 0);

        Graph graph;
        const Value x = conv2d(graph.input("x", {1, 4, 4, 2}, DType::f32), parameter(graph, "w", {3, 1, 1, 2}, false));
        const Value y = scale_shift(x, parameter(graph, "s", {3}, false));
        graph.output("sum", add(x, y));
        passes::fold_frozen_norms(graph);
        CHECK(count<ops::ScaleFilter>(graph) == 0);
    }

    TEST_CASE("steps fuse into the convolution before them, in order, as far as the backend accepts") {
        Graph graph;
        const Value x = graph.input("x", {1, 4, 4, 3}, DType::f32);
        const Value shortcut = graph.input("shortcut", {1, 4, 4, 3}, DType::f32);
        Value y = conv2d(x, parameter(graph, "w", {3, 1, 1, 3}, false));
        y = add_bias(y, parameter(graph, "b", {3}, false));
        y = relu(add(shortcut, y));
        graph.output("y", y);
        Graph partly = graph;

        passes::fuse_epilogues(graph, accept_all);
        const Node& fused = graph.producer(y.id);
        REQUIRE(std::holds_alternative<ops::Conv2d>(fused.op));
        CHECK(to_string(fused.epilogue) == "+bias +add relu");
        CHECK(fused.inputs.size() == 4);
        CHECK(fused.inputs[static_cast<std::size_t>(fused.epilogue[1].operand)] == shortcut.id);

        passes::fuse_epilogues(partly, [](const NodeSpec& node) { return node.epilogue.size() <= 1; });
        CHECK(count<ops::Add>(partly) == 1);
        CHECK(count<ops::AddBias>(partly) == 0);
    }

    TEST_CASE("add and relu fuse into a batch norm, whose moments others read") {
        Graph graph;
        const Value x = graph.input("x", {2, 4, 4, 3}, DType::f32);
        const Value gamma = parameter(graph, "gamma", {3}, true), running = parameter(graph, "mean", {3}, false);
        const BatchNormResult norm = batch_norm(x, gamma, gamma, 1e-5);
        const Value average = lerp(running, norm.mean, graph.constant({}, 0.1));
        const Value shortcut = relu(x);  // made after the norm, before the sum
        const Value y = relu(add(norm.y, shortcut));
        graph.assign(running, average);
        graph.output("y", y);

        passes::fuse_epilogues(graph, accept_all);  // throws if a node stands before what it reads
        const Node& fused = graph.producer(y.id);
        REQUIRE(std::holds_alternative<ops::BatchNorm>(fused.op));
        CHECK(to_string(fused.epilogue) == "+add relu");
        CHECK(fused.inputs.back() == shortcut.id);
        CHECK(fused.outputs == std::vector{y.id, norm.mean.id, norm.variance.id});
        CHECK(graph.info(average.id).node > graph.info(y.id).node);
        CHECK(count<ops::Add>(graph) == 0);
        CHECK(count<ops::Relu>(graph) == 1);  // the shortcut's
    }

    TEST_CASE("a summand computed from a batch norm's moments is not fused into it") {
        Graph graph;
        const Value x = graph.input("x", {8, 3}, DType::f32), gamma = parameter(graph, "gamma", {3}, true);
        const BatchNormResult norm = batch_norm(x, gamma, gamma, 1e-5);
        const Value y = add(norm.y, add_bias(x, norm.mean));
        graph.output("y", y);
        passes::fuse_epilogues(graph, accept_all);
        CHECK(count<ops::Add>(graph) == 1);
    }

    TEST_CASE("a convolution takes the moments of the batch norm behind it, whatever that adds") {
        Graph graph;
        const Value x = graph.input("x", {2, 4, 4, 3}, DType::f32), gamma = parameter(graph, "gamma", {3}, true);
        const Value sum = conv2d(x, parameter(graph, "w", {3, 1, 1, 3}, true));
        const BatchNormResult norm = batch_norm(sum, gamma, gamma, 1e-3);
        const Value y = relu(add(norm.y, x)), average = scale(norm.mean, 0.1);
        graph.output("y", y);
        graph.output("average", average);
        Graph without = graph;

        passes::fuse_epilogues(graph, accept_all);
        passes::fuse_moments(graph, accept_all);
        const Node &conv = graph.producer(sum.id), &apply = graph.producer(y.id);
        CHECK(to_string(conv.epilogue) == "moments");
        CHECK(conv.outputs == std::vector{sum.id, norm.mean.id, norm.variance.id});
        REQUIRE(std::holds_alternative<ops::BatchNormApply>(apply.op));
        CHECK(std::get<ops::BatchNormApply>(apply.op).epsilon == 1e-3);
        CHECK(apply.inputs == std::vector{sum.id, gamma.id, gamma.id, norm.mean.id, norm.variance.id, x.id});
        CHECK(apply.outputs == std::vector{y.id});
        CHECK(to_string(apply.epilogue) == "+add relu");
        CHECK(apply.epilogue[0].operand == 5);

        passes::fuse_moments(without, [](const NodeSpec& node) { return !takes_moments(node.epilogue); });
        CHECK(count<ops::BatchNorm>(without) == 1);
    }

    TEST_CASE("relu's gradient becomes part of that of the batch norm before it") {
        Graph graph;
        const Value x = graph.input("x", {2, 4, 4, 3}, DType::f32), gamma = parameter(graph, "gamma", {3}, true);
        const Value shortcut = scale(x, 2);
        const Value y = relu(add(batch_norm(x, gamma, gamma, 1e-3).y, shortcut));
        const std::vector<Value> found = gradients(reduce_sum(y, {0, 1, 2, 3}), {x, gamma});
        graph.output("dx", found[0]);
        graph.output("dgamma", found[1]);
        Graph without = graph;

        passes::fuse_relu_gradients(graph, accept_all);  // throws if a node stands before what it reads
        CHECK(count<ops::ReluGradient>(graph) == 0);
        CHECK(count<ops::BatchNormGradient>(graph) == 0);
        REQUIRE(count<ops::BatchNormReluGradient>(graph) == 1);
        const Node& fused = *std::ranges::find_if(graph.nodes(), [](const Node& node) {
            return std::holds_alternative<ops::BatchNormReluGradient>(node.op);
        });
        CHECK(std::get<ops::BatchNormReluGradient>(fused.op).epsilon == 1e-3);
        CHECK(fused.inputs[1] == y.id);
        CHECK(fused.inputs[2] == x.id);
        CHECK(count_uses(graph)[static_cast<std::size_t>(fused.outputs[3])] == 1);  // by the shortcut's gradient

        passes::fuse_relu_gradients(without, [](const NodeSpec&) { return false; });
        CHECK(count<ops::ReluGradient>(without) == 1);
    }

    TEST_CASE("a result that is also an output is not fused away") {
        Graph graph;
        const Value y = conv2d(graph.input("x", {1, 4, 4, 3}, DType::f32), parameter(graph, "w", {3, 1, 1, 3}, false));
        graph.output("before", y);
        graph.output("after", relu(y));
        passes::fuse_epilogues(graph, accept_all);
        CHECK(count<ops::Relu>(graph) == 1);
    }

    TEST_CASE("bf16: activations are cast, what feeds losses, optimizers and the caller is f32") {
        SmallNet net(true, true, true);
        net.graph.output("logits", net.logits);
        for (const ParameterGradient& p : parameter_gradients(net.loss)) net.graph.output(p.parameter.name, p.gradient);
        passes::place_casts(net.graph);
        for (const auto& [name, value] : net.graph.outputs()) {
            CAPTURE(name);
            CHECK(net.graph.info(value).spec.dtype == DType::f32);
        }
        for (const Node& node : net.graph.nodes()) {
            const auto dtype = [&](std::size_t i) { return net.graph.info(node.inputs[i]).spec.dtype; };
            if (std::holds_alternative<ops::Conv2d>(node.op) ||
                std::holds_alternative<ops::Conv2dFilterGradient>(node.op)) {
                CHECK(dtype(0) == DType::bf16);
                CHECK(dtype(1) == DType::bf16);
            }
            if (std::holds_alternative<ops::ScaleShift>(node.op)) {
                CHECK(dtype(0) == DType::bf16);
                CHECK(dtype(1) == DType::f32);
            }
            if (std::holds_alternative<ops::SoftmaxCrossEntropy>(node.op)) CHECK(dtype(0) == DType::f32);
        }
    }

    TEST_CASE("bf16: tokens are cast from the table's rows on; the table, moments and log-sum-exp stay f32") {
        Graph graph;
        const Value table = parameter(graph, "table", {9, 8}, true), gamma = parameter(graph, "gamma", {8}, true);
        const Value x = reshape(embedding(table, graph.input("index", {2, 5}, DType::i32)), {10, 8});
        const Value qkv = linear(layer_norm(x, gamma, gamma, 1e-5), parameter(graph, "w", {24, 8}, true));
        const Value y = gelu(reshape(attention(reshape(qkv, {2, 5, 3, 2, 4})), {10, 8}));
        const Loss loss = softmax_cross_entropy(y, graph.input("labels", {10}, DType::i32));
        for (const ParameterGradient& p : parameter_gradients(loss.sum)) graph.output(p.parameter.name, p.gradient);
        passes::place_casts(graph);
        const auto dtypes = [&](const std::vector<int>& values) {
            std::string text;
            for (const int value : values) text += std::string(name_of(graph.info(value).spec.dtype)) + " ";
            return text;
        };
        for (const Node& node : graph.nodes()) {
            CAPTURE(name_of(node.op));
            const std::string from = dtypes(node.inputs), to = dtypes(node.outputs);
            if (std::holds_alternative<ops::Embedding>(node.op)) CHECK((from == "f32 i32 " && to == "bf16 "));
            if (std::holds_alternative<ops::EmbeddingGradient>(node.op)) CHECK((from == "bf16 i32 " && to == "f32 "));
            if (std::holds_alternative<ops::LayerNorm>(node.op)) {
                CHECK((from == "bf16 f32 f32 " && to == "bf16 f32 f32 "));
            }
            if (std::holds_alternative<ops::LayerNormGradient>(node.op)) {
                CHECK((from == "bf16 bf16 f32 f32 f32 " && to == "bf16 f32 f32 "));
            }
            if (std::holds_alternative<ops::Attention>(node.op)) CHECK((from == "bf16 " && to == "bf16 f32 "));
            if (std::holds_alternative<ops::AttentionGradient>(node.op)) {
                CHECK((from == "bf16 bf16 bf16 f32 " && to == "bf16 "));
            }
        }
        CHECK(count<ops::AttentionGradient>(graph) == 1);
        CHECK(count<ops::EmbeddingGradient>(graph) == 1);
    }

    TEST_CASE("bf16: augmented photos are activations from the start; their table stays f32") {
        Graph graph;
        const Value images = graph.input("images", {2, 8, 8, 3}, DType::u8);
        const Value x = augment(images, graph.input("table", {2, AugmentParameters::columns}, DType::f32), {});
        graph.output("y", conv2d(x, graph.input("filter", {4, 3, 3, 3}, DType::f32)));
        passes::place_casts(graph);
        CHECK(graph.info(x.id).spec.dtype == DType::bf16);
        for (const Node& node : graph.nodes()) {
            if (!std::holds_alternative<ops::Augment>(node.op)) continue;
            CHECK(graph.info(node.inputs[0]).spec.dtype == DType::u8);
            CHECK(graph.info(node.inputs[1]).spec.dtype == DType::f32);
        }
        CHECK(count<ops::Convert>(graph) == 1);  // of the filter
    }

    TEST_CASE("the memory plan never lets two live values overlap, and reuses what has died") {
        RandomStream random(7, 1);
        std::vector<passes::Interval> intervals;
        std::size_t sum = 0;
        for (int i = 0; i < 400; ++i) {
            const int first = static_cast<int>(random.below(200));
            intervals.push_back({1 + random.below(5000), first, first + static_cast<int>(random.below(12))});
            sum += intervals.back().bytes;
        }
        const std::size_t total = passes::plan_memory(intervals);
        CHECK(total < sum / 8);
        for (std::size_t a = 0; a < intervals.size(); ++a) {
            CHECK(intervals[a].offset % 64 == 0);
            CHECK(intervals[a].offset + intervals[a].bytes <= total);
            for (std::size_t b = 0; b < a; ++b) {
                const bool in_time = intervals[a].first <= intervals[b].last && intervals[b].first <= intervals[a].last;
                const bool in_space = intervals[a].offset < intervals[b].offset + intervals[b].bytes &&
                                      intervals[b].offset < intervals[a].offset + intervals[a].bytes;
                CHECK_FALSE((in_time && in_space));
            }
        }
    }
}
