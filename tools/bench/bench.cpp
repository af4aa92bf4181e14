// cambium bench step: times forward, loss, backward and the SGD-momentum update of a network for 1000 classes at 224
// px, on data in memory. The figure is the median of repeated steps, after warm-up; the peak is the whole process's.
#include "tools/bench/bench.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "engine/base/fail.h"
#include "engine/base/parallel.h"
#include "engine/base/philox.h"
#include "tools/bench/batch_memory.h"
#include "tools/bench/kernels.h"
#include "tools/bench/timing.h"
#include "tools/bench/training_graph.h"
#include "tools/common/command.h"
#include "tools/common/device.h"
#include "tools/common/json_writer.h"
#include "tools/common/terminal.h"

namespace cambium {
namespace {

struct Options {
    std::string what, model = "resnet50", device = "auto", precision, provider = "own";
    std::int64_t batch = 32;
    std::optional<int> steps{};
    double seconds = 10;
    bool json = false;
};

constexpr std::int64_t classes = 1000;

double run_once(Program& program) {
    const auto start = std::chrono::steady_clock::now();
    program.run();
    program.wait();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double median_milliseconds(Program& program, const Options& options) {
    for (int warm_up = 0; warm_up < 2; ++warm_up) run_once(program);
    std::vector<double> times;
    double total = 0;
    const auto least = static_cast<std::size_t>(options.steps.value_or(3));
    while (times.size() < least || (!options.steps && total < 1000 * options.seconds)) {
        times.push_back(run_once(program));
        total += times.back();
    }
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    return *middle;
}

void set_data(Program& program, std::int64_t batch, std::int64_t side) {
    RandomStream random(0, 0);
    Tensor images({batch, side, side, 3}, DType::u8), labels({batch}, DType::i32);
    for (std::uint8_t& value : images.values<std::uint8_t>()) value = static_cast<std::uint8_t>(random.below(256));
    for (std::int32_t& label : labels.values<std::int32_t>()) {
        label = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(classes)));
    }
    program.set("images", images);
    program.set("labels", labels);
    program.set("learning_rate", 1e-3);
}

Exit bench_step(const Options& options) {
    Device device = open_device(options.device, options.precision, options.provider);
    const Architecture& chosen = architecture(options.model);
    Preprocessing preprocessing = chosen.preprocessing;
    preprocessing.crop = 224;
    const auto trace = [&](Graph& graph, std::int64_t batch) {
        trace_training_step(graph, chosen, batch, classes, preprocessing);
    };
    require_memory(fmt::format("a training step of {}", chosen.name), trace, options.batch, device);
    Graph graph;
    trace(graph, options.batch);
    Store store(device.backend->memory(), device.real());
    declare_entries(graph, store);
    Program program = compile(graph, store, *device.backend, {.precision = device.precision});
    say_how(program, device);
    set_data(program, options.batch, preprocessing.crop);
    const double milliseconds = median_milliseconds(program, options);
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const double peak = static_cast<double>(usage.ru_maxrss) / 1024,
                 rate = 1000 * static_cast<double>(options.batch) / milliseconds;
    if (options.json) {
        JsonWriter json;
        json.begin_object().field("images_per_second", rate).field("milliseconds", milliseconds);
        json.field("peak_memory_mb", peak).field("model", options.model).field("batch", options.batch);
        json.field("precision", name_of(device.precision)).field("device", device.backend->name());
        json.field("provider", options.provider);
        json.field("threads", thread_count()).field("gflops", program.flops() / milliseconds * 1e-6).end_object();
        print(json.text() + "\n");
    } else {
        const std::string text = fmt::format(
            "{} batch {} {} on {}, {} threads: {:.1f} ms a step, {:.{}f} images/s, {:.1f} GFLOP/s, peak memory {:.0f} "
            "MB",
            options.model, options.batch, name_of(device.precision), device.backend->name(), thread_count(),
            milliseconds, rate, rate < 10 ? 2 : 1, program.flops() / milliseconds * 1e-6, peak);
        print(wrapped(text, result_width(), 2) + "\n");
    }
    return Exit::done;
}

}  // namespace

int bench_command(int argc, char** argv) {
    Options options;
    TimingOptions timing;
    std::string variant = "tuned";
    bool counters = false;
    CommandLine line(
        "bench",
        "step: times a training step, forward, loss, backward and SGD-momentum update of 1000 classes at 224 px. "
        "kernels: "
        "times each of its CUDA kernels on a GPU, 256 images unless --batch says otherwise; or, with --counters, what "
        "their memory accesses cost, counted on the CPU, with one image.");
    line.positional("WHAT", options.what, "step or kernels");
    line.option("--model", options.model, "Architecture");
    line.option("--batch", options.batch, "Images a step", 1, 65536);
    line.option("--steps", options.steps, "Steps to time; else as many as --seconds hold, at least three", 1,
                1'000'000);
    line.option("--seconds", options.seconds, "How long to time", 0, 1e6);
    line.flag("--json", options.json, "One JSON object on standard output");
    line.option("--device", options.device, device_help);
    line.option("--precision", options.precision, precision_help);
    line.option("--provider", options.provider, provider_help);
    line.option("--vendor-seconds", timing.vendor_seconds,
                "kernels: how long to compare with cuDNN and cuBLASLt; 0: not at all", 0, 1e6);
    line.option("--kernel", timing.kernel, "kernels: only those with this in their operator's name");
    line.flag("--counters", counters, "kernels: bank conflicts and sectors, counted on the CPU");
    line.option("--variant", variant, "kernels: tuned, or plain, each family's first version");
    line.option("--baseline", timing.baseline, "kernels: a file with an earlier --json, to compare with");
    line.option("--sweep", timing.sweep, "kernels: time every tile and split of each product, into this CSV file");
    line.flag("--once", timing.once, "kernels: run each once in a named range (NVTX), for a profiler");
    return line.run(argc, argv, [&] {
        if (options.what != "step" && options.what != "kernels") {
            fail_usage("there is no benchmark '{}'; there are: step, kernels", options.what);
        }
        const auto refuse = [&](std::initializer_list<const char*> others, std::string_view with) {
            for (const char* option : others) {
                if (line.given(option)) fail_usage("{} does not go with {}", option, with);
            }
        };
        if (options.what == "step") {
            refuse({"--vendor-seconds", "--kernel", "--counters", "--variant", "--baseline", "--sweep", "--once"},
                   "bench step");
            return bench_step(options);
        }
        refuse({"--steps", "--seconds"}, "bench kernels");
        if (line.given("--provider")) {
            fail_usage("bench kernels compares both providers by itself; --provider goes with bench step");
        }
        if (counters) {
            refuse({"--vendor-seconds", "--variant", "--baseline", "--sweep", "--once", "--device"}, "--counters");
            KernelOptions wanted{.model = options.model, .kernel = timing.kernel, .json = options.json};
            if (!options.precision.empty()) wanted.precision = options.precision;
            if (line.given("--batch")) wanted.batch = options.batch;
            return bench_counters(wanted);
        }
        if (options.device != "cuda") {
            fail_usage(
                "times of single kernels need a GPU: give --device cuda; --counters counts on the CPU what their "
                "accesses cost");
        }
        if (variant != "tuned" && variant != "plain") fail_usage("--variant is tuned or plain, not '{}'", variant);
        timing.model = options.model, timing.json = options.json;
        if (variant == "plain") timing.variant = gpu::Variant::plain;
        if (!options.precision.empty()) timing.precision = options.precision;
        if (line.given("--batch")) timing.batch = options.batch;
        return bench_times(timing, gpu::Device::cuda);
    });
}

}  // namespace cambium
