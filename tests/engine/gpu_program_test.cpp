// Training steps on the GPU backend: replayed from a recording, and with one launch for all parameters, they leave the
// bits that the same steps leave when everything is enqueued one by one.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/error.h"
#include "engine/graph/gradients.h"
#include "engine/graph/program.h"
#include "engine/optim/optimizer.h"
#include "tests/engine/gpu_device.h"
#include "tests/hash_fill.h"

using namespace cambium;
using namespace cambium::test;

namespace {

enum class Help { none, join, record_and_join };

// The backend under test, with or without its ways to save launches, and how often they were used.
class Watched final : public Backend {
  public:
    Watched(Backend& inner, Help help) : inner_(inner), help_(help) {}
    std::string_view name() const override { return inner_.name(); }
    Memory& memory() override { return inner_.memory(); }
    bool keeps_values_apart() const override { return inner_.keeps_values_apart(); }
    std::optional<std::string> unsupported(const NodeSpec& node) const override { return inner_.unsupported(node); }
    std::unique_ptr<Executable> prepare(const NodeSpec& node) override { return inner_.prepare(node); }
    std::unique_ptr<Executable> reorder(const OperandSpec& from, const Layout& to) override {
        return inner_.reorder(from, to);
    }
    std::unique_ptr<Executable> join(std::span<Executable* const> parts) override {
        if (help_ == Help::none) return nullptr;
        std::unique_ptr<Executable> whole = inner_.join(parts);
        if (whole != nullptr) joined.push_back(parts.size());
        return whole;
    }
    std::unique_ptr<Recording> record(const std::function<void()>& enqueue) override {
        if (help_ != Help::record_and_join) return nullptr;
        ++recordings;
        return std::make_unique<Counted>(inner_.record(enqueue), replays);
    }
    void synchronize() override { inner_.synchronize(); }

    std::vector<std::size_t> joined{};
    int recordings = 0, replays = 0;

  private:
    struct Counted final : Recording {
        Counted(std::unique_ptr<Recording> of, int& count) : inner(std::move(of)), replays(count) {}
        void replay() override {
            ++replays;
            inner->replay();
        }
        std::unique_ptr<Recording> inner;
        int& replays;
    };
    Backend& inner_;
    Help help_;
};

enum class Rule { sgd, nesterov, adamw };

constexpr std::int64_t rows = 6, features = 17, hidden = 9, classes = 5;
constexpr int steps = 20, broken_step = 7;

Value parameter(Graph& graph, const std::string& name, Shape shape) {
    return graph.entry(
        {.name = name, .spec = {shape, DType::f32}, .initializer = Initializer::uniform(0.3), .trainable = true});
}

Value logits(Graph& graph) {
    const Value x = graph.input("x", {rows, features}, DType::f32);
    const Value h = relu(linear(x, parameter(graph, "w1", {hidden, features}), parameter(graph, "b1", {hidden})));
    return linear(h, parameter(graph, "w2", {classes, hidden}), parameter(graph, "b2", {classes}));
}

Graph training_graph(Rule rule) {
    Graph graph;
    const Loss loss = softmax_cross_entropy(logits(graph), graph.input("labels", {rows}, DType::i32));
    const std::vector<ParameterGradient> gradients = parameter_gradients(loss.sum);
    const ParameterTable table = [](const EntrySpec& entry) {
        const bool matrix = entry.spec.shape.rank() == 2;
        return ParameterOptions{.rate_factor = matrix ? 1.0 : 0.5, .weight_decay = matrix ? 0.01 : 0.0};
    };
    if (rule == Rule::adamw) {
        average_weights(graph, adamw(graph, gradients, loss, {.max_norm = 1.0, .parameters = table}).scale);
    } else {
        const auto kind = rule == Rule::sgd ? ops::SgdUpdate::Momentum::heavy_ball : ops::SgdUpdate::Momentum::nesterov;
        average_weights(graph, sgd(graph, gradients, loss, {.momentum = 0.9, .kind = kind, .parameters = table}).scale);
    }
    graph.output("loss", loss.sum);
    return graph;
}

struct Result {
    std::vector<double> losses;
    std::vector<Tensor> entries;
};

// Steps with changing rates, one of which is skipped for its data is not finite, and an evaluation now and then.
Result train(Watched& backend, Rule rule, Precision precision) {
    Store store(backend.memory());
    const Graph graph = training_graph(rule);
    declare_entries(graph, store);
    start_averages(graph, store);
    Graph tested;
    tested.output("logits", logits(tested));
    const CompileOptions options{.precision = precision};
    Program step = compile(graph, store, backend, options), evaluation = compile(tested, store, backend, options);
    Result result;
    Tensor x({rows, features}, DType::f32), labels({rows}, DType::i32);
    for (int i = 0; i < steps; ++i) {
        hash_fill(x.values<float>(), static_cast<std::uint32_t>(i), 15);
        if (i == broken_step) x.values<float>()[3] = std::numeric_limits<float>::infinity();
        for (std::size_t row = 0; row < labels.values<std::int32_t>().size(); ++row) {
            labels.values<std::int32_t>()[row] =
                static_cast<std::int32_t>((row * 3 + static_cast<std::size_t>(i)) % classes);
        }
        step.set("x", x);
        step.set("labels", labels);
        step.set("learning_rate", 0.01 * (1 + i % 3));
        step.set("average_rate", 0.1);
        step.run();
        if (i != broken_step) result.losses.push_back(step.scalar("loss"));
        if (i % 8 == 4) {
            evaluation.set("x", x);
            evaluation.run();
            result.entries.push_back(evaluation.get("logits"));
        }
    }
    for (const std::string& name : store.names()) result.entries.push_back(store.read(name));
    return result;
}

void check_equal_bits(const Result& a, const Result& b) {
    CHECK(a.losses == b.losses);
    REQUIRE(a.entries.size() == b.entries.size());
    for (std::size_t i = 0; i < a.entries.size(); ++i) {
        CAPTURE(i);
        CHECK(std::ranges::equal(a.entries[i].bytes(), b.entries[i].bytes()));
    }
}

}  // namespace

