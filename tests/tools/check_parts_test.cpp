// What `cambium check` is made of: worker processes that may die, and lines of its table that fit a terminal.
#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <numeric>
#include <set>

#include "tools/check/table.h"
#include "tools/check/workers.h"

using namespace cambium;

namespace {

struct Ends {
    std::map<Workers::Task, std::string> results, deaths;
    void operator()(Workers::Task task, std::string result, const std::optional<std::string>& death) {
        if (death) {
            deaths[task] = *death;
        } else {
            results[task] = std::move(result);
        }
    }
};

bool run(Workers& workers, std::vector<Workers::Task> tasks, Ends& ends) {
    return workers.run(tasks, [&](Workers::Task task, std::string result, std::optional<std::string> death) {
        ends(task, std::move(result), death);
    });
}

std::vector<Workers::Task> first(std::size_t count) {
    std::vector<Workers::Task> tasks(count);
    std::iota(tasks.begin(), tasks.end(), Workers::Task{0});
    return tasks;
}

}  // namespace

TEST_CASE("workers return every result, however long, from as many processes as they may be") {
    Workers workers(3, [](Workers::Task task) { return std::string(task * 40'000, static_cast<char>('a' + task)); });
    Ends ends;
    REQUIRE(run(workers, first(9), ends));
    CHECK(ends.deaths.empty());
    REQUIRE(ends.results.size() == 9);
    for (const auto& [task, result] : ends.results)
        CHECK(result == std::string(task * 40'000, static_cast<char>('a' + task)));

    Workers named(3, [](Workers::Task) { return usleep(1000), std::to_string(getpid()); });
    Ends pids;
    REQUIRE(run(named, first(30), pids));
    REQUIRE(run(named, first(0), pids));
    std::set<std::string> processes;
    for (const auto& [task, process] : pids.results) processes.insert(process);
    CHECK(processes.size() == 3);
    CHECK_FALSE(processes.contains(std::to_string(getpid())));
}

TEST_CASE("a worker that dies takes only its task with it, and says how it died") {
    Workers workers(2, [](Workers::Task task) -> std::string {
        if (task == 1) std::raise(SIGKILL);
        if (task == 3) {
            std::signal(SIGABRT, SIG_DFL);  // not the test framework's
            std::abort();
        }
        if (task == 4) throw std::runtime_error("");
        if (task == 6) _exit(7);
        return "done";
    });
    Ends ends;
    REQUIRE(run(workers, first(8), ends));
    CHECK(ends.results == std::map<Workers::Task, std::string>{{0, "done"}, {2, "done"}, {5, "done"}, {7, "done"}});
    CHECK(ends.deaths == std::map<Workers::Task, std::string>{{1, "signal 9 (Killed, as where memory runs out)"},
                                                              {3, "signal 6 (Aborted)"},
                                                              {4, "exit status 1"},
                                                              {6, "exit status 7"}});
}

TEST_CASE("an interrupt ends the wait for workers, and the handlers before are back afterwards") {
    const auto before = std::signal(SIGINT, SIG_IGN);
    {
        Workers workers(1, [](Workers::Task) { return pause(), std::string(); });
        workers.run(first(0), {});
        std::raise(SIGINT);
        Ends ends;
        CHECK_FALSE(run(workers, first(2), ends));
        CHECK(ends.results.empty());
    }
    CHECK((std::signal(SIGINT, before) == SIG_IGN));
}

TEST_CASE("a sample survives its way between processes") {
    Sample sample{.missing = "no \"kernel\"\n",
                  .failure = "failed",
                  .found = {1, 2, 3, std::uint64_t{1} << 63},
                  .depends_on_registers = true,
                  .kernels = {"a<1>", "b"},
                  .accesses = {{"a<1>", "a.cuh", "shared read", 7, 1, 2, 3}},
                  .reports = {{"place", "text", "{}"}},
                  .seconds = 0.1};
    const Sample other = unpacked(packed(sample));
    CHECK(packed(other) == packed(sample));
    CHECK(other.missing == sample.missing);
    CHECK(other.found == sample.found);
    CHECK(other.accesses.at(0).line == 7);
    CHECK(other.seconds == sample.seconds);
}

TEST_CASE("what is missing, or failed, is told whole in lines of 79 columns, and is no clean row") {
    const std::string lack =
        "no kernel of conv2d_filter_gradient takes bf16 images of [32, 7, 7, 2048] with groups of 3";
    Table table({{cases::op_cases().front(), 0}});
    REQUIRE(table.clean());
    table.add(0, 0, {.missing = lack, .failure = {}, .kernels = {}, .accesses = {}, .reports = {}});
    CHECK_FALSE(table.clean());
    std::string text = Table::line(table.rows().front());
    CHECK(text.find("shape 1 missing: no kernel of") != std::string::npos);
    std::string joined;
    for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
        CHECK(end - begin < 80);
        const std::size_t word = text.find_first_not_of(' ', begin);
        joined += (joined.empty() ? "" : " ") + text.substr(word, end - word);
    }
    CHECK(joined.find(lack) != std::string::npos);
}
