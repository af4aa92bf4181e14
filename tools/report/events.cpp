#include "tools/report/events.h"

#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <optional>
#include <sstream>

#include "engine/base/fail.h"

// Numbers are little-endian on the wire, as on the machines this is built for.
namespace cambium {
namespace {

namespace fs = std::filesystem;

// Protobuf's wire format: each field is preceded by its number and type (0 varint, 1 eight bytes, 2 length-delimited, 5
// four bytes). The messages are those of tensorflow/core/util/event.proto and framework/summary.proto:
//   Event   { 1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary summary }
//   Summary { 1: repeated Value value }    Value { 1: string tag, 2: float simple_value }
enum class Wire : std::uint8_t { varint = 0, eight = 1, text = 2, four = 5 };

void put_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    out += static_cast<char>(value);
}

void put_key(std::string& out, unsigned field, Wire wire) { out += static_cast<char>(field << 3 | unsigned(wire)); }

template <class T>
void put_fixed(std::string& out, T value) {
    const auto bytes = std::bit_cast<std::array<char, sizeof(T)>>(value);
    out.append(bytes.data(), bytes.size());
}

void put_text(std::string& out, unsigned field, std::string_view text) {
    put_key(out, field, Wire::text);
    put_varint(out, text.size());
    out += text;
}

std::string event(std::int64_t step) {
    const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
    std::string out;
    put_key(out, 1, Wire::eight);
    put_fixed(out, now.count());
    put_key(out, 2, Wire::varint);  // written even where it is zero, so that step_of() finds it in its place
    put_varint(out, static_cast<std::uint64_t>(step));
    return out;
}

// The step of an event that event() began; nothing if it is not one.
std::optional<std::int64_t> step_of(std::string_view data) {
    constexpr std::size_t at = 1 + sizeof(double);
    if (data.size() <= at || data[0] != '\x09' || data[at] != '\x10') return {};
    std::uint64_t step = 0;
    for (std::size_t i = at + 1, shift = 0; i < data.size() && shift < 64; ++i, shift += 7) {
        const auto byte = static_cast<unsigned char>(data[i]);
        step |= std::uint64_t{byte & 0x7fu} << shift;
        if (byte < 0x80) return static_cast<std::int64_t>(step);
    }
    return {};
}

template <class T>
T fixed_at(std::string_view bytes, std::size_t at) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    return value;
}

// The bytes of a TFRecord around its data: length and its CRC before, the data's CRC after.
constexpr std::size_t head_bytes = 12, tail_bytes = 4;

// How much of a file's beginning are whole records of steps up to `last_step`.
std::size_t kept_bytes(std::string_view file, std::int64_t last_step) {
    std::size_t kept = 0;
    while (file.size() - kept >= head_bytes + tail_bytes) {
        const std::string_view rest = file.substr(kept);
        const auto length = fixed_at<std::uint64_t>(rest, 0);
        if (fixed_at<std::uint32_t>(rest, 8) != masked_crc32c(rest.substr(0, 8))) break;
        if (length > rest.size() - head_bytes - tail_bytes) break;
        const std::string_view data = rest.substr(head_bytes, length);
        if (fixed_at<std::uint32_t>(rest, head_bytes + length) != masked_crc32c(data)) break;
        const std::optional<std::int64_t> step = step_of(data);
        if (!step || *step > last_step) break;
        kept += head_bytes + length + tail_bytes;
    }
    return kept;
}

std::string read_all(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    if (file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
    if (!file.is_open() || file.bad()) fail("cannot read {}, to continue it", path.string());
    return std::move(text).str();
}

constexpr std::array<std::uint32_t, 256> crc_table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        std::uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0u);
        table[i] = crc;
    }
    return table;
}();

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
    std::uint32_t crc = ~0u;
    for (const char c : bytes) crc = crc >> 8 ^ crc_table[(crc ^ static_cast<unsigned char>(c)) & 0xff];
    return ~crc;
}

std::uint32_t masked_crc32c(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xa282ead8u; }

EventWriter::EventWriter(const fs::path& run, std::int64_t last_step) : path_(run / "events.out.tfevents.cambium") {
    std::error_code error;
    std::size_t kept = 0;
    if (last_step > 0 && fs::exists(path_, error)) {
        kept = kept_bytes(read_all(path_), last_step);
        fs::resize_file(path_, kept, error);
        if (error) fail("cannot cut {} back to step {}: {}", path_.string(), last_step, error.message());
    }
    file_.open(path_, std::ios::binary | (kept > 0 ? std::ios::app : std::ios::trunc));
    if (!file_) fail("cannot write {}: {}", path_.string(), std::strerror(errno));
    if (kept > 0) return;
    std::string version = event(0);
    put_text(version, 3, "brain.Event:2");
    write(version);
    flush();
}

void EventWriter::scalar(std::string_view tag, std::int64_t step, double value) {
    std::string scalar, summary, whole = event(step);
    put_text(scalar, 1, tag);
    put_key(scalar, 2, Wire::four);
    put_fixed(scalar, static_cast<float>(value));
    put_text(summary, 1, scalar);
    put_text(whole, 5, summary);
    write(whole);
}

void EventWriter::write(std::string_view event) {
    std::string record;
    put_fixed(record, std::uint64_t{event.size()});
    put_fixed(record, masked_crc32c(record));
    record += event;
    put_fixed(record, masked_crc32c(event));
    file_.write(record.data(), static_cast<std::streamsize>(record.size()));
}

void EventWriter::flush() {
    file_.flush();
    if (!file_) fail("cannot write {}: {}", path_.string(), std::strerror(errno));
}

}  // namespace cambium
