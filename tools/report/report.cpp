#include "tools/report/report.h"

#include <fmt/format.h>

#include <utility>

#include "data/formats/atomic_file.h"
#include "tools/report/html.h"
#include "tools/report/run_record.h"
#include "tools/report/sections.h"

namespace cambium {
namespace {

// The policy forbids whatever is not in the file: should a name ever get past escape(), it could still run nothing and
// call nowhere.
constexpr const char* head =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src "
    "data:\"/>\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
    "<meta name=\"color-scheme\" content=\"light dark\"/>\n";

// Links to the sections that are there.
std::string contents(std::string_view body) {
    constexpr std::pair<std::string_view, std::string_view> links[] = {
        {"curves", "How it learned"},
        {"confusion", "What was taken for what"},
        {"classes", "Class by class"},
        {"mistakes", "Mistakes"},
        {"training", "What was trained"},
        {"choices", "Automatic choices"},
        {"data", "Data"},
        {"machine", "Time and machine"},
        {"settings", "All settings"},
    };
    std::string items;
    for (const auto& [id, title] : links) {
        if (body.find(fmt::format("<section id=\"{}\"", id)) == std::string_view::npos) continue;
        items += fmt::format("<li><a href=\"#{}\">{}</a></li>", id, title);
    }
    return "<nav aria-label=\"Contents\"><ul>" + items + "</ul></nav>\n";
}

}  // namespace

void write_report(const std::filesystem::path& run, const ReportOptions& options) {
    const report::RunRecord record = report::read_run(run);
    const std::string body = report::curves(record) + report::confusion(record) + report::class_table(record) +
                             report::mistakes(record, options) + report::training(record) + report::choices(record) +
                             report::data(record) + report::machine(record) + report::settings(record);
    std::string page = head;
    page += fmt::format("<title>{} \u2013 Cambium report</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n",
                        report::escape(report::data_name(record)), report::style_sheet());
    page += report::headline(record) + report::notices(record) + contents(body) + body;
    page +=
        "</main>\n<footer><p>Written by cambium from config.json, metrics.jsonl and result.json beside this "
        "file.</p></footer>\n"
        "</body>\n</html>\n";
    write_atomically(run / "report.html", page);
}

}  // namespace cambium
