// cambium check: every kernel, through the operators that use it, under simt's checker. A row per way of using an
// operator and kind of kernel: what was found, and what its accesses cost against the fewest possible (1.00 is ideal).
#include "tools/check/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <set>
#include <tuple>

#include "engine/base/fail.h"
#include "tools/check/checked_run.h"
#include "tools/common/command.h"
#include "tools/common/json_writer.h"
#include "tools/common/progress.h"

namespace cambium {
namespace {

using simt::Kind;

struct Options {
    std::string kernel;
    std::int64_t shapes = 10, seed = 0;
    bool counters = false, json = false;
};

enum class Group : std::uint8_t { races, memory, uninitialised, barriers };
constexpr std::size_t groups = 4;
constexpr std::array<std::string_view, groups> group_names{"races", "memory", "uninitialised", "barriers"};

Group group_of(Kind kind) {
    switch (kind) {
        case Kind::race_in_warp:
        case Kind::race_in_block:
        case Kind::race_between_blocks:
        case Kind::race_between_streams:
        case Kind::race_with_async_copy:
        case Kind::stale_read_only_load:
            return Group::races;
        case Kind::uninitialised_shared:
        case Kind::uninitialised_global:
        case Kind::uninitialised_register:
            return Group::uninitialised;
        case Kind::divergent_barrier:
        case Kind::exit_before_barrier:
        case Kind::wrong_mask:
        case Kind::divergent_instruction:
        case Kind::deadlock:
        case Kind::stuck_thread:
            return Group::barriers;
        default:
            return Group::memory;
    }
}

// Cost and ideal of one place in the source, or of several together.
struct Cost {
    std::uint64_t instructions = 0, cost = 0, ideal = 0;
    void add(const simt::Counter& counter) {
        instructions += counter.instructions;
        cost += counter.cost;
        ideal += counter.ideal;
    }
    double factor() const { return ideal == 0 ? 1.0 : static_cast<double>(cost) / static_cast<double>(ideal); }
};

struct PlaceKey {
    std::string kernel, file, operation;
    int line;
    auto operator<=>(const PlaceKey&) const = default;
};

bool is_global(const simt::Counter& counter) { return counter.operation.starts_with("global"); }

struct Row {
    std::string name, kernels, missing;  // kernels: "bf16", "f32 plain"
    std::int64_t shapes = 0;
    std::array<std::uint64_t, groups> found{};
    std::uint64_t registers = 0;
    Cost shared{}, global{};
    double seconds = 0;
    bool clean() const {
        return missing.empty() && registers == 0 && std::ranges::all_of(found, [](auto n) { return n == 0; });
    }
};

struct Result {
    std::vector<Row> rows;
    std::vector<simt::Report> reports;  // of each kind and place once
    std::map<PlaceKey, Cost> places;
    std::set<std::string> kernels;
    bool clean() const {
        return std::ranges::all_of(rows, [](const Row& row) { return row.clean(); });
    }
};

// The kinds of kernels: dtype of the activations, what products of f32 are computed in, plain or tuned.
struct KernelKind {
    std::string_view name;
    DType dtype;
    gpu::Options options;
};
const std::array<KernelKind, 6> kernel_kinds{{
    {"f32", DType::f32, {}},
    {"tf32", DType::f32, {.math = gpu::Math::tf32}},
    {"bf16", DType::bf16, {}},
    {"f32 plain", DType::f32, {.variant = gpu::Variant::plain}},
    {"tf32 plain", DType::f32, {.math = gpu::Math::tf32, .variant = gpu::Variant::plain}},
    {"bf16 plain", DType::bf16, {.variant = gpu::Variant::plain}},
}};

struct Job {
    cases::OpCase op_case;
    std::size_t kind;  // of kernel_kinds
};

// Whether an operator's results depend on what products are computed in.
bool multiplies(const Op& op) {
    return std::visit(
        [](const auto& one) {
            using T = std::decay_t<decltype(one)>;
            return std::is_same_v<T, ops::Conv2d> || std::is_same_v<T, ops::Conv2dInputGradient> ||
                   std::is_same_v<T, ops::Conv2dFilterGradient> || std::is_same_v<T, ops::MatMul> ||
                   std::is_same_v<T, ops::Attention> || std::is_same_v<T, ops::AttentionGradient>;
        },
        op);
}

std::vector<Job> jobs_for(const Options& options) {
    std::vector<Job> jobs;
    for (const cases::OpCase& op_case : cases::op_cases()) {
        if (!options.kernel.empty() && op_case.name.find(options.kernel) == std::string::npos) continue;
        RandomStream random = cases::stream_of(op_case, 0);
        const bool products = multiplies(op_case.draw(random).op);
        for (std::size_t kind = 0; kind < kernel_kinds.size(); ++kind) {
            if (kernel_kinds[kind].options.math == gpu::Math::f32 || products) jobs.push_back({op_case, kind});
        }
    }
    if (jobs.empty()) {
        fail_usage("no operator has '{}' in its name; `cambium check --kernel conv2d` is one that exists",
                   options.kernel);
    }
    return jobs;
}

void gather(const Finding& finding, Row& row, Result& result) {
    for (const simt::Report& report : finding.reports) {
        row.found[static_cast<std::size_t>(group_of(report.kind))] += report.count;
        const auto same = [&](const simt::Report& other) {
            return other.kind == report.kind && other.first.place.file == report.first.place.file &&
                   other.first.place.line == report.first.place.line;
        };
        if (std::ranges::none_of(result.reports, same)) result.reports.push_back(report);
    }
    row.registers += finding.depends_on_registers ? 1 : 0;
    for (const simt::Counter& counter : finding.counters) {
        result.kernels.insert(counter.kernel);
        if (counter.ideal == 0) continue;
        (is_global(counter) ? row.global : row.shared).add(counter);
        result.places[{counter.kernel, counter.place.file, counter.operation, counter.place.line}].add(counter);
    }
}

Row run_job(const Job& job, const Options& options, CheckedRuns& runs, Result& result) {
    const auto start = std::chrono::steady_clock::now();
    const KernelKind& kind = kernel_kinds[job.kind];
    Row row{.name = job.op_case.name, .kernels = std::string(kind.name), .missing = {}};
    for (std::int64_t shape = 0; shape < options.shapes && row.missing.empty(); ++shape) {
        RandomStream random = cases::stream_of(job.op_case, static_cast<std::uint64_t>(shape));
        const cases::Instance instance = job.op_case.draw(random);
        const std::vector<Tensor> inputs = cases::draw_inputs(instance, random, cases::Values::reals, kind.dtype);
        const NodeSpec node = plain_node(instance.op, inputs);
        if (const auto missing = runs.unsupported(node)) {
            row.missing = *missing;
            break;
        }
        gather(runs.run(node, inputs, static_cast<std::uint64_t>(options.seed), true), row, result);
        ++row.shapes;
    }
    row.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return row;
}

constexpr std::string_view header = "operator                    kernels    shapes race  mem init barr banks sectors\n";

std::string text_of(const Row& row) {
    if (!row.missing.empty()) return fmt::format("{:<27.27} {:<10} missing: {}\n", row.name, row.kernels, row.missing);
    const auto number = [&](Group group) { return row.found[static_cast<std::size_t>(group)]; };
    return fmt::format("{:<27.27} {:<10} {:>6} {:>4} {:>4} {:>4} {:>4} {:>5.2f} {:>7.2f}\n", row.name, row.kernels,
                       row.shapes, number(Group::races), number(Group::memory),
                       number(Group::uninitialised) + row.registers, number(Group::barriers), row.shared.factor(),
                       row.global.factor());
}

// The last two parts of a path: enough to find the file.
std::string short_path(const std::string& path) {
    const std::size_t name = path.rfind('/');
    if (name == std::string::npos || name == 0) return path;
    const std::size_t folder = path.rfind('/', name - 1);
    return folder == std::string::npos ? path : path.substr(folder + 1);
}

// "attention_tiles" of "cambium::attention::attention_tiles<...>", but "conv::tuned", which gemm has too.
std::string short_name(const std::string& kernel) {
    std::string name = kernel.substr(0, kernel.find_first_of("<("));
    if (name.starts_with("cambium::")) name.erase(0, std::string_view("cambium::").size());
    const std::size_t base = name.rfind("::");
    const std::string last = base == std::string::npos ? name : name.substr(base + 2);
    return last == "tuned" || last == "plain" ? name : last;
}

// "cp.async from" is as wide as the table has room for.
std::string_view short_operation(std::string_view operation) {
    if (operation == "cp.async source") return "cp.async from";
    return operation == "cp.async target" ? "cp.async to" : operation;
}

// A line for each place of a kernel, all of its instances together.
void print_counters(const Result& result) {
    std::map<std::tuple<std::string, std::string, int, std::string>, Cost> lines;
    for (const auto& [place, cost] : result.places) {
        Cost& sum = lines[{short_name(place.kernel), place.file.substr(place.file.rfind('/') + 1), place.line,
                           place.operation}];
        sum.instructions += cost.instructions;
        sum.cost += cost.cost;
        sum.ideal += cost.ideal;
    }
    print("\nkernel                      place                   access         times factor\n");
    for (const auto& [key, cost] : lines) {
        const auto& [kernel, file, line, operation] = key;
        print(fmt::format("{:<27.27} {:<23.23} {:<13.13} {:>6} {:>6.2f}\n", kernel, fmt::format("{}:{}", file, line),
                          short_operation(operation), cost.instructions, cost.factor()));
    }
}

std::string json_of(const Result& result, const gpu::Checker& checker) {
    JsonWriter json;
    json.begin_object().key("rows").begin_array();
    for (const Row& row : result.rows) {
        json.begin_object().field("operator", row.name).field("kernels", row.kernels).field("shapes", row.shapes);
        if (!row.missing.empty()) json.field("missing", row.missing);
        for (std::size_t i = 0; i < groups; ++i) json.field(group_names[i], row.found[i]);
        json.field("register_dependent", row.registers).field("bank_factor", row.shared.factor());
        json.field("sector_factor", row.global.factor()).field("seconds", row.seconds).end_object();
    }
    json.end_array().key("places").begin_array();
    for (const auto& [place, cost] : result.places) {
        json.begin_object().field("kernel", place.kernel).field("file", short_path(place.file));
        json.field("line", place.line).field("access", place.operation).field("instructions", cost.instructions);
        json.field("cost", cost.cost).field("ideal", cost.ideal).end_object();
    }
    json.end_array().field("clean", result.clean());
    // The reports are JSON already.
    std::string text = json.text();
    text += ",\"reports\":" + checker.json(result.reports) + "}";
    return text;
}

Exit check(const Options& options) {
    const std::vector<Job> jobs = jobs_for(options);
    std::vector<std::unique_ptr<CheckedRuns>> runs;
    for (const KernelKind& kind : kernel_kinds) runs.push_back(std::make_unique<CheckedRuns>(kind.options));
    Result result;
    if (!options.json) print(header);
    {
        Progress progress("checking", static_cast<std::int64_t>(jobs.size()), "rows");
        for (const Job& job : jobs) {
            progress.show(static_cast<std::int64_t>(result.rows.size()));
            result.rows.push_back(run_job(job, options, *runs[job.kind], result));
            if (!options.json) print(text_of(result.rows.back()));
        }
    }
    if (options.json) {
        print(json_of(result, runs.front()->checker()) + "\n");
        return result.clean() ? Exit::done : Exit::failed;
    }
    if (options.counters) print_counters(result);
    for (const simt::Report& report : result.reports) print("\n" + runs.front()->checker().text(report));
    const auto bad = std::ranges::count_if(result.rows, [](const Row& row) { return !row.clean(); });
    print(fmt::format("\n{} kernels through {} rows: {}\n", result.kernels.size(), result.rows.size(),
                      bad == 0 ? "nothing found" : fmt::format("{} with findings", bad)));
    return bad == 0 ? Exit::done : Exit::failed;
}

}  // namespace

int check_command(int argc, char** argv) {
    Options options;
    CommandLine line("check",
                     "Runs every CUDA kernel on the CPU under a checker for races, stray accesses, uninitialised reads "
                     "and barriers, through each operator and some random shapes.");
    line.option("--kernel", options.kernel, "Only operators with this in their name");
    line.option("--shapes", options.shapes, "Random shapes of each", 1, 1000);
    line.option("--seed", options.seed, "Order in which threads run; 0: warp by warp", 0, 1'000'000'000);
    line.flag("--counters", options.counters, "Also bank conflicts and sectors per access, with source lines");
    line.flag("--json", options.json, "One JSON object on standard output");
    return line.run(argc, argv, [&] { return check(options); });
}

}  // namespace cambium
