// Programs as their user sees them: inputs, outputs, what the Store holds afterwards, and derived tensors that are
// never older than their sources.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/backends/backend.h"
#include "engine/base/error.h"
#include "engine/graph/gradients.h"
#include "engine/graph/program.h"
#include "engine/ops/functions.h"
#include "tests/compare.h"
#include "tests/hash_fill.h"

using namespace cambium;
using namespace cambium::test;

namespace {

Tensor vector(std::initializer_list<float> values) {
    return {Shape{static_cast<std::int64_t>(values.size())}, std::span(values.begin(), values.size())};
}

Tensor hashed(Shape shape, std::uint32_t seed, int k = 15) {
    Tensor tensor(shape, DType::f32);
    hash_fill(tensor.values<float>(), seed, k);
    return tensor;
}

Value entry(Graph& graph, const std::string& name, Shape shape, double value = 0) {
    return graph.entry({.name = name, .spec = {shape, DType::f32}, .initializer = Initializer::constant(value)});
}

struct Fixture {
    std::unique_ptr<Backend> backend = make_cpu_backend();
    Store store{backend->memory()};
    Graph graph;

    Program compiled(const CompileOptions& options = {}) {
        declare_entries(graph, store);
        return compile(graph, store, *backend, options);
    }
};

// conv -> evaluation norm -> relu with everything frozen, so that folding applies.
Value folded_layer(Graph& graph, Value x) {
    const Value y = conv2d(x, entry(graph, "w", {4, 3, 3, 3}), {.padding = {1, 1}});
    return relu(batch_norm_inference(y, entry(graph, "gamma", {4}, 1), entry(graph, "beta", {4}),
                                     entry(graph, "mean", {4}), entry(graph, "var", {4}, 1), 1e-5));
}

}  // namespace

