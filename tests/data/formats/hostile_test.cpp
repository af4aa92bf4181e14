// Damaged files and files of another kind: each gives one sentence, none a crash.
#include "tests/data/formats/golden.h"

using namespace cambium;
using namespace cambium::test;
using namespace std::string_literals;

namespace {

std::string safetensors(std::string header, const std::string& data = std::string(8, 'x'), std::int64_t claimed = -1) {
    const auto size = claimed >= 0 ? static_cast<std::uint64_t>(claimed) : header.size();
    return std::string(reinterpret_cast<const char*>(&size), 8) + header + data;
}

}  // namespace

TEST_CASE("a file cut off at any byte is an error") {
    const TemporaryFolder folder;
    for (const std::string& name : golden_names) {
        CAPTURE(name);
        const std::string whole = slurp(golden(name));
        for (std::size_t size = 0; size < whole.size(); ++size) {
            CAPTURE(size);
            const std::string sentence = error_of(folder.put(name, std::string_view(whole).substr(0, size)));
            CHECK(contains(sentence, "cannot read"));
            CHECK(contains(sentence, name));
        }
    }
}

TEST_CASE("safetensors: a header that breaks the format is refused, with the reason") {
    const TemporaryFolder folder;
    const std::string a = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
    CHECK(error_of(folder.put("good.safetensors", safetensors("{" + a + "}  "))).empty());
    const std::pair<std::string, std::string> cases[] = {
        {safetensors("{" + a + "}", "", 1LL << 62), "the format allows 100 MB"},
        {safetensors("{" + a + "}", "", 100'000'001), "the format allows 100 MB"},
        {safetensors("{" + a + "}", "", 99'999'999), "it is cut off"},
        {safetensors("[" + a + "]"), "not a JSON object"},
        {safetensors("{" + a), "not JSON"},
        {safetensors("{" + a + "} x"), "not JSON"},
        {safetensors("{" + a + "}{}"), "not JSON"},
        {safetensors("{" + a + ",}"), "not JSON"},
        {safetensors("{\"\xff\":1}"), "not JSON"},
        {safetensors("{" + a + "," + a + "}"), "it holds 'a' twice"},
        {safetensors("{" + a + "}", "1234567"), "but the file holds 7"},
        {safetensors("{" + a + "}", "123456789"), "the last 1 bytes belong to no tensor"},
        {safetensors(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})"), "shape [3] of F32"},
        {safetensors(R"({"a":{"dtype":"F32","shape":[2,9223372036854775807,4],"data_offsets":[0,8]}})"),
         "impossibly large"},
        {safetensors(R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}})"),
         "impossibly large"},
        {safetensors(R"({"a":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}})", ""),
         "impossible shape"},
        {safetensors(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})"), "a negative number"},
        {safetensors(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})"), "a fraction"},
        {safetensors(R"({"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}})"), "a string"},
        {safetensors(R"({"a":{"dtype":"F32","shape":[[2]],"data_offsets":[0,8]}})"), "an array"},
        {safetensors(R"({"a":{"dtype":"F32","shape":null,"data_offsets":[0,8]}})"), "null"},
        {safetensors(R"({"a":{"dtype":true,"shape":[2],"data_offsets":[0,8]}})"), "a boolean"},
        {safetensors(R"({"a":{"dtype":"Q7","shape":[2],"data_offsets":[0,8]}})"), "unknown element type 'Q7'"},
        {safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})"), "not [begin, end]"},
        {safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4,8]}})"), "not [begin, end]"},
        {safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,99]}})"), "but the file holds 8"},
        {safetensors(R"({"a":{"dtype":"F32","shape":[2]}})"), "lacks its data_offsets"},
        {safetensors(R"({"a":{"shape":[2],"data_offsets":[0,8]}})"), "lacks its dtype"},
        {safetensors(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})"), "lacks its shape"},
        {safetensors(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})"), "'dtype' twice"},
        {safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"extra":1}})"), "a field 'extra'"},
        {safetensors(
             R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})"),
         "overlaps"},
        {safetensors(
             R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})"),
         "2 bytes before tensor 'b'"},
        {safetensors(R"({"a":1})"), "a number for 'a'"},
        {safetensors(R"({"a":{"b":{}}})"), "a field 'b'"},
        {safetensors(R"({"__metadata__":{"k":1}})", ""), "its metadata has a number"},
        {safetensors(R"({"__metadata__":{"k":"a","k":"b"}})", ""), "the key 'k' twice"},
        {safetensors(R"({"__metadata__":[]})", ""), "an array"},
        {safetensors("{\"a\":" + std::string(1'000'000, '[')), "an array"},
        {safetensors("{\"a\":" + std::string(1'000'000, '{')), "not JSON"}};
    for (const auto& [file, expected] : cases) {
        const std::string sentence = error_of(folder.put("bad.safetensors", file));
        CAPTURE(sentence);
        CHECK(contains(sentence, expected));
    }
}

