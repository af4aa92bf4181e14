#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tools/report/html.h"
#include "tools/report/sections.h"
#include "tools/report/thumbnail.h"

namespace cambium::report {
namespace {

constexpr std::size_t most_classes_in_table = 30;  // above it, a picture and the worst pairs
constexpr std::size_t most_pairs = 20;
constexpr std::size_t rows_shown = 40;  // of the table of classes; the rest is folded away

struct Matrix {
    const std::vector<double>& counts;
    std::size_t n;
    double at(std::size_t truth, std::size_t predicted) const { return counts[truth * n + predicted]; }
    double row(std::size_t truth) const {
        const auto begin = counts.begin() + static_cast<std::ptrdiff_t>(truth * n);
        return std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(n), 0.0);
    }
};

struct Pair {
    std::size_t truth, predicted;
    double count, share;  // of the photos of `truth`
};

// Most photos first; of equals, the larger share.
std::vector<Pair> confused_pairs(const Matrix& matrix, std::size_t limit) {
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i < matrix.n; ++i) {
        const double row = matrix.row(i);
        for (std::size_t j = 0; j < matrix.n; ++j) {
            if (i != j && matrix.at(i, j) > 0) pairs.push_back({i, j, matrix.at(i, j), matrix.at(i, j) / row});
        }
    }
    std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
        return a.count != b.count ? a.count > b.count : a.share > b.share;
    });
    pairs.resize(std::min(pairs.size(), limit));
    return pairs;
}

std::string worst_pair_sentence(const RunRecord& run, const std::vector<Pair>& pairs) {
    if (pairs.empty()) return "<p>No photo was taken for another class.</p>\n";
    const Pair& worst = pairs.front();
    return fmt::format("<p>The most frequent mistake: {} of {} ({} of them) taken for {}.</p>\n",
                       times(worst.count, "photo"), isolate(run.classes[worst.truth]), percent(worst.share),
                       isolate(run.classes[worst.predicted]));
}

std::string cell(const Matrix& matrix, std::size_t i, std::size_t j, double row) {
    const double count = matrix.at(i, j);
    if (count == 0) return i == j ? "<td class=\"hit\">0</td>" : "<td class=\"none\">\u00b7</td>";
    const double share = row > 0 ? count / row : 0;
    return fmt::format("<td class=\"{}\" style=\"--share:{:.3f}\">{}</td>", i == j ? "hit" : "miss", 0.12 + 0.6 * share,
                       whole(count));
}

// A long name is cut off by the style sheet; its tooltip and the table of classes have all of it.
std::string name_cell(std::string_view scope, std::string_view name) {
    return fmt::format("<th scope=\"{}\" title=\"{}\"><span>{}</span></th>", scope, escape(name), isolate(name));
}

std::string table(const RunRecord& run, const Matrix& matrix) {
    std::string html = fmt::format(
        "<p>Rows: what a photo shows. Columns: what the classifier answered. On the framed diagonal it was right; the "
        "stronger the colour, the larger the share of the row.</p>\n"
        "<div class=\"scroll\" role=\"region\" aria-label=\"Confusion matrix\" tabindex=\"0\">\n"
        "<table class=\"confusion{}\">\n<thead><tr><td></td>",
        matrix.n <= 4 ? " few" : "");
    for (const std::string& name : run.classes) html += name_cell("col", name);
    html += "<th scope=\"col\" class=\"sum\"><span>photos</span></th></tr></thead>\n<tbody>\n";
    for (std::size_t i = 0; i < matrix.n; ++i) {
        const double row = matrix.row(i);
        html += "<tr>" + name_cell("row", run.classes[i]);
        for (std::size_t j = 0; j < matrix.n; ++j) html += cell(matrix, i, j, row);
        html += fmt::format("<td class=\"sum\">{}</td></tr>\n", whole(row));
    }
    return html + "</tbody>\n</table>\n</div>\n";
}

// One pixel a cell, or one for a block of them where there are very many classes; its opacity is the share of the row.
std::string picture(const Matrix& matrix) {
    constexpr std::size_t most_pixels = 250;
    const std::size_t block = (matrix.n + most_pixels - 1) / most_pixels, side = (matrix.n + block - 1) / block;
    std::vector<double> sums(side * side, 0);
    for (std::size_t i = 0; i < matrix.n; ++i) {
        for (std::size_t j = 0; j < matrix.n; ++j) sums[i / block * side + j / block] += matrix.at(i, j);
    }
    std::vector<std::uint8_t> rgba;
    for (std::size_t i = 0; i < side; ++i) {
        const double row = std::accumulate(&sums[i * side], &sums[i * side] + side, 0.0);
        for (std::size_t j = 0; j < side; ++j) {
            const double share = row > 0 ? sums[i * side + j] / row : 0;
            const auto alpha = static_cast<std::uint8_t>(share > 0 ? 40 + 215 * std::sqrt(share) : 0);
            if (i == j) {
                rgba.insert(rgba.end(), {42, 122, 214, alpha});
            } else {
                rgba.insert(rgba.end(), {224, 112, 22, alpha});
            }
        }
    }
    const std::string blocks =
        block > 1 ? fmt::format(" Each point stands for {} classes by {}.", block, block) : std::string();
    return fmt::format(
        "<figure class=\"matrix\"><img src=\"{}\" alt=\"Confusion matrix of {} classes as a picture; the list of the "
        "most "
        "confused pairs says the same in words\"/><figcaption>Rows: what a photo shows, top to bottom in the order of "
        "the "
        "classes. Columns: the answer. Right answers lie on the diagonal (blue), mistakes beside it "
        "(orange).{}</figcaption>"
        "</figure>\n",
        png_address(rgba, static_cast<int>(side), static_cast<int>(side)), matrix.n, blocks);
}

