// safetensors: an 8-byte little-endian header size, a JSON header, then the tensors' bytes without gaps. The header is
// read by a streaming (SAX) parser that accepts exactly the format's grammar, so that memory stays proportional to the
// tensors and duplicate keys, which a JSON document would silently merge, are seen. Format:
// https://github.com/huggingface/safetensors, "Format".
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <optional>
#include <set>

#include "data/formats/contents.h"
#include "engine/base/fail.h"

namespace cambium::formats {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are read as they lie in the file");

constexpr std::uint64_t largest_header = 100'000'000;  // the reference implementation's limit

struct FileType {
    std::string_view name;
    std::uint64_t bits;
    std::optional<DType> dtype;  // none: valid in a file, but not something a Tensor can hold
};
constexpr FileType file_types[] = {
    {"F64", 64, DType::f64},      {"F32", 32, DType::f32},   {"F16", 16, DType::f16},      {"BF16", 16, DType::bf16},
    {"I64", 64, DType::i64},      {"I32", 32, DType::i32},   {"U8", 8, DType::u8},         {"BOOL", 8, DType::boolean},
    {"U64", 64, std::nullopt},    {"U32", 32, std::nullopt}, {"U16", 16, std::nullopt},    {"I16", 16, std::nullopt},
    {"I8", 8, std::nullopt},      {"C64", 64, std::nullopt}, {"F8_E4M3", 8, std::nullopt}, {"F8_E5M2", 8, std::nullopt},
    {"F8_E8M0", 8, std::nullopt}, {"F4", 4, std::nullopt}};

struct HeaderTensor {
    std::string name;
    std::optional<std::string> dtype;
    std::optional<std::vector<std::uint64_t>> shape;
    std::optional<std::vector<std::uint64_t>> data_offsets;
};

// The grammar: {"__metadata__": {string: string, ...}, NAME: {"dtype": string, "shape": [n, ...], "data_offsets": [b,
// e]}, ...}
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
  public:
    std::vector<HeaderTensor> tensors;
    Metadata metadata;

    bool null() override { return unexpected("null"); }
    bool boolean(bool) override { return unexpected("a boolean"); }
    bool number_integer(number_integer_t) override { return unexpected("a negative number"); }
    bool number_float(number_float_t, const string_t&) override { return unexpected("a fraction"); }
    bool binary(binary_t&) override { return unexpected("binary data"); }

    bool number_unsigned(number_unsigned_t value) override {
        if (numbers_ == nullptr) return unexpected("a number");
        numbers_->push_back(value);
        return true;
    }
    bool string(string_t& value) override {
        if (level_ == Level::metadata) {
            if (!metadata.emplace(key_, value).second) fail("its metadata has the key {} twice", quote(key_));
            return true;
        }
        if (level_ != Level::tensor || key_ != "dtype") return unexpected("a string");
        tensors.back().dtype = value;
        return true;
    }
    bool start_object(std::size_t) override {
        if (level_ == Level::none && !started_) {
            started_ = true;
            level_ = Level::header;
        } else if (level_ == Level::header) {
            level_ = key_ == "__metadata__" ? Level::metadata : Level::tensor;
            if (level_ == Level::tensor)
                tensors.push_back({.name = key_, .dtype = {}, .shape = {}, .data_offsets = {}});
        } else {
            return unexpected("an object");
        }
        return true;
    }
    bool end_object() override {
        level_ = level_ == Level::header ? Level::none : Level::header;
        return true;
    }
    bool start_array(std::size_t) override {
        if (level_ != Level::tensor || numbers_ != nullptr || key_ == "dtype") return unexpected("an array");
        auto& array = key_ == "shape" ? tensors.back().shape : tensors.back().data_offsets;
        numbers_ = &array.emplace();
        return true;
    }
    bool end_array() override {
        numbers_ = nullptr;
        return true;
    }
    bool key(string_t& value) override {
        key_ = value;
        if (level_ == Level::header && !names_.insert(value).second) fail("it holds {} twice", quote(value));
        if (level_ == Level::tensor) check_field();
        return true;
    }
    bool parse_error(std::size_t position, const std::string& token, const nlohmann::detail::exception&) override {
        fail("its header is not JSON: unexpected {} at byte {}", quote(token), position + 8);
    }

  private:
    enum class Level { none, header, metadata, tensor };

    bool unexpected(std::string_view what) const {
        const std::string_view where = level_ == Level::metadata ? "its metadata" : "its header";
        if (key_.empty()) fail("{} has {} where the format has none", where, what);
        fail("{} has {} for {}, where the format has none", where, what, quote(key_));
    }
    void check_field() const {
        const HeaderTensor& tensor = tensors.back();
        const bool again = (key_ == "dtype" && tensor.dtype) || (key_ == "shape" && tensor.shape) ||
                           (key_ == "data_offsets" && tensor.data_offsets);
        if (again) fail("tensor {} has {} twice", quote(tensor.name), quote(key_));
        if (key_ != "dtype" && key_ != "shape" && key_ != "data_offsets") {
            fail("tensor {} has a field {}, which the format does not know", quote(tensor.name), quote(key_));
        }
    }

    Level level_ = Level::none;
    bool started_ = false;
    std::string key_;
    std::set<std::string, std::less<>> names_;
    std::vector<std::uint64_t>* numbers_ = nullptr;
};