TEST_CASE("safetensors: what the format allows is read") {
    const TemporaryFolder folder;
    const auto open = [&](const std::string& file) { return WeightsFile::open(folder.put("x.safetensors", file)); };
    const std::string plain = R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})";
    const WeightsFile brace = open(safetensors(plain + std::string('{' - plain.size(), ' ')));  // its size is a '{' too
    CHECK(brace.entries().size() == 1);
    const WeightsFile odd = open(safetensors(
        R"({"b":{"data_offsets":[4,8],"shape":[],"dtype":"F32"},"none":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},)"
        R"("a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},"module.é":{"dtype":"U8","shape":[1,1,1,1,1,1],"data_offsets":[8,9]}})",
        std::string(9, 'x')));
    CHECK(odd.entries().size() == 2);
    CHECK(odd.find("b")->spec == TensorSpec{{}, DType::f32});
    CHECK(odd.notes().size() == 2);  // I8, and six axes
}

TEST_CASE("a file of another kind is named as what it seems to be") {
    const TemporaryFolder folder;
    const std::pair<std::string, std::string> cases[] = {
        {"", "it is empty"},
        {"\x89HDF\r\n\x1a\n and more", "HDF5"},
        {"\x93NUMPY\x01", "NumPy array"},
        {"\x08\x07\x12\x07pytorch\x1a\x03"
         "2.0",
         "ONNX"},
        {"\x0a\x08"
         "ResNet50\x12\x08"
         "input",
         "Caffe"},
        {"\x0a\x08"
         "ResNet50\xa2\x06\x10"
         "layer",
         "Caffe"},
        {"<!DOCTYPE html><html>", "HTML page; the download probably failed"},
        {"\n <HTML>", "HTML page"},
        {"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"},
        {"\x1f\x8b\x08", "gzip"},
        {"{\"a\": 1}", "JSON text"},
        {"\xff\xd8\xff\xe0", "JPEG"},
        {"\x80\x02}q\x01.", "a pickle, but not one that torch.save wrote"},
        {"}.", "a pickle, but not one that torch.save wrote"},
        {"PK\x05\x06" + std::string(18, '\0'), "it has no data.pkl"},
        {"PK\x03\x04", "cut off"},
        {"hello world", "neither a safetensors nor a PyTorch file"},
        {std::string(600, '\0'), "neither a safetensors nor a PyTorch file"}};
    for (const auto& [file, expected] : cases) {
        const std::string sentence = error_of(folder.put("file.bin", file));
        CAPTURE(sentence);
        CHECK(contains(sentence, expected));
        CHECK(contains(sentence, "file.bin"));
    }
    CHECK(contains(error_of(folder.put("short.safetensors", "abc")), "too few for a safetensors header"));
    CHECK(contains(error_of(folder.path), "it is a folder"));
    CHECK(contains(error_of("/dev/null"), "a device or pipe"));
    CHECK(contains(error_of(folder.path / "absent"), "No such file"));
}

TEST_CASE("a tar archive of something else, and one with a lying size") {
    const TemporaryFolder folder;
    std::string tar = slurp(golden("tar.pt"));
    std::string other = tar;
    for (std::size_t at; (at = other.find("storages\0"s)) != std::string::npos;) other.replace(at, 8, "photos\0\0"s);
    CHECK(!error_of(folder.put("checksum.tar", other))
               .empty());  // the changed header's checksum is wrong, or the entry absent
    std::string large = tar;
    large.replace(large.find("storages\0"s) + 124, 11, "77777777777");
    CHECK(contains(error_of(folder.put("large.tar", large)), "cut off or damaged"));
}
