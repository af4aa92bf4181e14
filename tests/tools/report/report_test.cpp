#include "tools/report/report.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "engine/base/fail.h"
#include "tests/tools/report/run_folder.h"

using namespace cambium;
using Json = nlohmann::json;

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

// What keeps the page from being well-formed XML; empty if nothing does. Tags must nest, attributes be quoted, and '<'
// and '&' occur only as markup.
std::string malformed(std::string_view page) {
    std::vector<std::string> open;
    for (std::size_t at = 0; at < page.size(); ++at) {
        if (page[at] == '&') {
            const std::size_t end = page.find(';', at);
            if (end == std::string_view::npos || end - at > 8) return fmt::format("a bare & at {}", at);
        }
        if (page[at] != '<') continue;
        if (page.substr(at).starts_with("<!DOCTYPE html>")) continue;
        std::size_t end = at + 1;
        bool quoted = false;
        for (; end < page.size() && (quoted || page[end] != '>'); ++end) {
            if (page[end] == '"') quoted = !quoted;
            if (page[end] == '<') return fmt::format("a bare < at {}", end);
        }
        const std::string_view tag = page.substr(at + 1, end - at - 1);
        const std::string name(tag.substr(0, tag.find_first_of(" \n/", 1)));
        if (tag.starts_with('/')) {
            if (open.empty() || "/" + open.back() != tag) {
                return fmt::format("<{}> closes <{}>", tag, open.empty() ? "nothing" : open.back());
            }
            open.pop_back();
        } else if (!tag.ends_with('/')) {
            open.push_back(name);
        }
        at = end;
    }
    return open.empty() ? "" : fmt::format("<{}> stays open", open.back());
}

// The page of a run, checked for what holds for every page.
std::string page_of(const test::RunFolder& run, const ReportOptions& options = {}) {
    write_report(run.path, options);
    const std::string page = run.read("report.html");
    CHECK(malformed(page) == "");
    CHECK(count(page, "<h1>") == 1);
    CHECK_FALSE(contains(page, "<script"));
    CHECK_FALSE(contains(page, "http:"));
    CHECK_FALSE(contains(page, "https:"));
    CHECK_FALSE(contains(page, "url("));
    CHECK_FALSE(contains(page, "nan"));
    CHECK_FALSE(contains(page, "inf<"));
    return page;
}

Json config_of(const std::vector<std::string>& classes) {
    return {{"data", "/photos/garden"},
            {"model", "resnet18"},
            {"recipe", "gradual"},
            {"classes", classes},
            {"train_count", 40},
            {"validation_count", 20},
            {"phases",
             {{{"name", "head"}, {"epochs", 2}, {"input", "features"}, {"optimizer", "adamw"}},
              {{"name", "all"}, {"epochs", 1}, {"schedule", {{"kind", "cosine"}, {"rate", 0.005}}}}}},
            {"choices", {{{"what", "batch"}, {"value", "32"}, {"reason", "40 photos are few"}}}}};
}

Json result_of(const std::vector<std::string>& classes, std::int64_t right = 9, std::int64_t wrong = 1) {
    const std::size_t n = classes.size();
    std::vector<std::vector<std::int64_t>> confusion(n, std::vector<std::int64_t>(n, 0));
    for (std::size_t i = 0; i < n; ++i) {
        confusion[i][i] = right;
        confusion[i][(i + 1) % n] += wrong;
    }
    const double top1 = static_cast<double>(right) / static_cast<double>(right + wrong);
    return {{"set", "test"},
            {"count", (right + wrong) * static_cast<std::int64_t>(n)},
            {"top1", top1},
            {"balanced_accuracy", top1},
            {"macro_f1", top1},
            {"majority_baseline", 1.0 / static_cast<double>(n)},
            {"majority_class", classes[0]},
            {"confusion", confusion}};
}

std::vector<std::string> numbered_classes(int n) {
    std::vector<std::string> names;
    for (int i = 0; i < n; ++i) names.push_back(fmt::format("species {}", i));
    return names;
}

void put(const test::RunFolder& run, const Json& config, const Json& result) {
    run.put("config.json", config.dump());
    run.put("result.json", result.dump());
}

