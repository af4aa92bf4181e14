// Tells the format of a file by its first bytes. What is not a weights file gets a sentence that names it, since people
// hand over ONNX models, Keras files, saved error pages and Git LFS pointers.
#include <algorithm>
#include <cctype>

#include "data/formats/contents.h"
#include "engine/base/fail.h"

namespace cambium::formats {
namespace {

using namespace std::string_view_literals;

struct Signature {
    std::string_view start;
    std::string_view meaning;
};
constexpr Signature signatures[] = {
    {"\x89HDF\r\n\x1a\n"sv, "an HDF5 file (Keras, TensorFlow); export it to safetensors with the program that made it"},
    {"\x93NUMPY"sv, "a NumPy array; a weights file has named tensors"},
    {"GGUF"sv, "a GGUF file; use the safetensors file of the same model"},
    {"version https://git-lfs"sv, "a Git LFS pointer, not the file itself; fetch it with 'git lfs pull'"},
    {"\x1f\x8b"sv, "a gzip archive; unpack it first"},
    {"\xfd"
     "7zXZ"sv,
     "an xz archive; unpack it first"},
    {"7z\xbc\xaf"sv, "a 7-Zip archive; unpack it first"},
    {"\x28\xb5\x2f\xfd"sv, "a Zstandard archive; unpack it first"},
    {"\xff\xd8\xff"sv, "a JPEG image"},
    {"\x89PNG"sv, "a PNG image"},
    {"%PDF"sv, "a PDF document"},
    {"\x7f"
     "ELF"sv,
     "a program"},
    {"{"sv, "JSON text"}};

// A size of 8 bytes, then JSON. JSON text may have a brace there too, but no zero byte before it.
bool has_safetensors_header(std::string_view text) {
    return text.size() > 8 && text[8] == '{' &&
           (text[0] != '{' || text.substr(0, 8).find('\0') != std::string_view::npos);
}

bool starts_with_ignoring_case(std::string_view text, std::string_view start) {
    return text.size() >= start.size() && std::equal(start.begin(), start.end(), text.begin(), [](char a, char b) {
               return a == std::tolower(static_cast<unsigned char>(b));
           });
}

bool is_html(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    return starts_with_ignoring_case(text, "<!doctype html") || starts_with_ignoring_case(text, "<html");
}

// A tar header: the checksum field (octal, at 148) is the sum of the 512 bytes with itself read as spaces.
bool is_tar(std::string_view text) {
    if (text.size() < 512) return false;
    long stored = 0, sum = 0;
    for (const char c : text.substr(148, 8)) {
        if (c >= '0' && c <= '7') stored = stored * 8 + (c - '0');
    }
    for (std::size_t i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(text[i]);
    return sum == stored;
}

// onnx.ModelProto: ir_version (field 1, varint), then a producer, domain, graph or opset field.
bool is_onnx(std::string_view text) {
    return text.size() > 3 && text[0] == 0x08 && text[1] >= 1 && text[1] <= 20 &&
           (text[2] == 0x12 || text[2] == 0x1a || text[2] == 0x3a || text[2] == 0x42);
}

// caffe.NetParameter: a printable name (field 1), then a layer (field 100, or 2 in the oldest files).
bool is_caffe(std::string_view text) {
    if (text.size() < 4 || text[0] != 0x0a || text[1] <= 0) return false;
    const auto length = static_cast<std::size_t>(text[1]);
    if (text.size() < length + 4) return false;
    const std::string_view name = text.substr(2, length), next = text.substr(2 + length, 2);
    const bool printable = std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    return printable && (next == "\xa2\x06"sv || next[0] == 0x12);
}

// Pickles of protocol 0 and 1 are text that starts with an opcode and ends with STOP.
bool is_old_pickle(std::string_view text) {
    return text.size() > 1 && "c(}])ldp"sv.find(text.front()) != std::string_view::npos && text.ends_with('.');
}

}  // namespace

WeightsFormat detect(std::span<const std::byte> file, std::string_view extension) {
    const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
    if (text.empty()) fail("it is empty");
    if (has_safetensors_header(text)) return WeightsFormat::safetensors;
    if (text.starts_with("PK\x03\x04"sv) || text.starts_with("PK\x05\x06"sv)) return WeightsFormat::pytorch_zip;
    if (text[0] == '\x80' && text.size() > 1 && text[1] >= 2 && text[1] <= 5) return WeightsFormat::pytorch_legacy;
    if (is_tar(text)) return WeightsFormat::pytorch_tar;
    for (const Signature& signature : signatures) {
        if (text.starts_with(signature.start)) fail("it seems to be {}", signature.meaning);
    }
    if (is_html(text)) fail("it seems to be an HTML page; the download probably failed");
    if (is_onnx(text)) fail("it seems to be an ONNX model; use the PyTorch or safetensors file of the same network");
    if (is_caffe(text)) fail("it seems to be a Caffe model; convert it to safetensors first");
    if (extension == ".safetensors") return WeightsFormat::safetensors;  // its reader says what is wrong
    if (is_old_pickle(text)) return WeightsFormat::pytorch_legacy;
    fail("it is neither a safetensors nor a PyTorch file");
}

}  // namespace cambium::formats
