#include "tools/report/html.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tools/report/chart.h"
#include "tools/report/thumbnail.h"

using namespace cambium;
using namespace cambium::report;

TEST_CASE("markup and control characters become harmless") {
    CHECK(escape("<b a='1' c=\"2\">&</b>") == "&lt;b a=&#39;1&#39; c=&#34;2&#34;&gt;&amp;&lt;/b&gt;");
    CHECK(escape(std::string_view("a\0b\x1b", 4)) ==
          "a\ufffd"
          "b\ufffd");
    CHECK(escape("Grün, 日本") == "Grün, 日本");
    CHECK(isolate("<") == "<bdi>&lt;</bdi>");
}

TEST_CASE("numbers are written for people") {
    CHECK(percent(0.93333) == "93.3&#160;%");
    CHECK(percent(std::nan("")) == "\u2013");
    CHECK(whole(0) == "0");
    CHECK(whole(999) == "999");
    CHECK(whole(1000) == "1,000");
    CHECK(whole(-1234567) == "-1,234,567");
    CHECK(whole(HUGE_VAL) == "\u2013");
    CHECK(times(1, "photo") == "1 photo");
    CHECK(times(2, "class") == "2 classes");
    CHECK(times(3, "batch") == "3 batches");
    CHECK(duration(9.96) == "10.0 s");
    CHECK(duration(59.9) == "1 min 00 s");
    CHECK(duration(185) == "3 min 05 s");
    CHECK(duration(7800) == "2 h 10 min");
    CHECK(short_path("/a/b/c.jpg") == "b/c.jpg");
    CHECK(short_path("c.jpg") == "c.jpg");
    CHECK(short_path("/c.jpg") == "/c.jpg");
}

TEST_CASE("base64 equals the vectors of RFC 4648") {
    const auto encoded = [](std::string_view text) {
        return base64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    };
    CHECK(encoded("") == "");
    CHECK(encoded("f") == "Zg==");
    CHECK(encoded("fo") == "Zm8=");
    CHECK(encoded("foo") == "Zm9v");
    CHECK(encoded("foob") == "Zm9vYg==");
    CHECK(encoded("foobar") == "Zm9vYmFy");
}

TEST_CASE("ticks are round and cover the values") {
    const Ticks unit = round_ticks(0, 0.93, 5);
    CHECK(unit.first == doctest::Approx(0));
    CHECK(unit.last == doctest::Approx(1));
    CHECK(unit.distance == doctest::Approx(0.2));
    for (const double high : {1e-7, 0.011, 1.0, 3.7, 98765.0, 1e12}) {
        const Ticks ticks = round_ticks(-high / 3, high, 5);
        CHECK(ticks.first <= -high / 3);
        CHECK(ticks.last >= high);
        CHECK((ticks.last - ticks.first) / ticks.distance < 9);
    }
    CHECK(std::isfinite(round_ticks(2, 2, 5).distance));
    CHECK(round_ticks(0, 0, 5).distance > 0);
}

TEST_CASE("a chart breaks its line where a value is not finite, and marks a lone point") {
    Chart chart{.title = "Loss"};
    chart.series = {{.label = "training", .style = "train", .points = {{1, 2}, {2, 1.5}, {3, NAN}, {4, 1}}}};
    const std::string svg = line_chart(chart);
    const std::size_t path = svg.find("<path d=\"M", svg.find("role=\"img\""));
    REQUIRE(path != std::string::npos);
    const std::string drawn = svg.substr(path, svg.find("</g>", path) - path);
    CHECK(std::count(drawn.begin(), drawn.end(), 'M') == 2);
    CHECK(std::count(drawn.begin(), drawn.end(), 'L') == 1);
    CHECK(drawn.find("<circle") != std::string::npos);
    CHECK(svg.find("nan") == std::string::npos);

    chart.series[0].points = {{1, NAN}, {2, NAN}};
    CHECK(line_chart(chart).empty());
}

TEST_CASE("a chart with one value far above the others is logarithmic") {
    Chart chart{.title = "Loss"};
    chart.series = {{.label = "training", .style = "train", .points = {{1, 5000}, {2, 2}, {3, 1}, {4, 0.5}}}};
    CHECK(line_chart(chart).find("(logarithmic)") != std::string::npos);
    chart.series[0].points[0].value = 4;
    CHECK(line_chart(chart).find("(logarithmic)") == std::string::npos);
}

TEST_CASE("thumbnails keep the aspect ratio, and tiny pictures every pixel") {
    Image wide({600, 200}), tiny({32, 32}), thin({4000, 1});
    for (Image* image : {&wide, &tiny, &thin})
        std::fill(image->pixels().begin(), image->pixels().end(), std::uint8_t{90});
    CHECK(thumbnail(wide, 240).starts_with("data:image/jpeg;base64,/9j/"));
    CHECK(thumbnail(tiny, 240).starts_with("data:image/png;base64,iVBORw0KGgo"));
    CHECK(thumbnail(thin, 240).starts_with("data:image/jpeg;base64,/9j/"));
}
