// cambium check: every kernel, through the operators that use it, under simt's checker. A row per way of using an
// operator and kind of kernel: what was found, and what its accesses cost against the fewest possible (1.00 is ideal).
// Each shape of a row runs in a worker process, so that a kernel that crashes is a finding like others.
#include "tools/check/check.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "engine/base/fail.h"
#include "engine/base/parallel.h"
#include "tools/check/jobs.h"
#include "tools/check/sample.h"
#include "tools/check/table.h"
#include "tools/check/workers.h"
#include "tools/common/command.h"
#include "tools/common/progress.h"

namespace cambium {
namespace {

struct Options {
    Filter filter;
    std::int64_t shapes = 10, seed = 0, jobs = thread_count();
    bool quick = false, counters = false, json = false;
};

// A task for a worker is a row and a shape in one number.
constexpr Workers::Task most_shapes = 1000;
std::size_t row_of(Workers::Task task) { return static_cast<std::size_t>(task / most_shapes); }
std::uint64_t shape_of(Workers::Task task) { return task % most_shapes; }

// Samples arrive in any order and enter the table in the order of their tasks, so that it is the same in every run.
class Check {
  public:
    Check(const Options& options, const std::vector<Job>& jobs, bool print_rows)
        : options_(options),
          print_rows_(print_rows),
          table_(jobs),
          workers_(static_cast<std::size_t>(options.jobs), [&options, &jobs](Workers::Task task) {
              static Sampler sampler(static_cast<std::uint64_t>(options.seed));  // one in each process
              return packed(sampler.run(jobs[row_of(task)], shape_of(task)));
          }) {}

    // False if interrupted. Quick: one shape of each row, then the next of those whose last one reached a new kernel.
    bool run() {
        std::vector<Workers::Task> tasks;
        const std::uint64_t shapes = options_.quick ? 1 : static_cast<std::uint64_t>(options_.shapes);
        for (std::size_t row = 0; row < table_.rows().size(); ++row) {
            for (std::uint64_t shape = 0; shape < shapes; ++shape) tasks.push_back(row * most_shapes + shape);
        }
        bool going_on = run_tasks(tasks);
        while (options_.quick && going_on && !news_.empty()) {
            tasks.clear();
            for (const Workers::Task task : std::exchange(news_, {})) {
                if (shape_of(task) + 1 < static_cast<std::uint64_t>(options_.shapes)) tasks.push_back(task + 1);
            }
            going_on = run_tasks(tasks);
        }
        return going_on;
    }

    Table& table() { return table_; }

  private:
    bool run_tasks(const std::vector<Workers::Task>& tasks) {
        Progress progress("checking", static_cast<std::int64_t>(tasks.size()), "shapes");
        std::size_t next = 0;
        return workers_.run(tasks, [&](Workers::Task task, std::string result, std::optional<std::string> death) {
            Sample& sample = waiting_[task];
            if (death) {
                sample.failure = "crashed: " + *death;
            } else {
                sample = unpacked(result);
            }
            for (; next < tasks.size() && waiting_.contains(tasks[next]); ++next) enter(tasks[next]);
            progress.show(static_cast<std::int64_t>(next));
        });
    }

    void enter(Workers::Task task) {
        if (table_.add(row_of(task), shape_of(task), waiting_[task])) news_.push_back(task);
        waiting_.erase(task);
        const bool is_last = shape_of(task) + 1 == static_cast<std::uint64_t>(options_.shapes);
        if (is_last && print_rows_) print(Table::line(table_.rows()[row_of(task)]));
    }

    const Options& options_;
    bool print_rows_;
    Table table_;
    std::map<Workers::Task, Sample> waiting_;
    std::vector<Workers::Task> news_;  // that reached a kernel which none before them had
    Workers workers_;
};

Exit check(const Options& options) {
    const Jobs jobs = jobs_for(options.filter);
    const bool at_the_end = jobs.by_cuda_kernel || options.quick;  // only then are the rows known
    const bool as_they_come = !options.json && !at_the_end;
    if (as_they_come) print(Table::header());
    Check check(options, jobs.jobs, as_they_come);
    const bool done = check.run();
    Table& table = check.table();
    if (jobs.by_cuda_kernel) {
        table.keep_kernel(options.filter.kernel);
        if (done && table.rows().empty()) {
            fail_usage("no operator and no CUDA kernel has '{}' in its name", options.filter.kernel);
        }
    }
    if (options.json) {
        print(table.json(!done) + "\n");
    } else {
        if (at_the_end) {
            print(Table::header());
            for (const Row& row : table.rows()) print(Table::line(row));
        }
        if (options.counters && done) print(table.counters());
        print(table.reports());
        if (done) print(table.summary());
    }
    if (!done) {
        say("interrupted: what was printed until now is all that was checked");
        return Exit::interrupted;
    }
    return table.clean() ? Exit::done : Exit::failed;
}

}  // namespace

int check_command(int argc, char** argv) {
    Options options;
    CommandLine line("check",
                     "Runs every CUDA kernel on the CPU under a checker for races, stray accesses, uninitialised reads "
                     "and barriers, through each operator and some random shapes.");
    line.option("--kernel", options.filter.kernel, "Only operators, or else CUDA kernels, with this in their name");
    line.option("--precision", options.filter.precision, "Only kernels of f32, tf32 or bf16");
    line.option("--variant", options.filter.variant, "Only tuned kernels, or plain, each family's first version");
    line.option("--shapes", options.shapes, "Random shapes of each", 1, 1000);
    line.flag("--quick", options.quick, "One shape of each, and the next while it reaches new kernels");
    line.option("--seed", options.seed, "Order in which threads run; 0: warp by warp", 0, 1'000'000'000);
    line.option("--jobs", options.jobs, "Processes at a time", 1, 1024);
    line.flag("--counters", options.counters, "Also bank conflicts and sectors per access, with source lines");
    line.flag("--json", options.json, "One JSON object on standard output");
    return line.run(argc, argv, [&] { return check(options); });
}

}  // namespace cambium
