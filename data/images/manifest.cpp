#include "data/images/manifest.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <optional>
#include <sstream>

#include "engine/base/fail.h"

namespace cambium {

namespace {

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

bool is_one_of(const std::string& text, std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, lower(text)) != names.end();
}

bool names_path(const std::string& text) { return is_one_of(text, {"path", "image", "file", "filename"}); }
bool names_label(const std::string& text) { return is_one_of(text, {"label", "class"}); }
bool names_split(const std::string& text) { return is_one_of(text, {"split", "set"}); }

struct Columns {
    std::size_t path = 0, label = 1;
    std::optional<std::size_t> split;
};

// From the names on the first line, or, if it holds none, from the number of its fields.
Columns find_columns(const CsvRow& first, std::string_view name, bool& has_names) {
    const auto path = std::ranges::find_if(first.fields, names_path);
    const auto label = std::ranges::find_if(first.fields, names_label);
    const auto split = std::ranges::find_if(first.fields, names_split);
    const auto end = first.fields.end();
    const auto index = [&](auto at) { return static_cast<std::size_t>(at - first.fields.begin()); };
    has_names = path != end && label != end;
    if (has_names) return {index(path), index(label), split != end ? std::optional(index(split)) : std::nullopt};
    if (first.fields.size() != 2 && first.fields.size() != 3)
        fail(
            "cannot read {}: its first line has {} fields; `path,label` or `path,label,split` is needed, or a line of "
            "column names that has path and label",
            name, first.fields.size());
    return {0, 1, first.fields.size() == 3 ? std::optional<std::size_t>(2) : std::nullopt};
}

Split parse_split(const std::string& text, std::string_view name, int line) {
    if (is_one_of(text, {"train", "training"})) return Split::train;
    if (is_one_of(text, {"val", "valid", "validation"})) return Split::validation;
    if (is_one_of(text, {"test"})) return Split::test;
    fail("cannot read {}, line {}: the split is '{}'; train, val or test is needed", name, line, text);
}

}  // namespace

std::vector<CsvRow> parse_csv(std::string_view text, std::string_view name) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    std::vector<CsvRow> rows;
    CsvRow row{.fields = {""}, .line = 1};
    int line = 1;
    bool quoted = false, was_quoted = false;
    const auto end_row = [&] {
        if (row.fields.size() > 1 || !row.fields[0].empty() || was_quoted)
            rows.push_back(row);  // blank lines are skipped
        row = {.fields = {""}, .line = line};
        was_quoted = false;
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\n') ++line;
        if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
            row.fields.back() += text[++i];
        } else if (quoted && c == '"') {
            quoted = false;
        } else if (quoted) {
            row.fields.back() += c;
        } else if (c == '"' && row.fields.back().empty()) {
            quoted = was_quoted = true;
        } else if (c == ',') {
            row.fields.emplace_back();
        } else if (c == '\n') {
            end_row();
        } else if (c != '\r' || (i + 1 < text.size() && text[i + 1] != '\n')) {
            row.fields.back() += c;
        }
    }
    if (quoted) fail("cannot read {}: the quote opened on line {} is never closed", name, row.line);
    end_row();
    return rows;
}

Manifest read_manifest(const std::filesystem::path& file) {
    const std::string name = file.string();
    std::ifstream stream(file, std::ios::binary);
    if (!stream) fail("cannot read {}: it cannot be opened", name);
    std::ostringstream text;
    text << stream.rdbuf();
    const std::vector<CsvRow> rows = parse_csv(text.view(), name);
    if (rows.empty()) fail("cannot read {}: it has no lines; `path,label` is needed, one line a photo", name);

    bool has_names = false;
    const Columns columns = find_columns(rows.front(), name, has_names);
    const std::size_t needed = std::max({columns.path, columns.label, columns.split.value_or(0)}) + 1;
    Manifest manifest{.lines = {}, .has_split = columns.split.has_value()};
    for (std::size_t i = has_names ? 1 : 0; i < rows.size(); ++i) {
        const auto& [fields, line] = rows[i];
        if (fields.size() < needed || (!has_names && fields.size() != needed))
            fail("cannot read {}, line {}: {} fields, and {} are needed (a comma within a path needs quotes)", name,
                 line, fields.size(), needed);
        const std::string &path = fields[columns.path], &label = fields[columns.label];
        if (path.empty() || label.empty())
            fail("cannot read {}, line {}: the {} is empty", name, line, path.empty() ? "path" : "label");
        ManifestLine entry{.path = file.parent_path() / path, .label = label};
        if (columns.split) entry.split = parse_split(fields[*columns.split], name, line);
        if (std::error_code unreadable; !std::filesystem::exists(entry.path, unreadable))
            fail("cannot read {}, line {}: there is no file {} (paths are relative to the CSV file)", name, line,
                 entry.path.string());
        manifest.lines.push_back(std::move(entry));
    }
    if (manifest.lines.empty()) fail("cannot read {}: it names no photos", name);
    return manifest;
}

}  // namespace cambium
