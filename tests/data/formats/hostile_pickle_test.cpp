// Pickles that want more than tensors: each is refused by name, wherever it stands, and nothing is ever executed.
#include <zip.h>

#include <functional>

#include "tests/data/formats/golden.h"

using namespace cambium;
using namespace cambium::test;
using namespace std::string_literals;

namespace {

std::string text(std::string_view value) {
    const auto size = static_cast<std::uint32_t>(value.size());
    return "X" + std::string(reinterpret_cast<const char*>(&size), 4) + std::string(value);
}

std::string integer(std::int64_t value) { return "\x8a\x08" + std::string(reinterpret_cast<const char*>(&value), 8); }

std::string integers(const std::vector<std::int64_t>& values) {
    std::string code = "(";
    for (const std::int64_t value : values) code += integer(value);
    return code + "t";
}

std::string legacy_with(const std::string& pickle) {
    const std::string good = slurp(golden("legacy.pt"));
    return good.substr(0, good.find("\x80\x02"
                                    "ccollections")) +
           pickle;
}

std::string tar_with(const std::string& pickle) {
    std::string file = slurp(golden("tar.pt"));
    return file.replace(file.find("\x80\x02"
                                  "ccollections"),
                        pickle.size(), pickle);
}

// A zip archive of these entries, in the temporary folder.
std::filesystem::path zip_of(const TemporaryFolder& folder,
                             const std::vector<std::pair<std::string, std::string>>& entries) {
    const std::filesystem::path path = folder.path / "archive.pt";
    zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
    REQUIRE(archive != nullptr);
    for (const auto& [name, data] : entries) {
        zip_file_add(archive, name.c_str(), zip_source_buffer(archive, data.data(), data.size(), 0), 0);
    }
    REQUIRE(zip_close(archive) == 0);
    return path;
}

struct TensorCode {
    std::string storage_class = "FloatStorage", key = "0", offset = integer(0);
    std::int64_t count = 4;
    std::vector<std::int64_t> sizes = {2, 2}, strides = {2, 1};

    // {"weight": the tensor}
    std::string pickle() const {
        return "\x80\x02}" + text("weight") + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "ctorch\n" +
               storage_class + "\n" + text(key) + text("cpu") + integer(count) + "tQ" + offset + integers(sizes) +
               integers(strides) + "\x89" + "ccollections\nOrderedDict\n)RtRs.";
    }
};

std::string error_of_zip(const TemporaryFolder& folder, const std::string& pickle,
                         const std::string& storage = std::string(16, 'x')) {
    return error_of(zip_of(folder, {{"a/data.pkl", pickle}, {"a/data/0", storage}}));
}

}  // namespace

TEST_CASE("os.system is named and never called, in every format and protocol") {
    const TemporaryFolder folder;
    const std::filesystem::path canary = folder.path / "canary";
    const std::string command = "touch " + canary.string();
    const std::string short_text = "\x8c" + std::string(1, static_cast<char>(command.size())) + command;
    const std::string protocol0 = "cposix\nsystem\n(V" + command + "\ntR.";
    const std::string protocol2 =
        "\x80\x02"
        "cposix\nsystem\n" +
        text(command) + "\x85R.";
    const std::string protocol4 = "\x80\x04\x8c\x05posix\x8c\x06system\x93" + short_text + "\x85R.";
    const std::string nested = "\x80\x02}" + text("weight") + protocol2.substr(2, protocol2.size() - 3) + "s.";
    for (const std::string& pickle : {protocol0, protocol2, protocol4, nested}) {
        for (const std::string& sentence :
             {error_of(folder.put("raw.pt", pickle)), error_of(folder.put("legacy.pt", legacy_with(pickle))),
              error_of(folder.put("tar.pt", tar_with(pickle))), error_of_zip(folder, pickle)}) {
            CAPTURE(sentence);
            CHECK(contains(sentence, "refused: its pickle asks for 'os.system'"));
        }
    }
    CHECK(!std::filesystem::exists(canary));
}

