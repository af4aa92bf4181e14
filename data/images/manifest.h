// CSV manifests: one line a photo, `path,label` or `path,label,split`, in the form of RFC 4180 (quoted fields, "" for a
// quote, LF or CRLF, with or without a byte-order mark).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cambium {

enum class Split : std::uint8_t { train, validation, test };

struct ManifestLine {
    std::filesystem::path path;  // absolute paths stay; others are relative to the manifest's directory
    std::string label;
    Split split = Split::train;
};

struct Manifest {
    std::vector<ManifestLine> lines;
    bool has_split = false;
};

// A first line of column names is optional; with one, columns may stand in any order, and further ones are ignored:
// path (or image, file, filename), label (or class), split (or set) of train, val (valid, validation) or test. Throws
// Error naming file and line: a field or quote is missing, a split is unknown, a photo does not exist, no lines.
Manifest read_manifest(const std::filesystem::path& file);

// The fields of a CSV text, line by line, each with the number of the line it starts on. Throws Error if a quote is
// open.
struct CsvRow {
    std::vector<std::string> fields;
    int line = 0;
};
std::vector<CsvRow> parse_csv(std::string_view text, std::string_view name);

}  // namespace cambium
