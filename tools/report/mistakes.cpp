#include <fmt/format.h>

#include <exception>

#include "data/images/decode.h"
#include "tools/report/html.h"
#include "tools/report/sections.h"
#include "tools/report/thumbnail.h"

namespace cambium::report {
namespace {

constexpr std::size_t most_mistakes = 24;
constexpr int side = 240;  // pixels; shown at 160, so that dense screens have something to show

Image picture_of(const MistakeResult& mistake, const ReportOptions& options) {
    if (options.picture && std::isfinite(mistake.index)) {
        return options.picture(static_cast<std::int64_t>(mistake.index));
    }
    return decode(std::filesystem::path(mistake.image));
}

std::string frame(const MistakeResult& mistake, const ReportOptions& options) {
    try {
        return fmt::format("<img src=\"{}\" alt=\"{}\" loading=\"lazy\"/>",
                           thumbnail(picture_of(mistake, options), side),
                           escape(fmt::format("A photo of {}, taken for {}", mistake.truth, mistake.predicted)));
    } catch (const std::exception& error) {
        return fmt::format("<div class=\"absent\"><p>No picture: {}</p></div>", escape(error.what()));
    }
}

std::string card(const MistakeResult& mistake, const ReportOptions& options) {
    return fmt::format(
        "<li><figure>{}<figcaption><span class=\"said\"><span class=\"mark\" aria-hidden=\"true\">\u2717</span> {} "
        "<span class=\"sure\">{}</span></span><span class=\"truth\"><span class=\"mark\" "
        "aria-hidden=\"true\">\u2713</span> "
        "{}</span><span class=\"path\" title=\"{}\">{}</span></figcaption></figure></li>\n",
        frame(mistake, options), isolate(mistake.predicted), percent(mistake.probability), isolate(mistake.truth),
        escape(mistake.image), isolate(short_path(mistake.image)));
}

}  // namespace

std::string mistakes(const RunRecord& run, const ReportOptions& options) {
    if (run.mistakes.empty()) {
        if (!(run.count >= 1) || !(run.top1 >= 1)) return {};
        return section("mistakes", "The most confident mistakes",
                       "<p>There are none: every photo was named right.</p>\n");
    }
    std::string html =
        "<p>Wrong answers given with the most confidence: \u2717 what the classifier said and how sure it was, \u2713 "
        "what the "
        "photo is filed under. Look at them first: often the label is wrong, or the photo shows both.</p>\n"
        "<ol class=\"gallery\">\n";
    for (std::size_t i = 0; i < std::min(run.mistakes.size(), most_mistakes); ++i)
        html += card(run.mistakes[i], options);
    return section("mistakes", "The most confident mistakes", html + "</ol>\n");
}

}  // namespace cambium::report
