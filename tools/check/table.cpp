#include "tools/check/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "tools/common/json_writer.h"
#include "tools/common/terminal.h"

namespace cambium {
namespace {

constexpr std::size_t width = 79;

bool is_global(const AccessCost& access) { return access.operation.starts_with("global"); }

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

}  // namespace

bool Row::clean() const {
    return problem.empty() && registers == 0 && std::ranges::all_of(found, [](auto n) { return n == 0; });
}

Table::Table(const std::vector<Job>& jobs) {
    for (const Job& job : jobs)
        rows_.push_back({.name = job.op_case.name, .kernels = std::string(kernel_kinds[job.kind].name)});
}

bool Table::add(std::size_t index, std::uint64_t shape, const Sample& sample) {
    Row& row = rows_[index];
    row.seconds += sample.seconds;
    if (!sample.missing.empty() || !sample.failure.empty()) {
        if (row.problem.empty()) {
            row.missing = !sample.missing.empty();
            row.problem =
                fmt::format("shape {} {}", shape + 1, row.missing ? "missing: " + sample.missing : sample.failure);
        }
    } else {
        ++row.shapes;
    }
    for (std::size_t i = 0; i < groups; ++i) row.found[i] += sample.found[i];
    row.registers += sample.depends_on_registers ? 1 : 0;
    row.reports.insert(row.reports.end(), sample.reports.begin(), sample.reports.end());
    for (const AccessCost& access : sample.accesses) {
        const Cost cost{access.instructions, access.cost, access.ideal};
        (is_global(access) ? row.global : row.shared).add(cost);
        places_[{access.kernel, access.file, access.operation, access.line}].add(cost);
    }
    bool is_new = false;
    for (const std::string& kernel : sample.kernels) {
        row.launched.insert(kernel);
        is_new |= reached_.insert(kernel).second;
    }
    return is_new;
}

bool Table::clean() const {
    return std::ranges::all_of(rows_, [](const Row& row) { return row.clean(); });
}

void Table::keep_kernel(const std::string& name) {
    const auto is_other = [&](const std::string& kernel) {
        return kernel.substr(0, kernel.find_first_of("<(")).find(name) == std::string::npos;
    };
    std::erase_if(rows_, [&](const Row& row) {
        return (row.problem.empty() || row.missing) && std::ranges::all_of(row.launched, is_other);
    });
    std::erase_if(places_, [&](const auto& place) { return is_other(place.first.kernel); });
}

std::vector<std::string> Table::kernels() const {
    std::set<std::string> names;
    for (const Row& row : rows_) names.insert(row.launched.begin(), row.launched.end());
    return {names.begin(), names.end()};
}

std::string Table::header() {
    return "operator                    kernels     shapes race  mem init barr banks sector\n";
}

std::string Table::line(const Row& row) {
    const auto number = [&](Group group) { return row.found[static_cast<std::size_t>(group)]; };
    constexpr std::size_t name_width = 27;  // a longer name stands above its row
    const bool fits = row.name.size() <= name_width;
    std::string text = fits ? "" : row.name + "\n";
    text += fmt::format("{:<{}} {:<11} {:>6} {:>4} {:>4} {:>4} {:>4} {:>5.2f} {:>6.2f}\n", fits ? row.name : "",
                        name_width, row.kernels, row.shapes, number(Group::races), number(Group::memory),
                        number(Group::uninitialised) + row.registers, number(Group::barriers), row.shared.factor(),
                        row.global.factor());
    if (!row.problem.empty()) text += wrapped("    " + row.problem, width, 4) + "\n";
    return text;
}

std::string Table::counters() const {
    std::map<std::tuple<std::string, std::string, int, std::string>, Cost> lines;
    for (const auto& [place, cost] : places_) {
        const std::string file = place.file.substr(place.file.rfind('/') + 1);
        lines[{short_name(place.kernel), file, place.line, place.operation}].add(cost);
    }
    std::string text = "\nkernel                      place                   access         times factor\n";
    for (const auto& [key, cost] : lines) {
        const auto& [kernel, file, line, operation] = key;
        text += fmt::format("{:<27.27} {:<23.23} {:<13.13} {:>6} {:>6.2f}\n", kernel, fmt::format("{}:{}", file, line),
                            short_operation(operation), cost.instructions, cost.factor());
    }
    return text;
}

std::vector<Written> Table::different_reports() const {
    std::vector<Written> result;
    std::set<std::string_view> seen;
    for (const Row& row : rows_) {
        for (const Written& report : row.reports) {
            if (seen.insert(report.place).second) result.push_back(report);
        }
    }
    return result;
}

std::string Table::reports() const {
    std::string text;
    for (const Written& report : different_reports()) text += "\n" + report.text;
    return text;
}

std::string Table::summary() const {
    const auto bad = std::ranges::count_if(rows_, [](const Row& row) { return !row.clean(); });
    return fmt::format("\n{} through {}: {}\n", counted(std::ssize(kernels()), "kernel"),
                       counted(std::ssize(rows_), "row"),
                       bad == 0 ? "nothing found" : fmt::format("{} with findings", bad));
}

std::string Table::json(bool interrupted) const {
    JsonWriter json;
    json.begin_object().key("rows").begin_array();
    for (const Row& row : rows_) {
        json.begin_object().field("operator", row.name).field("kernels", row.kernels).field("shapes", row.shapes);
        if (!row.problem.empty()) json.field(row.missing ? "missing" : "failed", row.problem);
        for (std::size_t i = 0; i < groups; ++i) json.field(group_names[i], row.found[i]);
        json.field("register_dependent", row.registers).field("bank_factor", row.shared.factor());
        json.field("sector_factor", row.global.factor()).field("seconds", row.seconds).end_object();
    }
    json.end_array().key("kernels").begin_array();
    for (const std::string& kernel : kernels()) json.value(kernel);
    json.end_array().key("places").begin_array();
    for (const auto& [place, cost] : places_) {
        json.begin_object().field("kernel", place.kernel).field("file", short_path(place.file));
        json.field("line", place.line).field("access", place.operation).field("instructions", cost.instructions);
        json.field("cost", cost.cost).field("ideal", cost.ideal).end_object();
    }
    json.end_array().field("clean", clean() && !interrupted).field("interrupted", interrupted);
    std::string text = json.text() + ",\"reports\":[";  // which are JSON already
    std::string_view comma;
    for (const Written& report : different_reports()) {
        text.append(comma).append(report.json);
        comma = ",";
    }
    return text + "]}";
}

}  // namespace cambium
