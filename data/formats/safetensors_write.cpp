// Writes safetensors with the reference implementation's own order and padding, so that equal tensors give equal bytes.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <numeric>

#include "data/formats/atomic_file.h"
#include "data/formats/contents.h"
#include "engine/base/fail.h"

namespace cambium::formats {
namespace {

// Widest alignment first, so that every tensor is aligned; the order among equals is the reference implementation's.
int rank_of(DType dtype) {
    constexpr DType order[] = {DType::i64,  DType::f64, DType::f32, DType::i32,
                               DType::bf16, DType::f16, DType::u8,  DType::boolean};
    return static_cast<int>(std::find(std::begin(order), std::end(order), dtype) - std::begin(order));
}

std::string_view file_name_of(DType dtype) {
    constexpr std::string_view names[] = {"F64", "F32", "F16", "BF16", "I64", "I32", "U8", "BOOL"};
    return names[static_cast<std::size_t>(dtype)];
}

std::string json_string(std::string_view text, std::string_view what) {
    try {
        return nlohmann::json(text).dump();
    } catch (const nlohmann::json::exception&) {
        fail("{} {} is not UTF-8 and cannot stand in a safetensors file", what, quote(text));
    }
}

std::string header(std::span<const WeightsEntry> entries, std::span<const std::size_t> order,
                   const Metadata& metadata) {
    std::string text = "{", comma;
    if (!metadata.empty()) {
        text += "\"__metadata__\":{";
        for (const auto& [key, value] : metadata) {
            text += comma + json_string(key, "the metadata key") + ":" + json_string(value, "the metadata value");
            comma = ",";
        }
        text += "}";
    }
    std::uint64_t begin = 0;
    for (const std::size_t index : order) {
        const auto& [name, spec] = entries[index];
        const std::uint64_t end = begin + spec.bytes();
        text += fmt::format(R"({}{}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", comma,
                            json_string(name, "the tensor name"), file_name_of(spec.dtype),
                            fmt::join(spec.shape.extents(), ","), begin, end);
        comma = ",";
        begin = end;
    }
    text += "}";
    text.resize((text.size() + 7) / 8 * 8, ' ');
    return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const WeightsEntry> entries,
                       const TensorBytes& bytes_of, const Metadata& metadata) {
    check_names(entries);
    for (const WeightsEntry& entry : entries) {
        if (entry.name == "__metadata__") fail("safetensors keeps the name '__metadata__' for itself");
    }
    std::vector<std::size_t> order(entries.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::pair(rank_of(entries[a].spec.dtype), std::string_view(entries[a].name)) <
               std::pair(rank_of(entries[b].spec.dtype), std::string_view(entries[b].name));
    });
    const std::string text = header(entries, order, metadata);
    const std::uint64_t size = text.size();
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(&size, 1)));
    file.write(text);
    for (const std::size_t index : order) file.write(bytes_of(index));
    file.commit();
}

}  // namespace cambium::formats
