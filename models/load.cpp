#include "models/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "engine/base/fail.h"

namespace cambium {
namespace {

constexpr std::string_view counter_suffix = ".num_batches_tracked";
constexpr std::string_view mean_suffix = ".running_mean";

bool belongs_to_model(const EntrySpec& entry) { return entry.role == Role::parameter || entry.role == Role::statistic; }

Shape file_shape(const EntrySpec& entry) { return entry.layout.file_shape(entry.spec.shape); }

std::string listed(std::span<const std::string> names) {
    const std::size_t shown = std::min<std::size_t>(names.size(), 3);
    std::string text = fmt::format("{}", fmt::join(names.first(shown), ", "));
    if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
    return text;
}

// The counters that torchvision keeps beside running statistics: one for each norm of the graph.
std::vector<std::string> counters(const Graph& graph) {
    std::vector<std::string> names;
    for (const auto& [name, entry] : graph.entries()) {
        if (entry.role == Role::statistic && name.ends_with(mean_suffix)) {
            names.push_back(name.substr(0, name.size() - mean_suffix.size()) + std::string(counter_suffix));
        }
    }
    return names;
}

EntrySpec counter_entry(const std::string& name) {
    return {.name = name, .spec = {Shape{}, DType::i64}, .role = Role::statistic};
}

// Every architecture with the entries it declares, traced once.
const std::vector<std::pair<const Architecture*, std::map<std::string, EntrySpec>>>& catalogue() {
    static const auto traced = [] {
        std::vector<std::pair<const Architecture*, std::map<std::string, EntrySpec>>> result;
        for (const Architecture& candidate : architectures()) {
            Graph graph;
            const std::int64_t classes = std::max<std::int64_t>(candidate.classes, 1);
            build_network(candidate, image_input(graph, 1, candidate.preprocessing), {.classes = classes});
            result.emplace_back(&candidate, graph.entries());
        }
        return result;
    }();
    return traced;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

// The tensor that is parameter `name`, under that name or a former one; null if there is none.
const WeightsEntry* find_tensor(const WeightsFile& weights, const Architecture& architecture, const std::string& name) {
    if (const WeightsEntry* found = weights.find(name)) return found;
    for (const Renaming& renaming : architecture.renamings) {
        const std::string former = replaced(name, renaming.now, renaming.former);
        if (former == name) continue;
        if (const WeightsEntry* found = weights.find(former)) return found;
    }
    return nullptr;
}

std::string todays_name(std::string name, const Architecture& architecture) {
    for (const Renaming& renaming : architecture.renamings) {
        name = replaced(std::move(name), renaming.former, renaming.now);
    }
    return name;
}

// How many tensors of the file the architecture would take; 0 if it lacks one outside its head.
std::size_t fit(const WeightsFile& weights, const Architecture& candidate,
                const std::map<std::string, EntrySpec>& entries) {
    std::size_t taken = 0;
    for (const auto& [name, entry] : entries) {
        const WeightsEntry* found = find_tensor(weights, candidate, name);
        const bool head = in_head(candidate, name);
        if (!head && (found == nullptr || found->spec.shape != file_shape(entry))) return 0;
        if (found != nullptr) ++taken;
    }
    return taken;
}

std::string advice(const WeightsFile& weights, const Architecture& chosen) {
    std::vector<std::string_view> names;
    for (const Architecture* candidate : fitting_architectures(weights)) {
        if (candidate == &chosen) {
            return fmt::format("its tensors fit a {} for images of {} pixels", chosen.name, chosen.preprocessing.crop);
        }
        names.push_back(candidate->name);
    }
    if (names.empty()) return "no model that Cambium knows fits this file";
    return fmt::format("its tensors fit --model {}", fmt::join(names, " or --model "));
}

void load_counters(const WeightsFile& weights, const Graph& graph, Store& store) {
    for (const std::string& name : counters(graph)) {
        store.declare(counter_entry(name));
        const WeightsEntry* found = weights.find(name);
        if (found != nullptr && found->spec.shape.count() == 1) {
            store.write(name, weights.read(*found).reshaped(Shape{}).converted(DType::i64));
        }
    }
}

}  // namespace

std::string LoadReport::text() const {
    std::string text = fmt::format("{} tensors loaded", matched.size());
    if (!new_head.empty()) {
        text += classes_in_file > 0 ? fmt::format("; the head for {} classes is replaced by a new one ({})",
                                                  classes_in_file, listed(new_head))
                                    : fmt::format("; the head starts anew ({})", listed(new_head));
    }
    for (const Difference& difference : differing) {
        text += fmt::format("; '{}' is {} in the file and {} in the model", difference.name,
                            to_string(difference.in_file), to_string(difference.in_model));
    }
    if (!missing.empty()) text += fmt::format("; not in the file: {}", listed(missing));
    if (!left_over.empty()) text += fmt::format("; left over in the file: {}", listed(left_over));
    return text;
}

LoadReport match(const WeightsFile& weights, const Graph& graph, const Architecture& architecture, HeadPolicy head) {
    LoadReport report;
    bool head_fits = head != HeadPolicy::renew;
    for (const auto& [name, entry] : graph.entries()) {
        if (!belongs_to_model(entry) || !in_head(architecture, name)) continue;
        const WeightsEntry* found = find_tensor(weights, architecture, name);
        if (found != nullptr && found->spec.shape.rank() > 0) report.classes_in_file = found->spec.shape[0];
        if (found == nullptr || found->spec.shape != file_shape(entry)) head_fits = false;
    }
    const bool new_head = !head_fits && head != HeadPolicy::require;
    for (const auto& [name, entry] : graph.entries()) {
        if (!belongs_to_model(entry)) continue;
        const WeightsEntry* found = find_tensor(weights, architecture, name);
        if (new_head && in_head(architecture, name)) {
            report.new_head.push_back(name);
        } else if (found == nullptr) {
            report.missing.push_back(name);
        } else if (found->spec.shape != file_shape(entry)) {
            report.differing.push_back({name, found->spec.shape, file_shape(entry)});
        } else {
            report.matched.push_back(name);
        }
    }
    const std::vector<std::string> counted = counters(graph);
    const std::set<std::string> known(counted.begin(), counted.end());
    for (const WeightsEntry& entry : weights.entries()) {
        const bool parameter = graph.entries().contains(todays_name(entry.name, architecture));
        if (!parameter && !known.contains(entry.name)) report.left_over.push_back(entry.name);
    }
    return report;
}

void require_complete(const WeightsFile& weights, const LoadReport& report, const Architecture& architecture) {
    if (report.complete()) return;
    std::string what;
    if (!report.differing.empty()) {
        const LoadReport::Difference& first = report.differing.front();
        what = fmt::format("'{}' is {} in the file and {} in the model", first.name, to_string(first.in_file),
                           to_string(first.in_model));
        if (report.differing.size() > 1) what += fmt::format(" ({} differ so)", report.differing.size());
    }
    if (!report.missing.empty()) {
        if (!what.empty()) what += "; ";
        what += fmt::format("the file lacks {}", listed(report.missing));
    }
    fail("cannot load {} as {}: {}; {}", weights.path().string(), architecture.name, what,
         advice(weights, architecture));
}

LoadReport load_weights(const WeightsFile& weights, const Graph& graph, Store& store, const Architecture& architecture,
                        HeadPolicy head) {
    LoadReport report = match(weights, graph, architecture, head);
    require_complete(weights, report, architecture);
    for (const std::string& name : report.matched)
        store.write_file(name, weights.read(*find_tensor(weights, architecture, name)));
    load_counters(weights, graph, store);
    return report;
}

std::vector<const Architecture*> fitting_architectures(const WeightsFile& weights) {
    std::vector<std::pair<std::size_t, const Architecture*>> scores;
    for (const auto& [candidate, entries] : catalogue()) {
        if (const std::size_t taken = fit(weights, *candidate, entries); taken > 0) {
            scores.emplace_back(taken, candidate);
        }
    }
    std::stable_sort(scores.begin(), scores.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<const Architecture*> result;
    for (const auto& [taken, candidate] : scores) result.push_back(candidate);
    return result;
}

std::vector<WeightsEntry> weights_entries(const Graph& graph, const Store& store) {
    std::vector<WeightsEntry> entries;
    for (const auto& [name, entry] : graph.entries()) {
        if (belongs_to_model(entry)) entries.push_back({name, {file_shape(entry), store.entry(name).spec.spec.dtype}});
    }
    for (const std::string& name : counters(graph)) {
        if (store.contains(name)) entries.push_back({name, {Shape{}, DType::i64}});
    }
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return entries;
}

WeightsFormat format_to_write(const std::filesystem::path& path) {
    const std::string ending = path.extension().string();
    if (ending == ".safetensors") return WeightsFormat::safetensors;
    if (ending == ".pt" || ending == ".pth" || ending == ".th") return WeightsFormat::pytorch_zip;
    fail_usage("cannot write {}: {}; known are .safetensors, and .pt, .pth and .th for PyTorch", path.string(),
               ending.empty() ? "its name has no ending that says in which format"
                              : fmt::format("no format has the ending {}", ending));
}

void write_weights(const std::filesystem::path& path, std::span<const WeightsEntry> entries, const TensorSource& source,
                   const Metadata& metadata) {
    if (format_to_write(path) == WeightsFormat::pytorch_zip) {
        write_pytorch(path, entries, source, metadata);
    } else {
        write_safetensors(path, entries, source, metadata);
    }
}

void save_weights(const std::filesystem::path& path, const Graph& graph, const Store& store, const Metadata& metadata) {
    const std::vector<WeightsEntry> entries = weights_entries(graph, store);
    write_weights(
        path, entries, [&](std::size_t index) { return store.read_file(entries[index].name); }, metadata);
}

void count_batches(const Graph& graph, Store& store, std::int64_t batches) {
    for (const std::string& name : counters(graph)) {
        const std::string norm = name.substr(0, name.size() - counter_suffix.size());
        if (!graph.assigned().contains(norm + std::string(mean_suffix))) continue;
        store.declare(counter_entry(name));
        Tensor count = store.read(name);
        count.values<std::int64_t>()[0] += batches;
        store.write(name, count);
    }
}

}  // namespace cambium
