#include "tools/common/table.h"

#include <doctest/doctest.h>

#include "tools/common/terminal.h"

namespace cambium {
namespace {

constexpr std::size_t narrowest = 8;

std::size_t widest(const std::string& text) {
    std::size_t result = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        result = std::max(result, columns(std::string_view(text).substr(at, end - at)));
        at = end + 1;
    }
    return result;
}

Table layers() {
    Table table({{.title = "layer", .importance = 3},
                 {.title = "MFLOP", .align = Table::Align::right, .importance = 2},
                 {.title = "provider", .importance = 0}},
                narrowest);
    table.add({"layer1.0.conv1", "118.0", "oneDNN jit"});
    table.add({"fc", "0.5"});
    return table;
}

}  // namespace

TEST_CASE("columns are as wide as their widest cell, and nothing trails") {
    CHECK(layers().text(100) ==
          "layer          MFLOP  provider\n"
          "layer1.0.conv1 118.0  oneDNN jit\n"
          "fc               0.5\n");
}

TEST_CASE("where room is short a column goes, then the first is shortened, then others go") {
    CHECK(layers().text(31) ==
          "layer          MFLOP\n"
          "layer1.0.conv1 118.0\n"
          "fc               0.5\n");
    CHECK(layers().text(18) ==
          "layer        MFLOP\n"
          "...1.0.conv1 118.0\n"
          "fc             0.5\n");
    for (std::size_t width = 8; width < 40; ++width) CHECK(widest(layers().text(width)) <= width);
    CHECK(layers().text(8).find("118") == std::string::npos);
}

TEST_CASE("cells from files cannot change the terminal, and count by what is shown") {
    Table table({{.title = ""}, {.title = ""}});
    table.add({"\x1b[31m", "a"});
    table.add({"Blätter", "b"});
    table.heading("done");
    CHECK(table.text(80) == "\\u001b[31m  a\nBlätter     b\ndone\n");
}

TEST_CASE("text is shortened at either end") {
    CHECK(shortened_front("layer1.0.conv1", 9) == "....conv1");
    CHECK(shortened_back("layer1.0.conv1", 9) == "layer1...");
    CHECK(shortened_front("fc", 9) == "fc");
    CHECK(shortened_back("Blätter", 2) == "..");
}

}  // namespace cambium