TEST_SUITE("unit") {
    TEST_CASE_FIXTURE(Fixture, "inputs, outputs and their errors") {
        const Value x = graph.input("x", {3}, DType::f32);
        graph.output("twice", scale(x, 2));
        Program program = compiled();
        CHECK_THROWS_WITH_AS(program.get("twice"), doctest::Contains("before the program ran"), Error);
        program.set("x", vector({1, -2, 3}));
        program.run();
        CHECK(compare(program.get("twice"), vector({2, -4, 6}), exact("doubling is exact")));
        CHECK_THROWS_WITH_AS(program.set("y", 1.0), doctest::Contains("'y'"), Error);
        CHECK_THROWS_WITH_AS(program.set("x", vector({1, 2})), doctest::Contains("[3]"), Error);
        CHECK_THROWS_WITH_AS(program.get("thrice"), doctest::Contains("'thrice'"), Error);
    }

    TEST_CASE_FIXTURE(Fixture, "reads see the value from before the run, the store holds the new one") {
        const Value state = entry(graph, "state", {2}, 1);
        const Value x = graph.input("x", {2}, DType::f32);
        graph.assign(state, add(state, x));
        graph.output("seen", scale(state, 10));  // after the assign in the text, before it in meaning
        Program program = compiled();
        program.set("x", vector({1, 2}));
        program.run();
        CHECK(compare(program.get("seen"), vector({10, 10}), exact("integers")));
        CHECK(compare(store.read("state"), vector({2, 3}), exact("integers")));
        program.run();
        CHECK(compare(program.get("seen"), vector({20, 30}), exact("integers")));
        CHECK(compare(store.read("state"), vector({3, 5}), exact("integers")));
    }

    TEST_CASE_FIXTURE(Fixture, "a guarded assign keeps the old value while its guard is not finite") {
        const Value state = entry(graph, "state", {2}, 1);
        const Value guard = graph.input("guard", {}, DType::f32);
        graph.assign(state, scale(state, 2), guard);
        Program program = compiled();
        program.set("guard", std::numeric_limits<double>::quiet_NaN());
        program.run();
        CHECK(compare(store.read("state"), vector({1, 1}), exact("kept")));
        program.set("guard", std::numeric_limits<double>::infinity());
        program.run();
        CHECK(compare(store.read("state"), vector({1, 1}), exact("kept")));
        program.set("guard", 0.0);
        program.run();
        CHECK(compare(store.read("state"), vector({2, 2}), exact("doubled")));
    }

    TEST_CASE_FIXTURE(Fixture, "derived tensors follow their sources, across programs of one store") {
        const Value x = graph.input("x", {1, 5, 5, 3}, DType::f32);
        graph.output("y", folded_layer(graph, x));
        Program evaluation = compiled();

        Graph training_graph;  // changes the filter that the evaluation has folded and packed
        const Value w = entry(training_graph, "w", {4, 3, 3, 3});
        training_graph.assign(w, add(w, training_graph.input("dw", {4, 3, 3, 3}, DType::f32)));
        Program training = compile(training_graph, store, *backend, {});

        const Tensor image = hashed({1, 5, 5, 3}, 1);
        store.write("w", hashed({4, 3, 3, 3}, 2));
        store.write("mean", hashed({4}, 3));
        evaluation.set("x", image);
        evaluation.run();
        const Tensor before = evaluation.get("y");
        training.set("dw", hashed({4, 3, 3, 3}, 4));
        training.run();
        evaluation.run();
        const Tensor after = evaluation.get("y");
        CHECK_FALSE(compare(after, before, exact("the filter changed")));

        Store fresh(backend->memory());  // the same weights in a store that has never seen others
        declare_entries(graph, fresh);
        for (const std::string& name : store.names()) fresh.write(name, store.read(name));
        Program once = compile(graph, fresh, *backend, {});
        once.set("x", image);
        once.run();
        CHECK(compare(once.get("y"), after, exact("same weights, same program, same bits")));
        store.write("var", vector({4, 4, 4, 4}));  // written from outside
        evaluation.run();
        CHECK_FALSE(compare(evaluation.get("y"), after, exact("the variance changed")));
    }

    TEST_CASE_FIXTURE(Fixture, "folding and fusion change rounding only") {
        const Value x = graph.input("x", {2, 6, 6, 3}, DType::f32);
        const Value y = folded_layer(graph, x);
        graph.output("y", relu(add(y, conv2d(y, entry(graph, "w2", {4, 1, 1, 4})))));
        declare_entries(graph, store);
        std::uint32_t seed = 10;
        for (const std::string& name : store.names()) {
            const Shape shape = store.entry(name).spec.spec.shape;
            if (name != "var") store.write(name, hashed(shape, ++seed));
        }
        Program fused = compiled(), plain = compiled({.fusion = CompileOptions::Fusion::off});
        for (Program* program : {&fused, &plain}) {
            program->set("x", hashed({2, 6, 6, 3}, 5));
            program->run();
        }
        plain.run();
        const Tensor expected = plain.get("y");
        fused.run();
        CHECK(compare(fused.get("y"), expected, relative_to_largest(1e-5, "f32 sums of 27 products in another order")));
    }

    TEST_CASE_FIXTURE(Fixture,
                      "a batch norm in training with fused add and relu gives what the three give one by one") {
        const Value x = graph.input("x", {4, 5, 5, 3}, DType::f32), running = entry(graph, "mean", {6});
        const Value w = graph.entry({.name = "w", .spec = {{6, 3, 3, 3}, DType::f32}, .trainable = true});
        const Value gamma = graph.entry({.name = "gamma", .spec = {{6}, DType::f32}, .trainable = true});
        const BatchNormResult norm = batch_norm(conv2d(x, w, {.padding = {1, 1}}), gamma, gamma, 1e-5);
        graph.assign(running, lerp(running, norm.mean, graph.constant({}, 0.1)));
        const Value shortcut = conv2d(x, entry(graph, "w2", {6, 1, 1, 3}, 0.5));
        const Value y = relu(add(norm.y, shortcut));
        graph.output("y", y);
        for (const ParameterGradient& p : parameter_gradients(reduce_sum(multiply(y, y), {0, 1, 2, 3})))
            graph.output(p.parameter.name, p.gradient);
        declare_entries(graph, store);
        Program fused = compiled(), plain = compiled({.fusion = CompileOptions::Fusion::off});
        CHECK(fused.text().find("+add relu") != std::string::npos);
        std::vector<std::vector<Tensor>> found;
        for (Program* program : {&plain, &fused}) {
            store.write("w", hashed({6, 3, 3, 3}, 1));
            store.write("gamma", vector({1, -0.5f, 2, 0.25f, 1, 1}));
            store.write("mean", vector({0, 0, 0, 0, 0, 0}));
            program->set("x", hashed({4, 5, 5, 3}, 3));
            program->run();
            found.push_back({});
            for (const char* name : {"y", "w", "gamma"}) found.back().push_back(program->get(name).clone());
            found.back().push_back(store.read("mean"));
        }
        for (std::size_t i = 0; i < found[0].size(); ++i) {
            CAPTURE(i);
            CHECK(compare(found[1][i], found[0][i], relative_to_largest(1e-6, "f32, the same sums")));
        }
    }

    TEST_CASE_FIXTURE(Fixture, "bf16 stays near f32 and the logits are f32") {
        const Value x = graph.input("x", {4, 8}, DType::f32);
        const Value hidden = relu(linear(x, entry(graph, "w1", {16, 8}), entry(graph, "b1", {16})));
        graph.output("logits", linear(hidden, entry(graph, "w2", {5, 16}), entry(graph, "b2", {5})));
        declare_entries(graph, store);
        std::uint32_t seed = 20;
        for (const std::string& name : store.names())
            store.write(name, hashed(store.entry(name).spec.spec.shape, ++seed));
        Program low = compiled({.precision = Precision::bf16}), full = compiled();
        low.set("x", hashed({4, 8}, 6));
        full.set("x", hashed({4, 8}, 6));
        full.run();
        const Tensor expected = full.get("logits");
        low.run();
        CHECK(low.get("logits").dtype() == DType::f32);
        CHECK(compare(low.get("logits"), expected, relative_to_largest(0.02, "8 significant bits, two layers")));
        CHECK_FALSE(compare(low.get("logits"), expected, exact("rounding to bf16 must show")));
    }

    TEST_CASE_FIXTURE(Fixture,
                      "a training step with SGD lowers the loss, in place, and skips a step that is not finite") {
        const Value x = graph.input("x", {6, 4}, DType::f32);
        const Value labels = graph.input("labels", {6}, DType::i32);
        const Value rate = graph.input("rate", {}, DType::f32);
        const Value w = graph.entry({.name = "w", .spec = {{3, 4}, DType::f32}, .trainable = true});
        const Loss loss = softmax_cross_entropy(linear(x, w), labels);
        const ParameterGradient p = parameter_gradients(loss.sum)[0];
        const Value norm = graph.append1(ops::GlobalNorm{}, {p.gradient});
        const Value factor = graph.append1(ops::ClipScale{}, {norm, loss.denominator, loss.sum});
        graph.assign(w, graph.append1(ops::SgdUpdate{}, {w, p.gradient, rate, factor}));
        graph.output("loss", loss.sum);
        Program program = compiled();
        const std::vector<Program::Listed> listing = program.listing();
        CHECK(std::ranges::any_of(listing, [](const Program::Listed& line) {
            return line.op == "sgd_update" && line.results[0].entry == "w" && !line.results[0].offset;
        }));
        program.set("x", hashed({6, 4}, 7));
        Tensor classes(Shape{6}, DType::i32);
        for (std::size_t i = 0; i < 6; ++i) classes.values<std::int32_t>()[i] = static_cast<std::int32_t>(i % 3);
        program.set("labels", classes);
        program.set("rate", 0.5);
        program.run();
        const double first = program.scalar("loss");
        for (int i = 0; i < 50; ++i) program.run();
        CHECK(program.scalar("loss") < 0.8 * first);
        const Tensor before = store.read("w");
        Tensor bad = hashed({6, 4}, 7);
        bad.values<float>()[3] = std::numeric_limits<float>::infinity();
        program.set("x", bad);
        program.run();
        CHECK(compare(store.read("w"), before, exact("a step without a finite loss changes nothing")));
    }

    TEST_CASE_FIXTURE(Fixture, "what does not fit is an error that says so") {
        graph.output("y", relu(graph.input("x", {3}, DType::f32)));
        CHECK_THROWS_WITH_AS(compiled({.precision = Precision::f64}), doctest::Contains("f64"), Error);
        Graph missing;
        missing.output("y", relu(entry(missing, "nowhere", {3})));
        CHECK_THROWS_WITH_AS(compile(missing, store, *backend, {}), doctest::Contains("'nowhere'"), Error);
    }
}