TEST_CASE("every opcode off the list is refused by name") {
    const TemporaryFolder folder;
    const std::string allowed =
        "(.NJKMILGUTXCB)t]ae}suqrhjcRbQ\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x93\x94\x95"s;
    const std::map<unsigned, std::string> off_list = {
        {'0', "POP"},    {'1', "POP_MARK"},   {'2', "DUP"},         {'F', "FLOAT"},        {'P', "PERSID"},
        {'S', "STRING"}, {'V', "UNICODE"},    {'d', "DICT"},        {'g', "GET"},          {'i', "INST"},
        {'l', "LIST"},   {'o', "OBJ"},        {'p', "PUT"},         {0x82, "EXT1"},        {0x83, "EXT2"},
        {0x84, "EXT4"},  {0x92, "NEWOBJ_EX"}, {0x96, "BYTEARRAY8"}, {0x97, "NEXT_BUFFER"}, {0x98, "READONLY_BUFFER"}};
    for (unsigned byte = 0; byte < 256; ++byte) {
        const std::string pickle = "\x80\x02(]]" + std::string(1, static_cast<char>(byte)) + "x\nx\n.";
        const std::string sentence = error_of(folder.put("opcode.pt", pickle));
        CAPTURE(byte);
        CAPTURE(sentence);
        CHECK(!sentence.empty());
        if (contains(allowed, std::string(1, static_cast<char>(byte)))) {
            CHECK(!contains(sentence, "at byte 5,"));
        } else {
            const auto named = off_list.find(byte);
            const std::string name = named != off_list.end() ? named->second : "0x";
            CHECK(contains(sentence, "refused: its pickle uses the opcode " + name));
        }
    }
}

TEST_CASE("every global off the list is refused by name") {
    const TemporaryFolder folder;
    const std::pair<std::string, std::string> off_list[] = {{"builtins", "eval"},
                                                            {"builtins", "exec"},
                                                            {"builtins", "getattr"},
                                                            {"__builtin__", "apply"},
                                                            {"subprocess", "Popen"},
                                                            {"torch", "load"},
                                                            {"torch.hub", "load"},
                                                            {"torch.jit", "load"},
                                                            {"torch.nn.modules.linear", "Linear"},
                                                            {"torchvision.models.resnet", "ResNet"},
                                                            {"__main__", "Net"},
                                                            {"numpy.core.multiarray", "_reconstruct"},
                                                            {"numpy", "ndarray"},
                                                            {"numpy.load", ""},
                                                            {"pickle", "loads"},
                                                            {"torch._utils", "_rebuild_sparse_tensor"},
                                                            {"torch.storage", "_load_from_bytes"},
                                                            {"torch", "FloatStorage.from_file"},
                                                            {"torch.FloatStorage", "x"},
                                                            {"collections", "defaultdict"},
                                                            {"argparse", "ArgumentParser"},
                                                            {"_codecs", "decode"}};
    for (const auto& [module, name] : off_list) {
        const std::string by_line =
            "\x80\x02"
            "c" +
            module + "\n" + name + "\n.";
        const std::string by_stack = "\x80\x04" + text(module) + text(name) + "\x93.";
        for (const std::string& pickle : {by_line, by_stack}) {
            const std::string sentence = error_of_zip(folder, pickle);
            CAPTURE(sentence);
            CHECK(contains(sentence, "refused: its pickle asks for '" + module + "." + name + "'"));
        }
    }
}

