// Each planted bug is reported with its kind, its marked lines and both threads, on the default schedule and on five
// seeds; each correct twin is silent on twenty; and each part of the detector is needed by some of them.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include "tests/simt/planted/planted.h"

using namespace cambium;
using planted::Case;

namespace {

// The line of a source file, for its marks.
std::string line_of(const simt::Place& place) {
    static std::map<std::string, std::vector<std::string>> files;
    auto [at, is_new] = files.try_emplace(place.file);
    if (is_new) {
        std::ifstream file(place.file);
        for (std::string line; std::getline(file, line);) at->second.push_back(line);
    }
    const auto index = static_cast<std::size_t>(place.line);
    return index == 0 || index > at->second.size() ? "" : at->second[index - 1];
}

bool is_marked(const simt::Place& place, const std::string& mark) {
    const std::string line = line_of(place), wanted = "// bug: " + mark;
    const std::size_t at = line.find(wanted);
    return at != std::string::npos && at + wanted.size() == line.size();
}

bool is_race(simt::Kind kind) { return kind <= simt::Kind::race_with_async_copy; }

// Both sides of a race name a place that is marked and a thread that can have been there.
bool sides_fit(const simt::Report& report, const std::string& mark) {
    if (mark.empty()) return true;
    if (!is_race(report.kind)) {
        return is_marked(report.first.place, mark) || (report.second && is_marked(report.second->place, mark));
    }
    if (!report.second) return false;
    const simt::Party &a = report.first, &b = *report.second;
    const auto fits = [&](const simt::Party& p) { return p.is_copy || is_marked(p.place, mark); };
    if (!fits(a) || !fits(b) || (a.is_copy && b.is_copy)) return false;
    const auto warp = [](const simt::Party& p) { return p.thread[0] / 32; };
    switch (report.kind) {
        case simt::Kind::race_in_warp:
            return a.block == b.block && warp(a) == warp(b) && a.thread != b.thread;
        case simt::Kind::race_in_block:
            return a.block == b.block && warp(a) != warp(b);
        case simt::Kind::race_between_blocks:
            return a.block != b.block;
        case simt::Kind::race_with_async_copy:
            return a.block == b.block && (a.is_async || b.is_async);
        default:
            return true;
    }
}

struct Outcome {
    bool reported = false;
    std::string text;  // everything that was reported
};

Outcome run(const Case& c, bool bug, std::uint64_t seed) {
    simt::options().seed = seed;
    const simt::Collect collect;
    c.run(bug);
    simt::options().seed = 0;
    Outcome outcome;
    const std::string mark = c.mark == nullptr ? c.name : c.mark;
    for (const simt::Report& report : collect.reports()) {
        outcome.reported = outcome.reported || (report.kind == c.kind && sides_fit(report, mark));
        outcome.text += simt::to_text(report);
    }
    return outcome;
}

// The same cases with zeroed instead of poisoned registers, in a module of its own.
std::span<const Case> zeroed_cases() {
    static void* const module = dlopen(CAMBIUM_PLANTED_ZERO, RTLD_NOW | RTLD_LOCAL);
    REQUIRE_MESSAGE(module != nullptr, dlerror());
    const auto cases = reinterpret_cast<const std::span<const Case>* (*)()>(dlsym(module, "cambium_planted_cases"));
    REQUIRE((cases != nullptr));
    return *cases();
}

bool outputs_differ(const Case& c, bool bug) {
    const auto zeroed = std::find_if(zeroed_cases().begin(), zeroed_cases().end(),
                                     [&](const Case& other) { return std::string(other.name) == c.name; });
    REQUIRE(zeroed != zeroed_cases().end());
    std::uint64_t digests[2];
    int i = 0;
    for (const Case* one : {&c, &*zeroed}) {
        simt::reset_output_digest();
        const simt::Collect collect;
        one->run(bug);
        CHECK(collect.reports().empty());
        digests[i++] = simt::output_digest();
    }
    return digests[0] != digests[1];
}

}  // namespace

const Case& named(const std::string& name) {
    const auto found = std::find_if(planted::all_cases().begin(), planted::all_cases().end(),
                                    [&](const Case& c) { return c.name == name; });
    REQUIRE_MESSAGE(found != planted::all_cases().end(), name);
    return *found;
}

TEST_CASE("there are at least 60 planted bugs of at least 14 kinds") {
    std::set<simt::Kind> kinds;
    std::set<std::string> names;
    for (const Case& c : planted::all_cases()) {
        kinds.insert(c.kind);
        names.insert(c.name);
    }
    CHECK(names.size() == planted::all_cases().size());
    CHECK(names.size() >= 60);
    CHECK(kinds.size() >= 14);
    MESSAGE(names.size() << " planted bugs of " << kinds.size() << " kinds");
}

