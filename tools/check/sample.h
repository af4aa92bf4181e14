// One row of the table on one shape: what the checker found, which kernels ran and what their accesses cost. It is made
// in one process and travels to another.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tools/check/checked_run.h"
#include "tools/check/jobs.h"

namespace cambium {

enum class Group : std::uint8_t { races, memory, uninitialised, barriers };
inline constexpr std::size_t groups = 4;
inline constexpr std::array<std::string_view, groups> group_names{"races", "memory", "uninitialised", "barriers"};

// An access of a kernel at a place of the source; cost and ideal as in simt::Counter.
struct AccessCost {
    std::string kernel, file, operation;
    int line = 0;
    std::uint64_t instructions = 0, cost = 0, ideal = 0;
};

// A report in words. Equal `place`: the same kind of finding at the same line.
struct Written {
    std::string place, text, json;
};

struct Sample {
    std::string missing;  // what the kernels lack for this shape; nothing ran then
    std::string failure;  // what ended the run early: an error's text, or how its process died
    std::array<std::uint64_t, groups> found{};
    bool depends_on_registers = false;
    std::vector<std::string> kernels;  // instances that ran
    std::vector<AccessCost> accesses;
    std::vector<Written> reports;
    double seconds = 0;
};

std::string packed(const Sample& sample);
Sample unpacked(std::string_view bytes);

// Runs samples in this process; backends are made when they are first needed.
class Sampler {
  public:
    explicit Sampler(std::uint64_t seed) : seed_(seed) {}
    // The shape is the index-th that the row's case draws. Errors become Sample::failure.
    Sample run(const Job& job, std::uint64_t shape);

  private:
    void run_checked(const Job& job, std::uint64_t shape, Sample& sample);

    std::uint64_t seed_;
    std::array<std::unique_ptr<CheckedRuns>, kernel_kinds.size()> runs_;
};

}  // namespace cambium
