#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/report/html.h"
#include "tools/report/sections.h"

namespace cambium::report {
namespace {

// The 95 % interval of a share (Wilson 1927), which stays within [0, 1] for few photos too.
struct Interval {
    double low, high;
};
Interval wilson(double share, double count) {
    constexpr double z = 1.959964;
    const double centre = share + z * z / (2 * count);
    const double spread = z * std::sqrt(share * (1 - share) / count + z * z / (4 * count * count));
    const double scale = 1 + z * z / count;
    return {(centre - spread) / scale, (centre + spread) / scale};
}

std::string kind_of_photos(const RunRecord& run) {
    return run.set == "test" || run.set == "validation" ? run.set + " photo" : "photo";
}

// How the photos of the figure relate to those to come.
std::string provenance(const RunRecord& run) {
    if (run.set == "test")
        return "None of them was used in training or to choose the best state, so this is what to expect of new photos "
               "like them.";
    if (run.set != "validation") return "";
    return "None of them was trained on, but the best state was chosen by them: on new photos, expect slightly less. A "
           "folder test/ beside train/ and val/ would give a figure without that favour.";
}

std::string against_baseline(const RunRecord& run, const Interval& interval) {
    if (!std::isfinite(run.majority_baseline)) return {};
    const bool even = !run.per_class.empty() && std::all_of(run.per_class.begin(), run.per_class.end(), [&](auto& row) {
        return row.support == run.per_class.front().support;
    });
    const std::string who = even                         ? "one and the same class"
                            : run.majority_class.empty() ? "the most frequent class"
                                                         : isolate(run.majority_class) + ", the most frequent class,";
    const char* verdict = interval.low > run.majority_baseline ? "The classifier has clearly learned more than that."
                          : run.top1 > run.majority_baseline
                              ? "With this few photos, that is no clear difference."
                              : "<strong>The classifier is no better than that.</strong>";
    return fmt::format(" Always answering {} would be right for {}. {}", who, percent(run.majority_baseline), verdict);
}

std::string lead(const RunRecord& run) {
    const Interval interval = wilson(run.top1, run.count);
    return fmt::format(
        "<p class=\"lead\">That is <strong>{}</strong>.{}</p>\n<p>With {}, chance alone moves this figure: the true "
        "accuracy lies between {} and {} (95&#160;% interval). {}</p>\n",
        percent(run.top1), against_baseline(run, interval), times(run.count, kind_of_photos(run)),
        percent(interval.low), percent(interval.high), provenance(run));
}

std::string tile(std::string_view name, double value, std::string_view style, std::string_view meaning) {
    if (!std::isfinite(value)) return {};
    return fmt::format(
        "<div class=\"tile {3}\"><dt>{0}</dt><dd><span class=\"figure\">{1}</span>"
        "<span class=\"bar\" aria-hidden=\"true\"><span style=\"width:{2:.1f}%\"></span></span>"
        "<span class=\"meaning\">{4}</span></dd></div>\n",
        name, percent(value), 100 * std::clamp(value, 0.0, 1.0), style, meaning);
}

std::string tiles(const RunRecord& run) {
    const std::string tiles = tile("Accuracy (top-1)", run.top1, "main", "of all photos, the share named right") +
                              tile("Balanced accuracy", run.balanced_accuracy, "main",
                                   "the same, but each class counts equally, however few its photos") +
                              tile("Macro-F1", run.macro_f1, "main",
                                   "per class, a mean of how many are found and how many of its answers hold") +
                              tile("Majority baseline", run.majority_baseline, "baseline",
                                   "what answering the most frequent class always would reach");
    return tiles.empty() ? "" : "<dl class=\"tiles\">\n" + tiles + "</dl>\n";
}

// Beside the figures of the test photos, those of the validation photos.
std::string validation_sentence(const RunRecord& run) {
    if (run.set != "test" || !std::isfinite(run.validation_top1)) return {};
    return fmt::format(
        "<p>On the {}, by which the best state was chosen: accuracy {}, balanced accuracy {}, macro-F1 {}, majority "
        "baseline {}.</p>\n",
        times(run.validation_count, "validation photo"), percent(run.validation_top1), percent(run.validation_balanced),
        percent(run.validation_f1), percent(run.validation_majority));
}

std::string unfinished(const RunRecord& run) {
    std::string html = "<h1>This run has not finished</h1>\n<p class=\"lead\">";
    if (std::isfinite(run.curves.last_step)) {
        html += fmt::format("It is still going on, or was cut off after step {}", whole(run.curves.last_step));
        if (std::isfinite(run.curves.last_epoch)) html += fmt::format(" in epoch {}", whole(run.curves.last_epoch));
        html += ". ";
    } else {
        html += "It has logged no step yet. ";
    }
    for (auto point = run.curves.val_top1.rbegin(); point != run.curves.val_top1.rend(); ++point) {
        if (!std::isfinite(point->value)) continue;
        html +=
            fmt::format("The last accuracy on the validation photos was <strong>{}</strong>. ", percent(point->value));
        break;
    }
    return html + "<code>cambium finetune --resume</code> with this folder continues it.</p>\n";
}

}  // namespace

std::string data_name(const RunRecord& run) {
    std::string_view path = run.data;
    while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    const std::string_view name = path.substr(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1);
    return std::string(name.empty() ? "a run" : name);
}

std::string headline(const RunRecord& run) {
    std::string html =
        fmt::format("<p class=\"eyebrow\">Cambium \u00b7 {} \u00b7 {}", isolate(data_name(run)), escape(run.model));
    if (!run.recipe.empty()) html += fmt::format(" \u00b7 recipe {}", escape(run.recipe));
    html += "</p>\n";
    if (!run.finished) return html + unfinished(run);
    if (!std::isfinite(run.top1) || !(run.count >= 1)) {
        return html + "<h1>The run has ended; its accuracy is not known</h1>\n" + tiles(run);
    }
    html += fmt::format("<h1>{} of {} named right</h1>\n", whole(std::round(run.top1 * run.count)),
                        times(run.count, kind_of_photos(run)));
    return html + lead(run) + tiles(run) + validation_sentence(run);
}

std::string notices(const RunRecord& run) {
    constexpr std::size_t shown = 6;  // the rest is folded away
    std::vector<std::string> items;
    const auto count = [](const auto& list) { return static_cast<double>(list.size()); };
    if (!run.ended.empty()) items.push_back(escape(run.ended));
    if (!run.duplicates.empty()) {
        items.push_back(
            fmt::format("{} of the training set also {} in another set, which flatters the figures above; see <a "
                        "href=\"#data\">Data</a>.",
                        times(count(run.duplicates), "photo"), run.duplicates.size() == 1 ? "stands" : "stand"));
    }
    if (!run.left_out.empty()) {
        items.push_back(fmt::format("{} {} left out; why is said under <a href=\"#data\">Data</a>.",
                                    times(count(run.left_out), "file"), run.left_out.size() == 1 ? "was" : "were"));
    }
    for (const std::string& note : run.notes) items.push_back(escape(note));
    if (run.curves.damaged_lines > 0) {
        items.push_back(fmt::format("{} of metrics.jsonl could not be read and {} missing from the curves.",
                                    times(run.curves.damaged_lines, "line"),
                                    run.curves.damaged_lines == 1 ? "is" : "are"));
    }
    if (items.empty()) return {};
    std::string first, rest;
    for (std::size_t i = 0; i < items.size(); ++i) (i < shown ? first : rest) += "<li>" + items[i] + "</li>\n";
    if (!rest.empty()) {
        rest =
            fmt::format("<details><summary>{} more</summary>\n<ul>\n{}</ul>\n</details>\n", items.size() - shown, rest);
    }
    return "<aside class=\"notices\" aria-label=\"Worth knowing\">\n<h2>Worth knowing</h2>\n<ul>\n" + first +
           "</ul>\n" + rest + "</aside>\n";
}

}  // namespace cambium::report