std::string pair_table(const RunRecord& run, const std::vector<Pair>& pairs) {
    if (pairs.empty()) return {};
    std::string html =
        "<div class=\"scroll\"><table class=\"list\">\n<caption>The most confused pairs</caption>\n<thead><tr><th "
        "scope=\"col\">"
        "A photo of</th><th scope=\"col\">taken for</th><th scope=\"col\" class=\"n\">photos</th><th scope=\"col\" "
        "class=\"n\">"
        "of its class</th></tr></thead>\n<tbody>\n";
    for (const Pair& pair : pairs) {
        html +=
            fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
                        isolate(run.classes[pair.truth]), isolate(run.classes[pair.predicted]), whole(pair.count),
                        percent(pair.share));
    }
    return html + "</tbody>\n</table></div>\n";
}

std::string class_row(const ClassResult& row, bool trained_column) {
    const bool occurs = row.support > 0;
    const auto share = [&](double value) {
        return fmt::format("<td class=\"n\">{}</td>", percent(occurs ? value : missing));
    };
    const double recall = occurs && std::isfinite(row.recall) ? std::clamp(row.recall, 0.0, 1.0) : 0;
    std::string html = fmt::format("<tr><th scope=\"row\">{}</th>", isolate(row.name));
    if (trained_column) html += fmt::format("<td class=\"n minor\">{}</td>", whole(row.train_count));
    html += fmt::format("<td class=\"n\">{}</td>", whole(row.support));
    html += fmt::format(
        "<td class=\"n\"><span class=\"bar\" aria-hidden=\"true\"><span style=\"width:{:.1f}%\"></span></span>{}</td>",
        100 * recall, percent(occurs ? row.recall : missing));
    return html + share(row.precision) + share(row.f1) + "</tr>\n";
}

std::string class_rows(const std::vector<ClassResult>& rows, std::size_t begin, std::size_t end, bool trained_column) {
    std::string html = "<div class=\"scroll\"><table class=\"list classes\">\n<thead><tr><th scope=\"col\">Class</th>";
    if (trained_column) html += "<th scope=\"col\" class=\"n minor\">Trained on</th>";
    html +=
        "<th scope=\"col\" class=\"n\">Photos</th><th scope=\"col\" class=\"n\">Recall</th><th scope=\"col\" "
        "class=\"n\">"
        "Precision</th><th scope=\"col\" class=\"n\">F1</th></tr></thead>\n<tbody>\n";
    for (std::size_t i = begin; i < end; ++i) html += class_row(rows[i], trained_column);
    return html + "</tbody>\n</table></div>\n";
}

}  // namespace

std::string confusion(const RunRecord& run) {
    if (run.confusion.empty()) return {};
    const Matrix matrix{run.confusion, run.classes.size()};
    const std::vector<Pair> pairs = confused_pairs(matrix, most_pairs);
    std::string html = worst_pair_sentence(run, pairs);
    if (matrix.n <= most_classes_in_table) {
        html += table(run, matrix);
    } else {
        html += "<div class=\"pairs\">\n" + pair_table(run, pairs) + picture(matrix) + "</div>\n";
    }
    return section("confusion", "What was taken for what", html);
}

std::string class_table(const RunRecord& run) {
    if (run.per_class.empty()) return {};
    std::vector<ClassResult> rows = run.per_class;
    // Worst first; classes of which there was no photo come last.
    const auto rank = [](const ClassResult& row) { return row.support > 0 && std::isfinite(row.f1) ? row.f1 : 2; };
    std::stable_sort(rows.begin(), rows.end(),
                     [&](const ClassResult& a, const ClassResult& b) { return rank(a) < rank(b); });
    const bool trained =
        std::any_of(rows.begin(), rows.end(), [](auto& row) { return std::isfinite(row.train_count); });
    const std::size_t shown = rows.size() > rows_shown + 10 ? rows_shown : rows.size();
    std::string html =
        "<p>The worst first. <em>Recall</em>: of the photos of this class, the share that was named right. "
        "<em>Precision</em>: "
        "of the times the classifier answered this class, the share that was right. <em>F1</em> joins the two.</p>\n";
    html += class_rows(rows, 0, shown, trained);
    if (shown < rows.size()) {
        html += fmt::format("<details><summary>The other {}</summary>\n{}</details>\n",
                            times(static_cast<double>(rows.size() - shown), "class"),
                            class_rows(rows, shown, rows.size(), trained));
    }
    return section("classes", "Class by class", html);
}

}  // namespace cambium::report
