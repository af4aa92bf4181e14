#include "tools/common/json_writer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace cambium {

TEST_CASE("what is written parses and means what was given") {
    JsonWriter json;
    json.begin_object().field("a", "text").field("n", 3).field("x", 0.1).key("list").begin_array().value(1).value(true);
    json.begin_object().end_object().begin_array().end_array().end_array().field("last", -1.5f).end_object();
    CHECK(json.text() == R"({"a": "text", "n": 3, "x": 0.1, "list": [1, true, {}, []], "last": -1.5})");
    CHECK(nlohmann::json::parse(json.text()).at("x").get<double>() == 0.1);
}

TEST_CASE("quotes, control characters, UTF-8 and what is not UTF-8") {
    for (const std::string text : {"\"\\\n\t\x01", "Blätter 🌿", "", "a, b: {[", "ends in a blank "}) {
        JsonWriter json;
        json.begin_array().value(text).value(text).end_array();
        CHECK(nlohmann::json::parse(json.text()) == nlohmann::json{text, text});
    }
    for (const std::string text : {"\xff", "\xc3", "\xe2\x82", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80"}) {
        JsonWriter json;
        const std::string parsed = nlohmann::json::parse(json.value(text).text());
        CHECK(parsed.starts_with("\xef\xbf\xbd"));
    }
}

TEST_CASE("reals come back to the bit, and what is not finite is null") {
    for (const double x : {1e300, 0.1 + 0.2, -5e-324, 1.0 / 3, 100.0}) {
        CHECK(nlohmann::json::parse(JsonWriter().value(x).text()).get<double>() == x);
    }
    CHECK(JsonWriter().value(std::nan("")).text() == "null");
    CHECK(JsonWriter().value(std::numeric_limits<float>::infinity()).text() == "null");
}

}  // namespace cambium