TEST_CASE("every planted bug is reported, on the default schedule and on five seeds") {
    REQUIRE(simt::is_checked());
    for (const Case& c : planted::all_cases()) {
        if (c.by_output) {
            CHECK_MESSAGE(outputs_differ(c, true),
                          c.name << " gives the same output with poisoned and with zeroed registers");
            continue;
        }
        for (std::uint64_t seed = 0; seed <= 5; ++seed) {
            const Outcome outcome = run(c, true, seed);
            CHECK_MESSAGE(outcome.reported, std::string(c.name)
                                                << " as " << simt::name_of(c.kind) << ", seed " << seed << ", got:\n"
                                                << (outcome.text.empty() ? "silence" : outcome.text));
        }
    }
}

TEST_CASE("every correct twin is silent on twenty seeds") {
    for (const Case& c : planted::all_cases()) {
        if (c.by_output) CHECK_MESSAGE(!outputs_differ(c, false), std::string(c.name));
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            const Outcome outcome = run(c, false, seed);
            CHECK_MESSAGE(outcome.text.empty(), std::string(c.name) << ", seed " << seed << ":\n" << outcome.text);
        }
    }
}

TEST_CASE("every part of the detector, switched off, leaves bugs unseen") {
    using simt::Parts;
    const std::pair<const char*, bool Parts::*> parts[] = {
        {"races", &Parts::races},
        {"read_sets", &Parts::read_sets},
        {"atomics_apart", &Parts::atomics_apart},
        {"fences", &Parts::fences},
        {"scopes", &Parts::scopes},
        {"async_agents", &Parts::async_agents},
        {"streams", &Parts::streams},
        {"bounds", &Parts::bounds},
        {"register_arrays", &Parts::register_arrays},
        {"initialisation", &Parts::initialisation},
        {"register_poison", &Parts::register_poison},
        {"alignment", &Parts::alignment},
        {"pointers", &Parts::pointers},
        {"local_memory", &Parts::local_memory},
        {"quarantine", &Parts::quarantine},
        {"barriers", &Parts::barriers},
        {"masks", &Parts::masks},
        {"read_only", &Parts::read_only},
    };
    for (const auto& [name, part] : parts) {
        simt::options().parts.*part = false;
        std::string unseen;
        for (const Case& c : planted::all_cases()) {
            if (!c.by_output && !run(c, true, 0).reported) unseen += std::string(" ") + c.name;
        }
        simt::options().parts = {};
        CHECK_MESSAGE(!unseen.empty(), "without " << std::string(name) << " nothing goes unseen");
        MESSAGE("without " << std::string(name) << ":" << unseen);
    }
}

TEST_CASE("reports name the element, the cause and the mend") {
    const std::pair<const char*, std::vector<std::string>> wanted[] = {
        {"shared_overrun_by_one", {"on shared Arrays, array 1 [256] (4 bytes): the array is [256]"}},
        {"shared_negative_index", {"on shared Arrays, array 2: index -1 into an array of 256"}},
        {"beyond_what_was_taken", {"on shared array of int [64]", "took 256 of the", "that the launch gave"}},
        {"two_shared_structs", {"use as Matrix", "use as Arrays"}},
        {"device_variable", {"host-memory in kernel device_variable<true>", "::total: a variable of the program"}},
        {"read_one_too_many", {"on input[256] (4 bytes): input has 256 elements"}},
        {"read_before_begin", {"on input[-1] (4 bytes): input has 256 elements"}},
        {"write_to_input", {"on in[0]"}},
        {"upload_beside_kernel", {"write by copy_to_device\n    at", "blocks.cu"}},
        {"barrier_in_condition", {"divergent-barrier in kernel"}},
        {"output_with_a_hole", {"uninitialised-global on output[63]: nobody has written 4 of the 256 bytes"}},
        {"no_acquire_fence", {"thread (0,0,0) of the reading block has seen the other's atomic"}},
        {"fence_in_the_wrong_thread", {"__threadfence() right after the atomic, by the thread that did it"}},
        {"no_release_fence", {"write, __threadfence(), atomic on one side"}},
        {"plain_histogram", {"where all update one element, an atomic"}},
        {"first_lanes_reduce", {"the mask 0xffffffff names lanes 0xffffff00", "wait in __syncthreads at"}},
        {"assertion", {"in[t] < (bug ? 40 : 64) is false", "thread (40,0,0)"}},
        {"return_before_barrier", {"40 of the block's 64 threads wait"}},
    };
    for (const auto& [name, parts] : wanted) {
        const Outcome outcome = run(named(name), true, 0);
        for (const std::string& part : parts) {
            CHECK_MESSAGE(outcome.text.find(part) != std::string::npos, std::string(name)
                                                                            << " does not say: " << part << "\n"
                                                                            << outcome.text);
        }
    }
}

TEST_CASE("a misaligned vector access, at which the processor faults too, is one report") {
    const simt::Collect collect;
    named("misaligned_vector").run(true);
    CHECK(collect.reports().size() == 1);
}

TEST_CASE("without byte masks, neighbours that share a word look like a race") {
    const Case& c = named("neighbouring_bytes");
    simt::options().parts.byte_masks = false;
    CHECK(!run(c, false, 0).text.empty());
    simt::options().parts = {};
    CHECK(run(c, false, 0).text.empty());
}
