#include "tools/bench/timing.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "data/formats/atomic_file.h"
#include "engine/backends/rules.h"
#include "engine/base/fail.h"
#include "engine/ops/any.h"
#include "tools/bench/batch_memory.h"
#include "tools/bench/kernels.h"
#include "tools/bench/training_graph.h"
#include "tools/common/json_writer.h"
#include "tools/common/progress.h"
#include "tools/common/terminal.h"

namespace cambium {
namespace {

constexpr double most_reference_flops = 3e8;  // what the f64 reference does in about a second
constexpr std::size_t most_reference_bytes = 64 << 20;

double interquartile_share(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t n = values.size();
    return (values[n * 3 / 4] - values[n / 4]) / values[n / 2];
}

std::vector<Tensor> reference_results(const NodeSpec& node, const std::vector<Tensor>& inputs) {
    const std::unique_ptr<Backend> reference = make_reference_backend();
    NodeSpec wide = node;
    std::vector<Tensor> operands;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const bool real = is_real(inputs[i].dtype());
        operands.push_back(real ? inputs[i].converted(DType::f64) : inputs[i].clone());
        if (real) wide.inputs[i].tensor.dtype = DType::f64;
    }
    for (OperandSpec& output : wide.outputs) {
        if (is_real(output.tensor.dtype)) output.tensor.dtype = DType::f64;
    }
    const BoundNode bound(*reference, wide, operands);
    bound.enqueue();
    return bound.results();
}

bool suits_the_reference(const NodeSpec& node, const CountedNode& of) {
    return node.epilogue.empty() && of.flops <= most_reference_flops && of.bytes <= most_reference_bytes;
}

void measure(Timing& timing, const BoundNode& bound, gpu::Stopwatch& stopwatch, const Repeats& repeats) {
    std::vector<double> warm, flushed;
    for (int series = 0; series < repeats.series; ++series) {
        stopwatch.start();
        for (int run = 0; run < repeats.in_a_row; ++run) bound.enqueue();
        warm.push_back(stopwatch.stop() / repeats.in_a_row);
    }
    for (int run = 0; run < repeats.flushed; ++run) {
        stopwatch.flush_l2();
        stopwatch.start();
        bound.enqueue();
        flushed.push_back(stopwatch.stop());
    }
    timing.warm = median(warm);
    timing.flushed = median(flushed);
    timing.spread = interquartile_share(flushed);
}

Precision precision_of(const std::string& name) {
    for (const Precision precision : {Precision::bf16, Precision::f32, Precision::tf32}) {
        if (name == name_of(precision)) return precision;
    }
    fail_usage("the kernels compute in bf16, f32 or tf32, not in '{}'", name);
}

constexpr std::string_view header =
    "times  us warm  flushed spread TFLOP/s   GB/s  roof vendor     error judge  MHz kernel and shape\n";

// Beyond this two results are not roundings of the same thing.
constexpr double most_difference = 0x1p-5;

std::string text_of(const Timing& t, const Ceilings& ceilings) {
    const double seconds = 1e-6 * t.flushed;
    std::string text = fmt::format(
        "{:>5} {:>8.1f} {:>8.1f} {:>5.0f}% {:>7.1f} {:>6.0f} {:>4.0f}% {:>6} {:>9.1e} {:<5} {:>4}{} {}", t.count,
        t.warm, t.flushed, 100 * t.spread, 1e-12 * t.flops / seconds, 1e-9 * static_cast<double>(t.bytes) / seconds,
        100 * share_of_roofline(t, ceilings), t.vendor ? fmt::format("{:.2f}x", t.vendor->ratio) : "-", t.error,
        t.judge, t.clock.sm_mhz, t.clock.throttled.empty() ? " " : "*", t.name);
    if (t.before) text += fmt::format("  ({:.2f}x the baseline's time)", t.flushed / *t.before);
    if (t.vendor && t.vendor->difference > most_difference) {
        text += fmt::format("  {}'S RESULT IS ANOTHER, BY {:.1e}", t.vendor->provider, t.vendor->difference);
    }
    if (t.differing > 0) text += fmt::format("  {} WORDS DIFFER BETWEEN RUNS", t.differing);
    return text + "\n";
}

void write_json(JsonWriter& json, const Timing& t, const Ceilings& ceilings) {
    json.begin_object().field("name", t.name).field("provider", t.provider).field("count", t.count);
    json.field("flops", t.flops).field("bytes", t.bytes).field("microseconds_warm", t.warm);
    json.field("microseconds_flushed", t.flushed).field("spread", t.spread);
    json.field("roofline_share", share_of_roofline(t, ceilings)).field("error", t.error).field("judge", t.judge);
    json.field("differing_words", t.differing).field("sm_mhz", t.clock.sm_mhz).field("throttled", t.clock.throttled);
    if (t.before) json.field("baseline_microseconds_flushed", *t.before);
    if (t.vendor) {
        json.field("vendor_provider", t.vendor->provider).field("vendor_microseconds_flushed", t.vendor->flushed);
        json.field("vendor_ratio", t.vendor->ratio).field("vendor_difference", t.vendor->difference);
    }
    json.end_object();
}

// Names and flushed times of an earlier run's JSON.
std::map<std::string, double> read_baseline(const std::string& path) {
    std::map<std::string, double> times;
    if (path.empty()) return times;
    std::ifstream file(path);
    if (!file) fail("cannot read the baseline {}", path);
    const auto json = nlohmann::json::parse(file, nullptr, false);
    try {
        for (const auto& kernel : json.at("kernels")) {
            times.emplace(kernel.at("name"), kernel.at("microseconds_flushed").get<double>());
        }
    } catch (const nlohmann::json::exception&) {
        fail("{} is not what `cambium bench kernels --json` writes", path);
    }
    return times;
}

// Milliseconds of a whole step: median of seven, after it has been recorded.
double step_milliseconds(const TimingOptions& options, Backend& backend, Precision precision) {
    Preprocessing preprocessing = architecture(options.model).preprocessing;
    preprocessing.crop = 224;
    Graph graph;
    trace_training_step(graph, architecture(options.model), options.batch, 1000, preprocessing);
    Store store(backend.memory());
    declare_entries(graph, store);
    Program program = compile(graph, store, backend, {.precision = precision});
    program.set("learning_rate", 1e-3);
    std::vector<double> times;
    for (int run = 0; run < 10; ++run) {
        const auto start = std::chrono::steady_clock::now();
        program.run();
        program.wait();
        if (run >= 3) {
            times.push_back(
                std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
        }
    }
    return median(times);
}

class Bench {
  public:
    Bench(const TimingOptions& options, gpu::Device device)
        : options_(options),
          device_(device),
          precision_(precision_of(options.precision)),
          baseline_(read_baseline(options.baseline)) {
        gpu_.math = precision_ == Precision::tf32 ? gpu::Math::tf32 : gpu::Math::f32;
        gpu_.variant = options.variant;
        backend_ = gpu::make_backend(device, gpu_);
        stopwatch_ = gpu::make_stopwatch(device, *backend_);
        if (options.variant == gpu::Variant::tuned) {
            gpu::Options plain = gpu_;
            plain.variant = gpu::Variant::plain;
            plain_ = gpu::make_backend(device, plain);
        }
        open_vendor();
        nodes_ = step_nodes(architecture(options.model), options.batch, precision_, *backend_);
        std::erase_if(nodes_, [&](const CountedNode& one) {
            return name_of(one.node.op).find(options.kernel) == std::string_view::npos;
        });
        if (nodes_.empty()) {
            fail_usage("no kernel of a step of {} has '{}' in its name; conv2d is one that does", options.model,
                       options.kernel);
        }
    }

    // Each node once, in a named range: for a profiler.
    void run_once() {
        for (const CountedNode& one : nodes_) {
            const BoundNode bound(*backend_, one.node, node_inputs(one.node, 1));
            stopwatch_->begin_range(describe(one.node));
            bound.enqueue();
            backend_->synchronize();
            stopwatch_->end_range();
        }
        print(fmt::format("{} kernels, each run once in a range of its name\n", nodes_.size()));
    }

    void run() {
        ceilings_.copy = stopwatch_->copy_rate();
        if (precision_ != Precision::f32)
            ceilings_.tensor_cores = stopwatch_->tensor_core_rate(precision_ == Precision::bf16);
        if (!options_.json) {
            print(fmt::format("{}\nceilings: copy {:.0f} GB/s, mma.sync alone {:.1f} TFLOP/s", gpu::describe(device_),
                              1e-9 * ceilings_.copy, 1e-12 * ceilings_.tensor_cores));
            if (ceilings_.library > 0) {
                print(fmt::format(", cuBLASLt's 8192^3 product {:.1f} TFLOP/s", 1e-12 * ceilings_.library));
            }
            print(fmt::format("\nvendor, the time of cuDNN or cuBLASLt over ours: {}\n", vendor_says_));
            print(header);
        }
        double sum = 0;
        {
            Progress progress("timing", static_cast<std::int64_t>(nodes_.size()), "kernels");
            for (const CountedNode& one : nodes_) {
                progress.show(static_cast<std::int64_t>(timings_.size()));
                Timing& timing = timings_.emplace_back(
                    time_node(one, *backend_, plain_.get(), *stopwatch_, comparison(), options_.repeats));
                if (const auto before = baseline_.find(timing.name); before != baseline_.end()) {
                    timing.before = before->second;
                }
                sum += 1e-3 * timing.count * timing.warm;
                if (!options_.json) print(text_of(timing, ceilings_));
            }
        }
        std::optional<double> step;
        if (options_.step && options_.kernel.empty()) step = step_milliseconds(options_, *backend_, precision_);
        if (options_.json) return print(json(sum, step));
        if (vendor_) say_failures();
        std::string text = fmt::format("\nsum of all: {:.2f} ms warm", sum);
        if (step) text += fmt::format("; the measured step: {:.2f} ms, {:.2f} of the sum", *step, *step / sum);
        print(text + "\n");
        if (std::ranges::any_of(timings_, [](const Timing& t) { return !t.clock.throttled.empty(); })) {
            print("* clocks were lowered, three times in a row\n");
        }
    }

    // Kernels whose results were wrong, or differed between runs.
    std::ptrdiff_t wrong() const {
        return std::ranges::count_if(timings_,
                                     [](const Timing& t) { return t.differing > 0 || !(t.error <= most_difference); });
    }

    // Every plan of each product, a line each.
    void sweep() {
        std::string csv = "kernel,tile,splits,microseconds_warm,chosen\n";
        Progress progress("sweeping", static_cast<std::int64_t>(nodes_.size()), "kernels");
        std::int64_t done = 0;
        for (const CountedNode& one : nodes_) {
            progress.show(done++);
            if (!multiplies(one.node.op) || is_any<ops::Attention, ops::AttentionGradient>(one.node.op)) continue;
            const std::vector<Tensor> inputs = node_inputs(one.node, 1);
            const int tiles = std::holds_alternative<ops::MatMul>(one.node.op) ? 2 : 3;
            for (int tile = -1; tile < tiles; ++tile) {  // -1: what the heuristic chooses
                for (int splits = 1; splits <= (tile < 0 ? 1 : 64); splits *= 2) {
                    gpu::Options options = gpu_;
                    if (tile >= 0) options.plan = gpu::ForcedPlan{.tile = tile, .splits = splits};
                    const std::unique_ptr<Backend> backend = gpu::make_backend(device_, options);
                    const std::unique_ptr<gpu::Stopwatch> stopwatch = gpu::make_stopwatch(device_, *backend);
                    const BoundNode bound(*backend, one.node, inputs);
                    Timing timing;
                    bound.enqueue();
                    measure(timing, bound, *stopwatch, options_.repeats);
                    csv += fmt::format("\"{}\",{},{},{:.2f},{}\n", describe(one.node),
                                       tile < 0 ? "" : std::to_string(tile), tile < 0 ? "" : std::to_string(splits),
                                       timing.warm, tile < 0 ? 1 : 0);
                }
            }
        }
        write_atomically(options_.sweep, csv);
        print(fmt::format("{} written\n", options_.sweep));
    }

  private:
    // What there is to compare with, and the best that it reaches; without it, why.
    void open_vendor() {
        if (options_.vendor_seconds <= 0 || options_.once || !options_.sweep.empty()) {
            vendor_says_ = "not asked for";
            return;
        }
        gpu::Options theirs = gpu_;
        theirs.provider = gpu::Provider::vendor;
        try {
            vendor_backend_ = gpu::make_backend(device_, theirs);
            vendor_stopwatch_ = gpu::make_stopwatch(device_, *vendor_backend_);
            vendor_.emplace(*vendor_backend_, *vendor_stopwatch_, options_.vendor_seconds);
            vendor_says_ = gpu::describe_vendor().value_or("");
            ceilings_.library = vendor_->product_rate(precision_ == Precision::bf16 ? DType::bf16 : DType::f32);
        } catch (const Error& error) {
            vendor_says_ = error.what();
        }
    }
    VendorComparison* comparison() { return vendor_ ? &*vendor_ : nullptr; }
    void say_failures() const {
        for (const std::string& failure : vendor_->failures()) print(fmt::format("not compared: {}\n", failure));
        if (vendor_->refused() > 0) {
            print(fmt::format("not compared, as the libraries do not do them: {} kernels\n", vendor_->refused()));
        }
        if (vendor_->left_out() > 0) {
            print(fmt::format("not compared for want of time: {} kernels; --vendor-seconds gives more\n",
                              vendor_->left_out()));
        }
    }

    std::string json(double sum, std::optional<double> step) const {
        JsonWriter json;
        json.begin_object().field("device", gpu::describe(device_)).field("model", options_.model);
        json.field("batch", options_.batch).field("precision", options_.precision);
        json.field("variant", options_.variant == gpu::Variant::plain ? "plain" : "tuned");
        json.field("copy_bytes_per_second", ceilings_.copy).field("mma_flops_per_second", ceilings_.tensor_cores);
        json.field("vendor", vendor_says_);
        if (ceilings_.library > 0) json.field("cublaslt_flops_per_second", ceilings_.library);
        if (vendor_) {
            json.field("vendor_left_out", vendor_->left_out())
                .field("vendor_refused", vendor_->refused())
                .key("vendor_failures")
                .begin_array();
            for (const std::string& failure : vendor_->failures()) json.value(failure);
            json.end_array();
        }
        json.field("sum_milliseconds_warm", sum);
        if (step) json.field("step_milliseconds", *step);
        json.key("kernels").begin_array();
        for (const Timing& timing : timings_) write_json(json, timing, ceilings_);
        return json.end_array().end_object().text() + "\n";
    }

    const TimingOptions& options_;
    gpu::Device device_;
    Precision precision_;
    std::map<std::string, double> baseline_;
    gpu::Options gpu_;
    std::unique_ptr<Backend> backend_, plain_;
    std::unique_ptr<gpu::Stopwatch> stopwatch_;
    std::unique_ptr<Backend> vendor_backend_;
    std::unique_ptr<gpu::Stopwatch> vendor_stopwatch_;
    std::optional<VendorComparison> vendor_;
    std::string vendor_says_;
    std::vector<CountedNode> nodes_;
    Ceilings ceilings_;
    std::vector<Timing> timings_;
};

}  // namespace

double share_of_roofline(const Timing& timing, const Ceilings& ceilings) {
    double seconds = static_cast<double>(timing.bytes) / ceilings.copy;
    if (timing.multiplies && ceilings.tensor_cores > 0)
        seconds = std::max(seconds, timing.flops / ceilings.tensor_cores);
    return seconds / (1e-6 * timing.flushed);
}

Timing time_node(const CountedNode& one, Backend& backend, Backend* plain, gpu::Stopwatch& stopwatch,
                 VendorComparison* vendor, const Repeats& repeats) {
    Timing timing{.name = describe(one.node), .count = one.count, .flops = one.flops, .bytes = one.bytes};
    timing.multiplies = multiplies(one.node.op);
    const std::vector<Tensor> inputs = node_inputs(one.node, 1);
    const BoundNode bound(backend, one.node, inputs);
    timing.provider = bound.executable().provider;
    // Correct first, and the same every time.
    bound.enqueue();
    const std::vector<Tensor> found = bound.results();
    const NodeSpec judged = without_moments(one.node);
    if (suits_the_reference(judged, one)) {
        timing.judge = "f64";
        timing.error = largest_error(found, reference_results(judged, inputs));
    } else if (plain != nullptr && !plain->unsupported(judged)) {
        timing.judge = "plain";
        const BoundNode judge(*plain, judged, inputs);
        judge.enqueue();
        timing.error = largest_error(found, judge.results());
    } else {
        timing.judge = "-";
    }
    timing.error = std::max(timing.error, moments_error(one.node, found));
    std::vector<Buffer> first;
    for (std::size_t i = 0; i < bound.outputs().size(); ++i) {
        const std::size_t bytes = one.node.outputs[i].bytes();
        backend.memory().copy(first.emplace_back(backend.memory(), bytes).data(), bound.outputs()[i], bytes);
    }
    for (int run = 1; run < repeats.equal; ++run) {
        bound.enqueue();
        for (std::size_t i = 0; i < first.size(); ++i) {
            timing.differing += stopwatch.differences(first[i].data(), bound.outputs()[i], first[i].bytes());
        }
    }
    for (int attempt = 0; attempt < 3; ++attempt) {  // again where clocks were lowered meanwhile
        measure(timing, bound, stopwatch, repeats);
        timing.clock = stopwatch.clock();
        if (timing.clock.throttled.empty()) break;
    }
    if (vendor != nullptr) timing.vendor = vendor->compare(one.node, inputs, bound, stopwatch, repeats.flushed);
    return timing;
}

Exit bench_times(const TimingOptions& options, gpu::Device device) {
    Bench bench(options, device);
    if (options.once) {
        bench.run_once();
    } else if (!options.sweep.empty()) {
        bench.sweep();
    } else {
        bench.run();
        if (bench.wrong() > 0) {
            say(fmt::format("{} kernels gave wrong or changing results", bench.wrong()));
            return Exit::failed;
        }
    }
    return Exit::done;
}

}  // namespace cambium
