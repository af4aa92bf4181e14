// The log of findings, and how they reach the user: thrown by the launch, or gathered by a Collect.
#include "kernels/simt/report_log.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <tuple>

#include "engine/base/error.h"

namespace cambium::simt {
namespace {

struct Log {
    std::mutex mutex;
    std::vector<Report> reports, thrown;
    std::map<std::tuple<Kind, SiteId, SiteId>, std::size_t> known;  // index into reports
    bool collecting = false;
};

Log& log() {
    static Log& instance = *new Log;
    return instance;
}

// Different program counters of one line are one place to a reader.
bool same_place(const Party& a, const Party& b) { return a.place.file == b.place.file && a.place.line == b.place.line; }

bool same_finding(const Report& a, const Report& b) {
    if (a.kind != b.kind || a.second.has_value() != b.second.has_value()) return false;
    if (a.first.place.file.empty()) return false;
    if (!a.second) return same_place(a.first, b.first);
    return (same_place(a.first, b.first) && same_place(*a.second, *b.second)) ||
           (same_place(a.first, *b.second) && same_place(*a.second, b.first));
}

// Threads that do not meet as they should: races and undefined values are often only what follows from it.
bool is_meeting(Kind kind) {
    return kind == Kind::divergent_barrier || kind == Kind::exit_before_barrier || kind == Kind::wrong_mask ||
           kind == Kind::divergent_instruction;
}

}  // namespace

bool is_repeated(Kind kind, SiteId first, SiteId second) {
    Log& l = log();
    const std::lock_guard lock(l.mutex);
    const auto found = l.known.find({kind, first, second});
    if (found == l.known.end()) return false;
    ++l.reports[found->second].count;
    return true;
}

void add_report(Finding finding) {
    Log& l = log();
    Report report{.kind = finding.kind,
                  .kernel = kernel_name(),
                  .object = std::move(finding.object),
                  .first = std::move(finding.first),
                  .second = std::move(finding.second),
                  .detail = std::move(finding.detail),
                  .advice = std::move(finding.advice),
                  .count = 1,
                  .seed = options().seed};
    const std::lock_guard lock(l.mutex);
    std::size_t index = 0;
    while (index < l.reports.size() && !same_finding(l.reports[index], report)) ++index;
    if (index < l.reports.size()) {
        ++l.reports[index].count;
    } else {
        l.reports.push_back(std::move(report));
    }
    l.known[{finding.kind, finding.first_site, finding.second_site}] = index;
}

Party party_of(const Fiber& fiber, std::string action, SiteId site) {
    Party party;
    party.action = std::move(action);
    party.place = place_of(site);
    party.kernel = kernel_name();
    party.block = {fiber.block.x, fiber.block.y, fiber.block.z};
    party.thread = {fiber.thread.x, fiber.thread.y, fiber.thread.z};
    return party;
}

void throw_reports() {
    Log& l = log();
    std::string text;
    {
        const std::lock_guard lock(l.mutex);
        if (l.collecting || l.reports.empty()) return;
        std::stable_partition(l.reports.begin(), l.reports.end(), [](const Report& r) { return is_meeting(r.kind); });
        for (const Report& report : l.reports) text += to_text(report) + "\n";
        std::move(l.reports.begin(), l.reports.end(), std::back_inserter(l.thrown));
        l.reports.clear();
        l.known.clear();
    }
    text.pop_back();
    throw Error(text);
}

const std::vector<Report>& thrown_reports() { return log().thrown; }

constinit Options active_options;
Options& options() { return active_options; }

Collect::Collect() {
    Log& l = log();
    const std::lock_guard lock(l.mutex);
    outer_.swap(l.reports);
    l.known.clear();
    outer_collecting_ = l.collecting;
    l.collecting = true;
}

Collect::~Collect() {
    Log& l = log();
    const std::lock_guard lock(l.mutex);
    l.reports.swap(outer_);
    l.known.clear();
    l.collecting = outer_collecting_;
}

const std::vector<Report>& Collect::reports() const { return log().reports; }

}  // namespace cambium::simt
