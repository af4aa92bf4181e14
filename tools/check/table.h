// The table: samples of a row together, the kernels and accesses of all rows together, as text and as JSON.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tools/check/sample.h"

namespace cambium {

// Cost and ideal of one place in the source, or of several together.
struct Cost {
    std::uint64_t instructions = 0, cost = 0, ideal = 0;
    void add(const Cost& other) {
        instructions += other.instructions;
        cost += other.cost;
        ideal += other.ideal;
    }
    double factor() const { return ideal == 0 ? 1.0 : static_cast<double>(cost) / static_cast<double>(ideal); }
};

struct Row {
    std::string name, kernels;  // kernels: "bf16", "f32 plain"
    std::string problem{};      // of the first shape that is missing or failed: which, and why
    bool missing = false;       // it is the former
    std::int64_t shapes = 0;    // that ran to their end
    std::array<std::uint64_t, groups> found{};
    std::uint64_t registers = 0;
    Cost shared{}, global{};
    double seconds = 0;
    std::set<std::string> launched{};  // instances of CUDA kernels
    std::vector<Written> reports{};
    bool clean() const;
};

struct PlaceKey {
    std::string kernel, file, operation;
    int line;
    auto operator<=>(const PlaceKey&) const = default;
};

class Table {
  public:
    explicit Table(const std::vector<Job>& jobs);
    // Samples of one row come in order of their shapes. True if it reached a kernel that no sample before it had.
    bool add(std::size_t row, std::uint64_t shape, const Sample& sample);
    const std::vector<Row>& rows() const { return rows_; }
    bool clean() const;  // nothing found in any row
    // Forgets rows that ran to their end without a CUDA kernel with `name` in its name, and places of other kernels.
    void keep_kernel(const std::string& name);
    std::vector<std::string> kernels() const;  // that rows launched, sorted, each once

    static std::string header();
    static std::string line(const Row& row);
    std::string counters() const;  // a line per place, all instances of a kernel together
    std::string reports() const;
    std::string summary() const;
    std::string json(bool interrupted) const;  // of the rows so far

  private:
    std::vector<Written> different_reports() const;  // of each kind and place once

    std::vector<Row> rows_;
    std::map<PlaceKey, Cost> places_;
    std::set<std::string> reached_;
};

}  // namespace cambium