TEST_CASE("what is on the list cannot be bent") {
    const TemporaryFolder folder;
    const std::pair<std::string, std::string> cases[] = {
        {"ctorch\nfloat32\n)R.", "refused: its pickle calls 'torch.float32'"},
        {"ctorch\nFloatStorage\n)R.", "refused: its pickle calls 'torch.FloatStorage'"},
        {"])R.", "refused: its pickle calls a list"},
        {text("os.system") + ")R.", "refused: its pickle calls 'os.system'"},
        {"]}b.", "refused: its pickle sets attributes of a list"},
        {"cargparse\nNamespace\n}b.", "refused: its pickle sets attributes of a class or function"},
        {text("x") + "Q.", "refused: its pickle refers to 'x' outside of it"},
        {"(" + text("module") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + "K\x04tQ.",
         "only storages can be there"},
        {"(" + text("storage") + "]" + text("0") + text("cpu") + "K\x04tQ.", "has a storage of a list"},
        {"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch\ndevice\n"
         "ctorch\nTensor\n)}tR.",
         "rebuilds a tensor through"},
        {"ctorch._tensor\n_rebuild_from_type_v2\n(" + text("eval") + "ctorch\nTensor\n)}tR.",
         "rebuilds a tensor through 'eval'"},
        {"ctorch._utils\n_rebuild_tensor_v2\n)R.", "without a storage"},
        {"ccollections\nOrderedDict\n(](K\x01"
         "ee\x85R.",
         ""},
        {"h\x05.", "recalls object 5"},
        {"t.", "no mark"},
        {"a.", "takes more than it has put"},
        {"(](.", ""},
        {"}(K\x01u.", "key without a value"},
        {"]K\x01K\x02s.", "adds items to"},
        {"K\x01.", "it holds 1, not a state_dict"},
        {"}.", "without tensors"},
        {"X\xff\xff\xff\xff.", "cut off"},
        {"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "cut off"},
        {"\x8b\xff\xff\xff\xff.", "cut off"},
        {"I12x\n.", "bad number"},
        {"I99999999999999999999\n.", "bad number"},
        {"\x80\x09.", "unknown protocol 9"},
        {"}q\x01" + text("model") + "h\x01s.", "without tensors"}};
    for (const auto& [code, expected] : cases) {
        const std::string sentence = error_of_zip(folder, "\x80\x02" + code);
        CAPTURE(sentence);
        CHECK(!sentence.empty());
        CHECK(contains(sentence, expected));
    }
}

TEST_CASE("the state_dict is found where scripts put it, or it is said why not") {
    const TemporaryFolder folder;
    const std::string tensors = TensorCode{}.pickle();
    const std::string dict = tensors.substr(2, tensors.size() - 3);  // without PROTO and STOP
    const auto wrap = [](const std::string& key, const std::string& value) { return "}" + text(key) + value + "s"; };
    const auto of = [&](const std::string& code) { return error_of_zip(folder, "\x80\x02" + code + "."); };
    CHECK(of(wrap("state_dict", dict)).empty());
    CHECK(of(wrap("model", wrap("state_dict", dict))).empty());
    CHECK(of(wrap("resnet", dict)).empty());
    CHECK(of("}(" + text("model") + wrap("name", text("resnet18")) + text("net") + dict + "u").empty());
    CHECK(contains(of("}(" + text("a") + dict + text("b") + dict + "u"), "2 sets of tensors, such as 'a' and 'b'"));
    CHECK(contains(of("](" + dict + "e"), "it holds a list"));
    CHECK(contains(of("}q\x01" + dict.substr(1) + text("model") + "h\x01s"), "nested too deeply"));
}

TEST_CASE("deep and endless pickles end in a sentence, not in the stack or in memory") {
    const TemporaryFolder folder;
    std::string nested = "\x80\x02", endless = "\x80\x02";
    for (int i = 0; i < 1'000'000; ++i) nested += "(";
    for (int i = 0; i < 1'000'000; ++i) nested += "t";
    CHECK(contains(error_of_zip(folder, nested + "."), "it holds a tuple"));
    endless.append(4'100'000, ']');
    CHECK(contains(error_of_zip(folder, endless + "."), "more than 4000000 objects"));
}

TEST_CASE("a tensor must lie within its storage, and its storage within the file") {
    const TemporaryFolder folder;
    CHECK(error_of_zip(folder, TensorCode{}.pickle()).empty());
    constexpr std::int64_t huge = INT64_MAX, large = std::int64_t{1} << 59;  // the most elements a Shape accepts
    const std::pair<TensorCode, std::string> cases[] = {
        {{.offset = integer(1)}, "reaches beyond its storage of 4 elements"},
        {{.offset = integer(-1)}, "reaches beyond"},
        {{.offset = integer(huge)}, "reaches beyond"},
        {{.sizes = {2, 3}}, "reaches beyond"},
        {{.strides = {-2, 1}}, "reaches beyond"},
        {{.strides = {huge, 1}}, "reaches beyond"},
        {{.sizes = {large, 1}, .strides = {huge, 1}}, "reaches beyond"},
        {{.sizes = {huge, 1}, .strides = {huge, 1}}, "overflow"},
        {{.sizes = {huge, huge}, .strides = {0, 0}}, "overflow"},
        {{.sizes = {huge, 1}, .strides = {0, 0}}, "overflow"},
        {{.sizes = {large, 1}, .strides = {0, 0}}, "too often"},
        {{.sizes = {1 << 20, 1 << 20}, .strides = {0, 0}}, "too often"},
        {{.sizes = {-1, 2}}, "has the extent -1"},
        {{.strides = {1}}, "2 axes but 1 strides"},
        {{.key = "1"}, "storage '1' is missing"},
        {{.key = "../data.pkl"}, "storage '../data.pkl' is missing"},
        {{.count = 5}, "has 16 bytes, not 20"},
        {{.count = -1}, "negative size"},
        {{.count = huge}, "impossible size"},
        {{.storage_class = "DoubleStorage"}, "has 16 bytes, not 32"},
        {{.offset = text("0")}, "gives '0' for a tensor's offset"}};
    for (const auto& [code, expected] : cases) {
        const std::string sentence = error_of_zip(folder, code.pickle());
        CAPTURE(sentence);
        CHECK(contains(sentence, expected));
    }
}

TEST_CASE("zip archives that are not what they claim") {
    const TemporaryFolder folder;
    const std::string pickle = TensorCode{}.pickle(), storage(16, 'x');
    using Entries = std::vector<std::pair<std::string, std::string>>;
    const std::pair<Entries, std::string> cases[] = {
        {{{"a/data.pkl", pickle}}, "storage '0' is missing"},
        {{{"a/data/0", storage}}, "it has no data.pkl"},
        {{{"a/data.pkl", pickle}, {"b/data.pkl", pickle}}, "several PyTorch files"},
        {{{"a/data.pkl", pickle}, {"a/data/0", storage}, {"a/constants.pkl", "x"}}, "TorchScript"},
        {{{"a/data.pkl", pickle}, {"a/data/0", storage}, {"a/byteorder", "pdp"}}, "its byte order is 'pdp'"},
        {{{"a/data.pkl", pickle}, {"a/data/0", storage}, {"a/extra/cambium.json", "[1]"}}, "not a JSON object"},
        {{{"a/data.pkl", pickle}, {"a/data/0", storage}, {"a/extra/cambium.json", "{\"a\":1}"}}, "that is not text"},
        {{{"weights.npy", "x"}}, "NumPy archive"},
        {{{"config.json", "{}"}, {"model.weights.h5", "x"}}, "Keras"},
        {{{"a/data.pkl", ""}}, "cut off"}};
    for (const auto& [entries, expected] : cases) {
        const std::string sentence = error_of(zip_of(folder, entries));
        CAPTURE(sentence);
        CHECK(contains(sentence, expected));
    }
    const std::string good = slurp(golden("zip.pt"));
    const auto patched = [&](std::string_view find, std::size_t offset, const std::string& bytes, bool last = false) {
        std::string file = good;
        file.replace((last ? file.rfind(find) : file.find(find)) + offset, bytes.size(), bytes);
        return error_of(folder.put("patched.pt", file));
    };
    const std::string directory = "PK\x01\x02";
    CHECK(contains(patched(directory, 24, "\xff\xff\xff\x7f"), "is damaged"));       // decompressed size
    CHECK(contains(patched(directory, 10, std::string("\x0e\0", 2)), "method 14"));  // LZMA
    CHECK(contains(patched("ccollections", 4, "x"), "CRC"));                         // the pickle
    const float first = -1, other = -2;
    const std::string_view value(reinterpret_cast<const char*>(&first), 4);
    CHECK(contains(patched(value, 0, std::string(reinterpret_cast<const char*>(&other), 4)), "CRC"));  // weight[0]
}