struct ByteRange {
    std::uint64_t begin, end;
    std::string_view name;
};

const FileType& file_type(const HeaderTensor& tensor) {
    const auto type = std::find_if(std::begin(file_types), std::end(file_types),
                                   [&](const FileType& known) { return known.name == *tensor.dtype; });
    if (type == std::end(file_types)) {
        fail("tensor {} has the unknown element type {}", quote(tensor.name), quote(*tensor.dtype));
    }
    return *type;
}

// The tensor's bytes within the data section of `available` bytes, after checking them against dtype and shape.
ByteRange checked_range(const HeaderTensor& tensor, std::uint64_t available) {
    if (!tensor.dtype || !tensor.shape || !tensor.data_offsets) {
        fail("tensor {} lacks {}", quote(tensor.name),
             !tensor.dtype   ? "its dtype"
             : !tensor.shape ? "its shape"
                             : "its data_offsets");
    }
    const auto& offsets = *tensor.data_offsets;
    if (offsets.size() != 2 || offsets[0] > offsets[1]) {
        fail("tensor {} has data_offsets that are not [begin, end]", quote(tensor.name));
    }
    if (offsets[1] > available) {
        fail("tensor {} ends at byte {} of the data, but the file holds {}; it is cut off or damaged",
             quote(tensor.name), offsets[1], available);
    }
    std::uint64_t bits = file_type(tensor).bits;
    for (const std::uint64_t extent : *tensor.shape) {
        if (__builtin_mul_overflow(bits, extent, &bits))
            fail("tensor {} has an impossibly large shape", quote(tensor.name));
    }
    if (bits % 8 != 0 || bits / 8 != offsets[1] - offsets[0]) {
        fail("tensor {} has shape [{}] of {}, which is not the {} bytes of its data_offsets", quote(tensor.name),
             fmt::join(*tensor.shape, ", "), *tensor.dtype, offsets[1] - offsets[0]);
    }
    return {offsets[0], offsets[1], tensor.name};
}

// The format allows neither overlaps nor gaps: every byte belongs to exactly one tensor.
void check_tiling(std::vector<ByteRange> ranges, std::uint64_t available) {
    std::sort(ranges.begin(), ranges.end(), [](const ByteRange& a, const ByteRange& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t end = 0;
    for (const ByteRange& range : ranges) {
        if (range.begin < end) fail("tensor {} overlaps another one", quote(range.name));
        if (range.begin > end)
            fail("{} bytes before tensor {} belong to no tensor", range.begin - end, quote(range.name));
        end = range.end;
    }
    if (end != available) fail("the last {} bytes belong to no tensor", available - end);
}

void add(Contents& contents, const HeaderTensor& tensor, std::uint64_t begin, std::uint64_t size) {
    const FileType& type = file_type(tensor);
    if (!type.dtype) {
        contents.unreadable.emplace(tensor.name, fmt::format("its elements are {}", type.name));
    } else if (tensor.shape->size() > Shape::max_rank) {
        contents.unreadable.emplace(tensor.name, fmt::format("it has {} axes", tensor.shape->size()));
    } else {
        std::vector<std::int64_t> extents;
        for (const std::uint64_t extent : *tensor.shape) {
            if (extent > static_cast<std::uint64_t>(INT64_MAX))
                fail("tensor {} has an impossible shape", quote(tensor.name));
            extents.push_back(static_cast<std::int64_t>(extent));
        }
        const TensorSpec spec{Shape(extents), *type.dtype};
        contents.entries.push_back({tensor.name, spec});
        contents.views.push_back({.storage = {begin, size}, .offset = 0, .strides = contiguous_strides(spec.shape)});
    }
}

}  // namespace

Contents read_safetensors(std::span<const std::byte> file) {
    std::uint64_t header_size = 0;
    if (file.size() < sizeof header_size)
        fail("{} bytes are too few for a safetensors header; it is cut off", file.size());
    std::memcpy(&header_size, file.data(), sizeof header_size);
    if (header_size > largest_header) fail("its header claims {} bytes; the format allows 100 MB", header_size);
    const std::uint64_t data_begin = sizeof header_size + header_size;
    if (data_begin > file.size()) {
        fail("its header claims {} bytes, but the file has {}; it is cut off", header_size, file.size());
    }
    const std::string_view header(reinterpret_cast<const char*>(file.data()) + sizeof header_size,
                                  static_cast<std::size_t>(header_size));
    if (!header.starts_with('{')) fail("its header is not a JSON object");

    HeaderHandler handler;
    // Strict: nothing but spaces may follow. The handler throws, so the result says nothing more.
    nlohmann::json::sax_parse(header.begin(), header.end(), &handler, nlohmann::json::input_format_t::json, true);

    const std::uint64_t available = file.size() - data_begin;
    Contents contents;
    contents.metadata = std::move(handler.metadata);
    std::vector<ByteRange> ranges;
    for (const HeaderTensor& tensor : handler.tensors) {
        ranges.push_back(checked_range(tensor, available));
        add(contents, tensor, data_begin + ranges.back().begin, ranges.back().end - ranges.back().begin);
    }
    check_tiling(std::move(ranges), available);
    return contents;
}

}  // namespace cambium::formats
