#include "engine/base/utf8.h"

#include <doctest/doctest.h>

namespace cambium {

TEST_CASE("well-formed UTF-8 is told from what only looks like it") {
    for (const char* text : {"", "plain", "Blätter", "叶", "🌿", "\xf4\x8f\xbf\xbf"}) CHECK(is_utf8(text));
    for (const char* text : {"\xff", "\xc3", "\xe2\x82", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "a\x80"}) {
        CHECK_FALSE(is_utf8(text));
    }
    CHECK(utf8_length("🌿 leaf") == 4);
    CHECK(code_point("🌿") == 0x1f33f);
    CHECK(code_point("ä") == 0xe4);
}

TEST_CASE("what could change a terminal is escaped, all else stays") {
    CHECK(printable("Blätter 🌿 a\\b") == "Blätter 🌿 a\\b");
    CHECK(printable("\x1b[2J\a\x7f\n") == "\\u001b[2J\\u0007\\u007f\\u000a");
    CHECK(printable("a\nb\tc\r", "\n\t") == "a\nb\tc\\u000d");
    CHECK(printable("\xc2\x9b"
                    "31m") == "\\u009b31m");        // C1's control sequence introducer
    CHECK(printable("\xe2\x80\xae") == "\\u202e");  // right-to-left override
    CHECK(printable("\xff\xc3(") == "\\xff\\xc3(");
    CHECK(printable(std::string_view("\0x", 2)) == "\\u0000x");
}

}  // namespace cambium
