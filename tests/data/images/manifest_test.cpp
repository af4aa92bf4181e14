// CSV manifests: the forms that spreadsheets write, and what is wrong with those that cannot be used.
#include <doctest/doctest.h>

#include "data/images/manifest.h"
#include "tests/data/images/golden.h"
#include "tests/data/images/temporary.h"

using namespace cambium;
using namespace cambium::test;

namespace {

std::vector<std::vector<std::string>> fields(std::string_view text) {
    std::vector<std::vector<std::string>> result;
    for (const CsvRow& row : parse_csv(text, "photos.csv")) result.push_back(row.fields);
    return result;
}
using Rows = std::vector<std::vector<std::string>>;

}  // namespace

TEST_CASE("CSV: quotes, line ends and the byte-order mark") {
    CHECK(fields("a,b\nc,d\n") == Rows{{"a", "b"}, {"c", "d"}});
    CHECK(fields("\xEF\xBB\xBF"
                 "a,b\r\nc,d") == Rows{{"a", "b"}, {"c", "d"}});
    CHECK(fields("\"a,1\",\"say \"\"hi\"\"\"\n\n\"two\nlines\",\"\"\n") ==
          Rows{{"a,1", "say \"hi\""}, {"two\nlines", ""}});
    CHECK(fields("").empty());
    CHECK(parse_csv("a,b\n\n\"x\ny\",c\nd,e\n", "photos.csv")[2].line == 5);
    CHECK(contains(error_of([] { parse_csv("a,b\n\"c,d\n", "photos.csv"); }), "opened on line 2"));
}

TEST_CASE("a manifest's photos, labels and splits") {
    const TemporaryFolder folder;
    for (const char* photo : {"a.jpg", "b, c.jpg", "sub/d.jpg"}) folder.put(photo, "x");
    const auto plain = read_manifest(folder.put("plain.csv", "a.jpg,cat\n\"b, c.jpg\",dog\nsub/d.jpg,cat\n"));
    CHECK(!plain.has_split);
    REQUIRE(plain.lines.size() == 3);
    CHECK(plain.lines[1].path == folder.path / "b, c.jpg");
    CHECK(plain.lines[2].label == "cat");
    const auto named = read_manifest(
        folder.put("named.csv", "Class,note,Set,File\r\ncat,,train,a.jpg\r\ndog,blurred,valid,sub/d.jpg\r\n"));
    REQUIRE(named.lines.size() == 2);
    CHECK(named.lines[1].split == Split::validation);
    CHECK(named.lines[1].path == folder.path / "sub/d.jpg");
    const auto absolute = read_manifest(folder.put("absolute.csv", (folder.path / "a.jpg").string() + ",cat,test\n"));
    CHECK(absolute.lines[0].split == Split::test);
}

TEST_CASE("a manifest that cannot be used says where and why") {
    const TemporaryFolder folder;
    folder.put("a.jpg", "x");
    const auto refusal = [&](std::string_view text) {
        return error_of([&] { read_manifest(folder.put("photos.csv", text)); });
    };
    CHECK(contains(refusal(""), "no lines"));
    CHECK(contains(refusal("a.jpg\n"), "1 fields"));
    CHECK(contains(refusal("a.jpg,cat\nb.jpg,cat\n"), "line 2: there is no file"));
    CHECK(contains(refusal("a.jpg,cat\na.jpg,\n"), "line 2: the label is empty"));
    CHECK(contains(refusal("a.jpg,cat\na, b.jpg,cat\n"), "line 2: 3 fields"));
    CHECK(contains(refusal("a.jpg,cat,train\na.jpg,cat,holdout\n"), "line 2: the split is 'holdout'"));
    CHECK(contains(refusal("path,label\n"), "names no photos"));
    CHECK(contains(error_of([&] { read_manifest(folder.path / "none.csv"); }), "cannot be opened"));
}