constexpr const char* metrics =
    "{\"step\": 2, \"epoch\": 1, \"phase\": \"head\", \"lr\": 0.001, \"train_loss\": 0.7}\n"
    "{\"step\": 4, \"epoch\": 1, \"phase\": \"head\", \"val_loss\": 0.6, \"val_top1\": 0.7}\n"
    "{\"step\": 6, \"epoch\": 2, \"phase\": \"all\", \"lr\": 0.005, \"train_loss\": 0.3}\n"
    "{\"step\": 8, \"epoch\": 2, \"phase\": \"all\", \"val_loss\": 0.4, \"val_top1\": 0.9}\n";

}  // namespace

TEST_CASE("the check of well-formedness can fail") {
    CHECK(malformed("<p>a<br/>b</p>") == "");
    CHECK(malformed("<p><b></p></b>") != "");
    CHECK(malformed("<p>") != "");
    CHECK(malformed("<p>a & b</p>") != "");
    CHECK(malformed("<p title=\"<\"></p>") != "");
    CHECK(malformed("</p>") != "");
}

TEST_CASE("a whole run: every section, the figures in it, and nothing from outside the file") {
    test::RunFolder run;
    Json result = result_of({"ants", "bees"});
    result["best"] = {{"epoch", 2}, {"step", 8}, {"val_top1", 0.9}};
    result["phases"] = {
        {{"trained", "fc (2 tensors)"}, {"frozen", "conv1, layer1 (60 tensors)"}, {"trained_parameters", 1026}}};
    result["left_out"] = {{{"image", "/photos/garden/x.gif"}, {"reason", "its extension is not an image's"}}};
    result["duplicates"] = {{{"train", "/photos/a.jpg"}, {"other", "/photos/b.jpg"}, {"same_bytes", true}}};
    result["machine"] = {{"cpu", "Some Processor"}, {"threads", 2}, {"version", "1.2.3"}};
    result["time"] = {{"started", "2026-11-25T01:23:45Z"}, {"seconds", 125}, {"wait_share", 0.25}};
    result["validation"] = {
        {"top1", 0.85}, {"balanced_accuracy", 0.8}, {"macro_f1", 0.75}, {"majority_baseline", 0.55}};
    put(run, config_of({"ants", "bees"}), result);
    run.put("metrics.jsonl", metrics);
    const std::string page = page_of(run);
    for (const char* id : {"curves", "confusion", "classes", "training", "choices", "data", "machine", "settings"}) {
        CAPTURE(id);
        CHECK(contains(page, fmt::format("<section id=\"{}\"", id)));
        CHECK(contains(page, fmt::format("<a href=\"#{}\">", id)));
    }
    CHECK(contains(page, "<h1>18 of 20 test photos named right</h1>"));
    CHECK(contains(page, "<strong>90.0&#160;%</strong>"));
    CHECK(contains(page, "69.9&#160;% and 97.2&#160;%"));  // Wilson's interval of 18 in 20
    CHECK(contains(page, "has clearly learned more"));
    CHECK(count(page, "<figure class=\"chart\">") == 3);
    CHECK(contains(page, "kept: 90.0 %, epoch 2"));
    CHECK(count(page, "<td class=\"hit\"") == 2);
    CHECK(count(page, "<td class=\"miss\"") == 2);
    CHECK(contains(page, "fc (2 tensors), 1,026 parameters"));
    CHECK(contains(page, "40 photos are few"));
    CHECK(contains(page, "/photos/garden/x.gif"));
    CHECK(contains(page, "/photos/b.jpg"));
    CHECK(contains(page, "2 min 05 s"));
    CHECK(contains(page, "2026-11-25 01:23:45 UTC"));
    CHECK(contains(page, "1.2.3"));
    CHECK(contains(page, "On the 20 validation photos, by which the best state was chosen: accuracy 85.0&#160;%"));
    CHECK(contains(page, "macro-F1 75.0&#160;%, majority baseline 55.0&#160;%"));
    CHECK(contains(page, "phases.0.epochs"));
    CHECK_FALSE(std::filesystem::exists(run.path / "report.html.partial"));
}