TEST_CASE("replayed steps and joined updates leave the bits of single launches") {
    for (const Precision precision : {Precision::f32, Precision::bf16}) {
        for (const Rule rule : {Rule::sgd, Rule::nesterov, Rule::adamw}) {
            if (wanted_device() == gpu::Device::simt_check && rule == Rule::nesterov)
                continue;  // slow, and the same kernels
            CAPTURE(name_of(precision));
            CAPTURE(static_cast<int>(rule));
            Watched alone(wanted_backend(), Help::none), joined(wanted_backend(), Help::join),
                replayed(wanted_backend(), Help::record_and_join);
            const Result expected = train(alone, rule, precision);
            for (const double loss : expected.losses) CHECK(std::isfinite(loss));
            CHECK(expected.losses.size() == steps - 1);
            check_equal_bits(train(joined, rule, precision), expected);
            check_equal_bits(train(replayed, rule, precision), expected);
            CHECK(joined.joined == std::vector<std::size_t>{4});
            CHECK(replayed.joined == joined.joined);
            CHECK(replayed.replays >= steps - 4);
            CHECK(replayed.recordings <= 2);
        }
    }
}

TEST_CASE("uploads of every size arrive, and the host may change its own at once") {
    Memory& memory = wanted_backend().memory();
    const bool slow = wanted_device() == gpu::Device::simt_check;
    for (const std::size_t bytes :
         {std::size_t{1}, std::size_t{4096}, std::size_t{65536}, std::size_t{65537}, std::size_t{3} << 20}) {
        if (slow && bytes > 1 << 20) continue;
        std::vector<Buffer> targets;
        std::vector<std::uint8_t> host(bytes), back(bytes);
        for (int i = 0; i < 20; ++i) {  // more than there are places
            std::fill(host.begin(), host.end(), static_cast<std::uint8_t>(i + 1));
            memory.upload(targets.emplace_back(memory, bytes).data(), host.data(), bytes);
        }
        std::fill(host.begin(), host.end(), std::uint8_t{0});
        for (int i = 0; i < 20; ++i) {
            memory.download(back.data(), targets[static_cast<std::size_t>(i)].data(), bytes);
            CHECK(std::ranges::count(back, static_cast<std::uint8_t>(i + 1)) == static_cast<std::ptrdiff_t>(bytes));
        }
    }
}

TEST_CASE("what a recording could not repeat is an error in it") {
    Backend& backend = wanted_backend();
    Memory& memory = backend.memory();
    const Buffer buffer(memory, 16);
    std::uint32_t value = 7;
    memory.upload(buffer.data(), &value, sizeof value);
    const auto refuses = [&](auto&& call, const char* what) {
        CHECK_THROWS_WITH_AS((void)backend.record(call), doctest::Contains(what), Error);
    };
    refuses([&] { Buffer(memory, 16); }, "cannot allocate while a stream is recorded");
    refuses([&] { backend.synchronize(); }, "cannot wait for a stream");
    refuses([&] { memory.download(&value, buffer.data(), sizeof value); }, "cannot copy to the host");
    refuses([&] { (void)backend.record([] {}); }, "cannot record a stream");
    // Nothing of that is left behind.
    const std::unique_ptr<Recording> zeroed = backend.record([&] { memory.zero(buffer.data(), 16); });
    memory.download(&value, buffer.data(), sizeof value);
    CHECK(value == 7);
    zeroed->replay();
    memory.download(&value, buffer.data(), sizeof value);
    CHECK(value == 0);
}