TEST_CASE("a classifier no better than its baseline is called that") {
    test::RunFolder run;
    put(run, config_of({"ants", "bees"}), result_of({"ants", "bees"}, 4, 6));
    CHECK(contains(page_of(run), "is no better than that"));
    put(run, config_of({"ants", "bees"}), result_of({"ants", "bees"}, 6, 4));
    CHECK(contains(page_of(run), "no clear difference"));
    CHECK(contains(page_of(run), "Always answering one and the same class would be right"));
    Json uneven = result_of({"ants", "bees"}, 6, 4);
    uneven["confusion"] = {{7, 4}, {4, 5}};
    put(run, config_of({"ants", "bees"}), uneven);
    CHECK(contains(page_of(run), "Always answering <bdi>ants</bdi>, the most frequent class, would be right"));
}

TEST_CASE("balanced accuracy has a curve of its own only where it differs from top-1") {
    test::RunFolder run;
    put(run, config_of({"ants", "bees"}), result_of({"ants", "bees"}));
    const auto lines = [](double balanced) {
        return fmt::format(
            "{{\"step\": 1, \"val_top1\": 0.5, \"val_balanced_accuracy\": 0.5}}\n"
            "{{\"step\": 2, \"val_top1\": 0.7, \"val_balanced_accuracy\": {}}}\n",
            balanced);
    };
    run.put("metrics.jsonl", lines(0.7));
    CHECK_FALSE(contains(page_of(run), "line second"));
    run.put("metrics.jsonl", lines(0.6));
    CHECK(contains(page_of(run), "line second"));
}

TEST_CASE("many notes: the first are shown, the others folded away") {
    test::RunFolder run;
    Json result = result_of({"ants", "bees"});
    result["notes"] = std::vector<std::string>(9, "something to know");
    put(run, config_of({"ants", "bees"}), result);
    const std::string page = page_of(run);
    CHECK(count(page, "<li>something to know</li>") == 9);
    CHECK(contains(page, "<summary>3 more</summary>"));
}

TEST_CASE("hostile names stay text") {
    test::RunFolder run;
    const std::vector<std::string> classes = {"<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>",
                                              "\u202e&amp;</style>", std::string("a\0b", 3)};
    Json config = config_of(classes), result = result_of(classes);
    config["data"] = "/photos/</title><script>x</script>";
    config["model"] = "<i>";
    config["</code>"] = "</td>";
    config["phases"][0]["name"] = "<b>";
    result["mistakes"] = {
        {{"image", "<u>\"'.jpg"}, {"truth", classes[0]}, {"predicted", classes[1]}, {"probability", 0.9}}};
    result["notes"] = {"<note>"};
    result["ended"] = "</main>";
    put(run, config, result);
    run.put("metrics.jsonl",
            "{\"step\": 1, \"phase\": \"<a>\", \"train_loss\": 1}\n{\"step\": 2, \"phase\": \"</svg>\"}\n");
    const std::string page = page_of(run);
    CHECK(contains(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    CHECK_FALSE(contains(page, "onerror=alert(1)>"));
    CHECK(contains(page, "<bdi>\u202e&amp;amp;&lt;/style&gt;</bdi>"));
    CHECK_FALSE(contains(page, std::string(1, '\0')));
}

TEST_CASE("pieces that are missing, damaged or of another type are left out") {
    test::RunFolder run;
    run.put("config.json", "{}");
    CHECK(contains(page_of(run), "This run has not finished"));

    run.put("metrics.jsonl", metrics);
    std::string page = page_of(run);
    CHECK(contains(page, "after step 8 in epoch 2"));
    CHECK(contains(page, "<strong>90.0&#160;%</strong>"));

    run.put("metrics.jsonl",
            "{\"step\": 1, \"train_loss\": null, \"val_loss\": 1e400}\nrubbish\n{\"epoch\": 1}\n[]\n7\n");
    page = page_of(run);
    CHECK(contains(page, "5 lines of metrics.jsonl could not be read"));
    CHECK(contains(page, "there are no curves"));

    run.put("result.json", "{}");
    page = page_of(run);
    CHECK(contains(page, "its accuracy is not known"));
    CHECK_FALSE(contains(page, "named right"));
    for (const char* odd :
         {"[]", "7", "null", "{\"top1\": \"x\", \"count\": [], \"time\": 3, \"phases\": [1, null], \"mistakes\": {}}",
          "{\"classes\": [1, null], \"confusion\": [[1, null], 2], \"per_class\": [null]}"}) {
        run.put("result.json", odd);
        run.put("config.json", odd);
        page_of(run);
    }
    put(run, config_of({"ants", "bees"}), {{"confusion", {{1, 2, 3}}}});
    CHECK(contains(page_of(run), "has 1 rows for 2 classes"));
    put(run, config_of({"ants", "bees"}), {{"confusion", {{1, 2}, {3}}}});
    CHECK(contains(page_of(run), "the confusion matrix of result.json is damaged"));
}

TEST_CASE("files that are no JSON, and a folder that is no run, are named") {
    test::RunFolder run;
    CHECK_THROWS_WITH_AS(write_report(run.path), doctest::Contains("config.json"), Error);
    run.put("config.json", "{");
    CHECK_THROWS_WITH_AS(write_report(run.path), doctest::Contains("config.json"), Error);
    run.put("config.json", "{}");
    run.put("result.json", "{\"top1\": ");
    CHECK_THROWS_WITH_AS(write_report(run.path), doctest::Contains("result.json"), Error);
    CHECK_FALSE(std::filesystem::exists(run.path / "report.html"));
}

TEST_CASE("many classes: the most confused pairs and a picture in place of a table, the worst classes first") {
    for (const int n : {2, 30, 31, 1000}) {
        CAPTURE(n);
        test::RunFolder run;
        const std::vector<std::string> classes = numbered_classes(n);
        Json result = result_of(classes);
        Json& last_row = result["confusion"].back();
        last_row.back() = 0;
        last_row.front() = 10;
        put(run, config_of(classes), result);
        const std::string page = page_of(run);
        CHECK(page.size() < 2'000'000);
        CHECK(contains(page, "<table class=\"confusion") == (n <= 30));
        CHECK(contains(page, "class=\"matrix\"") == (n > 30));
        CHECK(contains(page, "<details><summary>The other 960 classes</summary>") == (n == 1000));
        const std::string worst = fmt::format("<bdi>species {}</bdi>", n - 1);
        const std::size_t table = page.find("<table class=\"list classes\">");
        CHECK(page.find(worst, table) < page.find("<bdi>species 0</bdi>", table));
        CHECK(contains(page,
                       fmt::format("10 photos of {} (100.0&#160;% of them) taken for <bdi>species 0</bdi>", worst)));
    }
}

TEST_CASE("mistakes: pictures from the source or from files, a placeholder where there is none") {
    test::RunFolder run;
    Json result = result_of({"ants", "bees"});
    const auto mistake = [](int index, const std::string& image) {
        return Json{
            {"index", index}, {"image", image}, {"truth", "ants"}, {"predicted", "bees"}, {"probability", 0.75}};
    };
    run.put("photo.ppm", "P6 2 1 255\n" + std::string("\x10\x20\x30\x40\x50\x60", 6));
    result["mistakes"] = {mistake(0, (run.path / "photo.ppm").string()), mistake(1, "/nowhere/b.jpg")};
    put(run, config_of({"ants", "bees"}), result);
    std::string page = page_of(run);
    CHECK(count(page, "src=\"data:image/png;base64,") == 1);
    CHECK(contains(page, "alt=\"A photo of ants, taken for bees\""));
    CHECK(contains(page, "No picture: "));
    CHECK(contains(page, "75.0&#160;%"));

    const auto draw = [](std::int64_t index) {
        if (index == 1) fail("picture {} is not drawn", index);
        Image image({100, 80});
        std::fill(image.pixels().begin(), image.pixels().end(), std::uint8_t{200});
        return image;
    };
    page = page_of(run, {.picture = draw});
    CHECK(count(page, "src=\"data:image/jpeg;base64,") == 1);
    CHECK(contains(page, "No picture: picture 1 is not drawn"));

    put(run, config_of({"ants", "bees"}), result_of({"ants", "bees"}, 10, 0));
    CHECK(contains(page_of(run), "every photo was named right"));
}
